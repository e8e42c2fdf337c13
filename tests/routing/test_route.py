"""One route: what it matches beyond the path, and how an exchange gets past its policies to the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import INTERNAL_ERROR, OVERLOADED, RATE_LIMITED, SERVICE_OVERLOADED, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.routing.route import Route, ambiguous
from apigateway.routing.shedding import Shedding
from apigateway.routing.split import Share, Split
from apigateway.testing.downstream import RecordingDownstream
from apigateway.testing.exchanges import exchange_for, request_head
from apigateway.upstream.service import Service
from apigateway.upstream.steps.plan import ForwardPlan
from apigateway.upstream.steps.terms import Terms
from apigateway.upstream.steps.time_limits import TimeLimits
from tests.routing.scripted import NotingService, route
from tests.upstream.mirror_world import MirrorWorld

NONE: frozenset[str] = frozenset()


def host(name: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"Host", name)]


class MatchingTests(SynchronousTestCase):
    def matches(self, one: Route, *fields: tuple[bytes, bytes]) -> bool:
        return one.matches(request_head("GET", "/", fields))

    def test_a_route_without_wishes_matches_everything(self) -> None:
        self.assertTrue(self.matches(route("r")))

    def test_a_host_matches_whatever_its_spelling_and_port(self) -> None:
        one = route("r", host=b"shop.example")
        for name in (b"shop.example", b"SHOP.example", b"shop.example:8080", b"shop.example \t"):
            self.assertTrue(self.matches(one, (b"Host", name)), name)
        for name in (b"shop.example.com", b"a.shop.example", b"example", b""):
            self.assertFalse(self.matches(one, (b"Host", name)), name)

    def test_the_dot_at_the_end_of_a_host_says_nothing(self) -> None:
        for name in (b"shop.example.", b"SHOP.example.:8000"):
            self.assertTrue(self.matches(route("r", host=b"shop.example"), *host(name)), name)
        self.assertFalse(self.matches(route("r", host=b"shop.example"), *host(b"shop.example..")))

    def test_an_address_of_six_groups_is_a_host_too(self) -> None:
        one = route("r", host=b"[2001:db8::1]")
        for name, expected in ((b"[2001:db8::1]", True), (b"[2001:DB8::1]:80", True), (b"[2001:db8::2]", False)):
            self.assertEqual(self.matches(one, (b"Host", name)), expected, name)

    def test_a_star_stands_for_one_or_more_labels(self) -> None:
        one = route("r", host=b"*.example.com")
        for name, expected in (
            (b"a.example.com", True),
            (b"A.b.example.com:1", True),
            (b"example.com", False),
            (b"aexample.com", False),
        ):
            self.assertEqual(self.matches(one, (b"Host", name)), expected, name)

    def test_the_host_of_the_target_counts_before_the_field(self) -> None:
        head = request_head("GET", "http://shop.example/", host(b"other.example"))
        self.assertTrue(route("r", host=b"shop.example").matches(head))

    def test_without_a_host_no_host_matches(self) -> None:
        head = request_head("GET", "/", minor=0)
        del head.special[b"host"]
        self.assertFalse(route("r", host=b"a").matches(head))

    def test_all_fields_must_be_there_exactly(self) -> None:
        one = route("r", headers=((b"x-a", b"1"), (b"x-b", b"2")))
        self.assertTrue(self.matches(one, (b"X-A", b"1"), (b"x-B", b" 2 ")))
        self.assertFalse(self.matches(one, (b"X-A", b"1")))
        self.assertFalse(self.matches(one, (b"X-A", b"1"), (b"X-B", b"22")))

    def test_host_and_fields_together(self) -> None:
        one = route("r", host=b"a", headers=((b"x-a", b"1"),))
        self.assertTrue(self.matches(one, *host(b"a"), (b"X-A", b"1")))
        self.assertFalse(self.matches(one, *host(b"b"), (b"X-A", b"1")))


class MethodTests(SynchronousTestCase):
    def test_all_methods_unless_some_are_named(self) -> None:
        self.assertTrue(route("r").takes(request_head("PATCH")))
        some = route("r", methods=frozenset((b"GET",)))
        self.assertEqual([some.takes(request_head(method)) for method in ("GET", "POST", "HEAD")], [True, False, False])

    def test_preflights_pass_where_a_policy_answers_them(self) -> None:
        asking = request_head("OPTIONS", "/", [(b"Access-Control-Request-Method", b"PUT")])
        for preflights in (True, False):
            one = route("r", methods=frozenset((b"GET",)), preflights=preflights)
            self.assertEqual((one.takes(asking), one.takes(request_head("OPTIONS"))), (preflights, False))


class PolicyCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[str] = []
        self.service = NotingService("shop")
        self.downstream = RecordingDownstream(lambda: 1.0)

    def policy(self, name: str, verdict: object = None) -> Callable[[Exchange], Any]:
        def ask(exchange: Exchange) -> object:
            self.asked.append(name)
            if isinstance(verdict, Exception):
                raise verdict
            return verdict

        return ask

    def begin(
        self, *policies: Callable[[Exchange], Any], ambiguities: frozenset[str] = NONE, **options: Any
    ) -> Exchange:
        exchange = exchange_for(downstream=self.downstream)
        route("/r", service=self.service, on_request=policies, **options).begin(exchange, ambiguities)
        return exchange

    @property
    def is_forwarded(self) -> bool:
        return bool(self.service.forwarded)


class PolicyTests(PolicyCase):
    def test_the_exchange_knows_its_route_and_service(self) -> None:
        exchange = self.begin()
        self.assertEqual((exchange.route, exchange.service), ("/r", "shop"))

    def test_without_policies_it_goes_to_the_service_with_the_routes_plan(self) -> None:
        plan = ForwardPlan(via=False)
        exchange = self.begin(plan=plan)
        self.assertEqual(self.service.forwarded, [(exchange, plan)])

    def test_policies_are_asked_in_order(self) -> None:
        self.begin(self.policy("a"), self.policy("b"), self.policy("c"))
        self.assertEqual((self.asked, self.is_forwarded), (["a", "b", "c"], True))

    def test_an_answer_ends_it(self) -> None:
        self.begin(self.policy("a"), self.policy("b", Answer(204, [])), self.policy("c"))
        self.assertEqual((self.asked, self.is_forwarded, self.downstream.status), (["a", "b"], False, 204))

    def test_a_refusal_is_left_to_the_caller(self) -> None:
        with self.assertRaises(GatewayError):
            self.begin(self.policy("a", GatewayError(RATE_LIMITED)))
        self.assertFalse(self.is_forwarded)

    def test_a_policy_may_think(self) -> None:
        thought: Deferred[None] = Deferred()
        self.begin(self.policy("a", thought), self.policy("b"))
        self.assertEqual((self.asked, self.is_forwarded), (["a"], False))
        thought.callback(None)
        self.assertEqual((self.asked, self.is_forwarded), (["a", "b"], True))

    def test_several_may(self) -> None:
        self.begin(self.policy("a", succeed(None)), self.policy("b", succeed(None)), self.policy("c"))
        self.assertEqual((self.asked, self.is_forwarded), (["a", "b", "c"], True))

    def test_and_answer_then(self) -> None:
        self.begin(self.policy("a", succeed(Answer(204, []))), self.policy("b"))
        self.assertEqual((self.asked, self.is_forwarded, self.downstream.status), (["a"], False, 204))

    def test_or_refuse(self) -> None:
        for policies in (
            (self.policy("a", fail(GatewayError(RATE_LIMITED))),),
            (self.policy("a", succeed(None)), self.policy("b", GatewayError(RATE_LIMITED))),
        ):
            self.downstream = RecordingDownstream(lambda: 1.0)
            exchange = self.begin(*policies)
            self.assertEqual((self.downstream.status, exchange.cause, self.is_forwarded), (429, RATE_LIMITED, False))

    def test_or_fail_unforeseen_which_costs_this_exchange_only(self) -> None:
        self.begin(self.policy("a", fail(ZeroDivisionError())))
        self.assertEqual((self.downstream.status, self.is_forwarded), (500, False))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_client_that_goes_meanwhile_gets_nothing_and_costs_nothing(self) -> None:
        for verdict in (None, Answer(204, []), GatewayError(RATE_LIMITED), ZeroDivisionError()):
            for now in (0.0, 1.0):
                self.downstream = RecordingDownstream(lambda now=now: now)  # type: ignore[misc]  # a default binds the loop's value
                thought: Deferred[Any] = Deferred()
                self.begin(self.policy("a", thought), self.policy("b"))
                self.downstream.leave()
                (thought.errback if isinstance(verdict, Exception) else thought.callback)(verdict)  # type: ignore[arg-type]  # one of the two
                self.assertEqual((self.downstream.status, self.is_forwarded), (0, False))
        self.assertNotIn("b", self.asked)
        self.assertEqual(self.flushLoggedErrors(), [])


class ThinkingTests(PolicyCase):
    def test_who_thinks_counts_as_at_work_for_the_service_until_it_has_decided(self) -> None:
        thought: Deferred[None] = Deferred()
        self.begin(self.policy("a", thought))
        self.assertEqual(len(self.service.bulkhead.active), 1)
        thought.callback(None)
        self.assertEqual((self.service.bulkhead.active, self.is_forwarded), (set(), True))

    def test_who_thinks_longer_than_the_service_may_take_fails_and_is_told_to_stop(self) -> None:
        cancelled: list[object] = []
        exchange = self.begin(self.policy("a", Deferred(cancelled.append)))
        (one,) = self.service.bulkhead.active
        self.assertEqual(one.deadline, 30.0)
        one.expired()
        self.assertEqual((self.downstream.status, exchange.cause), (500, INTERNAL_ERROR))
        self.assertEqual((len(cancelled), self.service.bulkhead.active), (1, set()))
        self.assertEqual(len(self.flushLoggedErrors(TimeoutError)), 1)

    def test_a_route_with_time_limits_of_its_own_has_them_for_thinking_too(self) -> None:
        own = Terms(TimeLimits(connection=5.0, response=90.0, idle=60.0))
        self.begin(self.policy("a", Deferred()), plan=ForwardPlan(terms=own))
        (one,) = self.service.bulkhead.active
        self.assertEqual(one.deadline, 90.0)

    def test_nobody_begins_to_think_for_a_service_that_is_full(self) -> None:
        self.service.is_full = True
        cancelled: list[object] = []
        with self.assertRaises(GatewayError) as caught:
            self.begin(self.policy("a", Deferred(cancelled.append)))
        self.assertEqual((caught.exception.cause, len(cancelled)), (SERVICE_OVERLOADED, 1))
        self.assertEqual(self.service.bulkhead.active, set())


class SheddingTests(PolicyCase):
    def test_what_is_shed_is_refused_before_any_policy_is_asked_and_counts_for_its_service(self) -> None:
        shedding = Shedding(everyone=(1, 2))
        shedding.limit(2, None)
        exchange = exchange_for()
        mark = (lambda exchange: exchange.extra.append((b"X-A", b"1")),)
        one = route("/r", service=self.service, on_request=(self.policy("a"),), shedding=shedding, on_refusal=mark)
        with self.assertRaises(GatewayError) as caught:
            one.begin(exchange, NONE)
        self.assertEqual(exchange.extra, [(b"X-A", b"1")], "its answer carries what all of the route's do")
        self.assertEqual((caught.exception.cause, self.asked, exchange.service), (OVERLOADED, [], "shop"))

    def test_where_there_is_room_and_time_it_is_let_in(self) -> None:
        shedding = Shedding(everyone=(1,))
        shedding.limit(2, 0.1)
        self.begin(shedding=shedding)
        self.assertTrue(self.is_forwarded)


class TrafficTests(PolicyCase):
    def setUp(self) -> None:
        super().setUp()
        self.other = NotingService("other")
        other, shop = cast(Service, self.other), cast(Service, self.service)
        self.split = Split(shop, (), [Share(other, 0.5)], lambda exchange: self.place, ForwardPlan(via=False))
        self.place = 0.1

    def test_policies_come_before_the_choice_of_the_service(self) -> None:
        with self.assertRaises(GatewayError):
            self.begin(self.policy("a", GatewayError(RATE_LIMITED)), split=self.split)
        self.assertEqual((self.other.forwarded, self.service.forwarded), ([], []))
        exchange = self.begin(self.policy("a"), split=self.split)
        self.assertEqual(self.other.forwarded, [(exchange, ForwardPlan(via=False))])

    def test_what_no_rule_takes_goes_to_the_routes_own_service(self) -> None:
        self.place = 0.6
        self.begin(split=self.split)
        self.assertTrue(self.is_forwarded)

    def test_a_policy_that_thinks_is_at_work_for_the_routes_own_service(self) -> None:
        thought: Deferred[None] = Deferred()
        self.begin(self.policy("a", thought), split=self.split)
        self.assertEqual((len(self.service.bulkhead.active), len(self.other.bulkhead.active)), (1, 0))
        thought.callback(None)
        self.assertEqual(len(self.other.forwarded), 1)

    def test_requests_are_sent_again_wherever_they_were_answered(self) -> None:
        world = MirrorWorld()
        for self.place in (0.1, 0.6):
            self.begin(split=self.split, mirrors=(world.mirror,))
        self.assertEqual((len(self.other.forwarded), len(self.service.forwarded), world.counts.sent), (1, 1, 2))

    def test_but_not_what_a_policy_has_refused(self) -> None:
        world = MirrorWorld()
        self.begin(self.policy("a", Answer(204, [])), mirrors=(world.mirror,))
        self.assertEqual(world.counts.sent, 0)


class AmbiguityTests(PolicyCase):
    def test_a_path_that_could_mean_two_things_is_refused_before_any_policy(self) -> None:
        with self.assertRaises(GatewayError) as caught:
            self.begin(self.policy("a"), ambiguities=frozenset(("dot-segments",)))
        self.assertEqual((caught.exception.cause.code, self.asked), ("ambiguous-path", []))

    def test_the_refusal_carries_what_every_answer_of_the_route_does(self) -> None:
        exchange = exchange_for()
        one = route("/r", on_refusal=(lambda exchange: exchange.extra.append((b"X-A", b"1")),))
        with self.assertRaises(GatewayError):
            one.begin(exchange, frozenset(("dot-segments",)))
        self.assertEqual(exchange.extra, [(b"X-A", b"1")])
        one.begin(again := exchange_for(), NONE)
        self.assertEqual(again.extra, [], "which the policies themselves see to otherwise")

    def test_unless_the_route_allows_all_of_its_ways(self) -> None:
        allowed = frozenset(("encoded-slash", "backslash"))
        self.begin(ambiguities=frozenset(("encoded-slash",)), allow_paths=allowed)
        self.assertTrue(self.is_forwarded)
        with self.assertRaises(GatewayError):
            self.begin(ambiguities=frozenset(("encoded-slash", "control")), allow_paths=allowed)

    def test_the_refusal_names_the_ways(self) -> None:
        self.assertEqual(ambiguous(frozenset(("b", "a"))).detail, "The path holds: a, b.")
