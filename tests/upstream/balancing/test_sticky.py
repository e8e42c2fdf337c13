"""Clients that stay at a target by a cookie."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.exchange import Exchange
from apigateway.http.heads import ResponseHead
from apigateway.interfaces import IBalancer
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.round_robin import RoundRobin
from apigateway.upstream.balancing.sticky import Signer, Sticky
from apigateway.upstream.steps.plan import ForwardPlan
from apigateway.upstream.target import Target
from tests.upstream.balancing.world import eject, make_target, trip

SIGNER = Signer("s3cret", "shop")


def value_of(target: Target, signer: Signer = SIGNER) -> bytes:
    """The cookie of a target."""
    return signer.signed(signer.name(target.url))


class StickyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.a, self.b, self.c = self.targets = [make_target(f"http://{name}:1") for name in "abc"]
        self.group = Group(self.targets, 10.0)
        self.group.review(0.0)
        self.sticky = self.made()

    def made(self, max_age: int | None = None) -> Sticky:
        return Sticky("shop", self.group, RoundRobin(self.group), "stay", "s3cret", max_age)

    def exchange(self, cookies: bytes | None = None, secure: bool = False) -> Exchange:
        fields = [] if cookies is None else [(b"Cookie", cookies)]
        exchange = exchange_for("GET", "/", fields, secure=secure)
        exchange.service = "shop"
        return exchange

    def picked(self, cookies: bytes | None = None, tried: tuple[Target, ...] = ()) -> Target | None:
        return self.sticky.pick(self.exchange(cookies), 0.0, tried)

    def answer(self, exchange: Exchange, target: Target) -> list[bytes]:
        """The `Set-Cookie` fields of an answer that a target gave."""
        exchange.target = target.url
        plan = self.sticky.plan(ForwardPlan(via=False))
        _, _, lines, _ = plan.answer(exchange, 200, b"OK", b"Date: x\r\nServer: y\r\n", 0, 0.0)
        return [line.partition(b": ")[2] for line in lines.split(b"\r\n") if line.lower().startswith(b"set-cookie")]

    def test_it_is_a_balancer(self) -> None:
        verifyObject(IBalancer, self.sticky)
        self.assertIn("<Sticky stay <RoundRobin", repr(self.sticky))

    def test_who_comes_with_the_cookie_of_a_target_goes_there(self) -> None:
        for target in self.targets * 2:
            self.assertIs(self.picked(b"stay=" + value_of(target)), target)

    def test_who_comes_without_gets_a_pick_and_its_cookie(self) -> None:
        self.assertIs(self.picked(), self.a)
        (line,) = self.answer(self.exchange(), self.a)
        self.assertEqual(line, b"stay=%b; Path=/; HttpOnly; SameSite=Lax" % value_of(self.a))

    def test_the_cookie_is_only_for_secure_connections_where_the_first_was_one(self) -> None:
        (line,) = self.answer(self.exchange(secure=True), self.a)
        self.assertTrue(line.endswith(b"; SameSite=Lax; Secure"))

    def test_it_can_outlive_the_browser(self) -> None:
        self.sticky = self.made(3600)
        (line,) = self.answer(self.exchange(), self.a)
        self.assertIn(b"; Max-Age=3600;", line)

    def test_who_has_it_is_not_given_it_again(self) -> None:
        exchange = self.exchange(b"stay=" + value_of(self.b))
        self.sticky.pick(exchange, 0.0)
        self.assertEqual(self.answer(exchange, self.b), [])

    def test_who_was_answered_by_another_gets_that_ones(self) -> None:
        exchange = self.exchange(b"stay=" + value_of(self.b))
        self.sticky.pick(exchange, 0.0)
        (line,) = self.answer(exchange, self.c)
        self.assertIn(value_of(self.c), line)

    def test_a_target_that_has_failed_or_may_not_be_tried_gives_way_to_a_pick(self) -> None:
        asked = b"stay=" + value_of(self.b)
        self.assertIsNot(self.picked(asked, (self.b,)), self.b)
        for befall in (trip, eject, lambda target: setattr(target.health, "healthy", False)):
            befall(self.b)
            self.assertIsNot(self.picked(asked), self.b)
            self.setUp()

    def test_in_panic_it_stays(self) -> None:
        for target in self.targets:
            target.health.healthy = False
        self.assertIs(self.picked(b"stay=" + value_of(self.b)), self.b)

    def test_one_that_is_returning_keeps_its_own(self) -> None:
        self.b.standing.come_back(0.0, 10.0)
        self.assertIs(self.picked(b"stay=" + value_of(self.b)), self.b)

    def test_the_cookie_does_not_go_on_to_the_service_and_others_do(self) -> None:
        exchange = self.exchange(b"a=1; stay=%b; b=2" % value_of(self.b))
        self.sticky.pick(exchange, 0.0)
        self.assertEqual(exchange.head.lines, b"Cookie: a=1; b=2\r\n")
        alone = self.exchange(b"stay=x")
        self.sticky.pick(alone, 0.0)
        self.assertEqual(alone.head.lines, b"")

    def test_a_request_without_it_is_not_touched(self) -> None:
        exchange = self.exchange(b"a=1;b=2")
        self.sticky.pick(exchange, 0.0)
        self.assertEqual(exchange.head.lines, b"Cookie: a=1;b=2\r\n")

    def test_it_tells_nothing_of_where_a_target_is_and_another_service_calls_it_something_else(self) -> None:
        target = make_target("http://10.0.0.17:8080")
        for piece in (b"10.0.0.17", b"MTAuMC4wLjE3", b"8080"):
            self.assertNotIn(piece, value_of(target))
        self.assertNotEqual(SIGNER.name(target.url), Signer("s3cret", "other").name(target.url))
        self.assertEqual(SIGNER.name(target.url), Signer("s3cret", "shop").name(target.url))

    def test_a_cookie_of_another_secret_or_service_or_of_a_target_that_is_gone_is_none(self) -> None:
        for value in (
            value_of(self.b, Signer("other", "shop")),
            value_of(self.b, Signer("s3cret", "other")),
            value_of(make_target("http://gone:1")),
            b"",
        ):
            self.assertEqual([self.picked(b"stay=" + value) for _ in range(3)], self.targets, "they take turns")
            self.assertEqual(len(self.answer(self.exchange(b"stay=" + value), self.b)), 1)

    @settings(deadline=None)
    @given(st.data())
    def test_one_that_was_tampered_with_is_never_honoured(self, data: st.DataObject) -> None:
        value = bytearray(value_of(self.b))
        if data.draw(st.booleans()):
            at = data.draw(st.integers(0, len(value) - 1))
            value[at] ^= data.draw(st.integers(1, 255))
        else:
            at = data.draw(st.integers(0, len(value)))
            value[at:at] = data.draw(st.binary(min_size=1, max_size=3))
        if data.draw(st.booleans()):
            del value[data.draw(st.integers(0, len(value) - 1)) :]
        assume(value != value_of(self.b))  # what was added at the end may be what is cut off
        self.assertIsNone(SIGNER.read(bytes(value)))

    @settings(deadline=None)
    @given(st.binary(max_size=60))
    def test_nothing_else_is_taken_for_one(self, value: bytes) -> None:
        self.assertIsNone(SIGNER.read(value))

    def test_an_answer_of_what_stands_in_has_no_cookie(self) -> None:
        exchange = self.exchange()
        exchange.service = "another"
        self.assertEqual(self.answer(exchange, self.a), [])
        self.assertEqual(self.answer(self.exchange(), make_target("http://elsewhere:1")), [])

    def test_a_plan_is_made_once_for_each_route_and_asks_the_policies_first(self) -> None:
        seen = []

        def policy(exchange: Exchange, head: ResponseHead) -> None:
            seen.append(len(head.fields))

        plan = ForwardPlan(on_response=(policy,))
        made = self.sticky.plan(plan)
        self.assertIs(self.sticky.plan(plan), made)
        self.assertIsNot(self.sticky.plan(ForwardPlan(on_response=(policy,))), made)
        self.assertEqual((len(made.on_response), made.on_response[0]), (2, policy))

    def test_plans_that_come_and_go_are_not_kept_for_ever(self) -> None:
        for _ in range(2500):
            self.sticky.plan(ForwardPlan())
        self.assertLessEqual(len(self.sticky._plans), 1000)
