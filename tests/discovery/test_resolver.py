"""Names of targets: looked up without waiting where they are known, and looked up again in time."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor as global_reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from apigateway.discovery.resolver import LOOKUP_S, Resolver, reactor_lookup
from apigateway.errors import NAME_NOT_RESOLVED, GatewayError

OLD, NEW = ("10.0.0.1", "10.0.0.2"), ("10.0.0.3",)


class ResolverCase(SynchronousTestCase):
    """A resolver on a clock; each look-up is in `looked_up`, to be answered by the test."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.looked_up: list[tuple[str, Deferred[tuple[str, ...]]]] = []
        self.events: list[dict[str, Any]] = []
        self.resolver = Resolver(self.look_up, self.clock.seconds, ttl_s=30.0, max_names=3)
        observer: ILogObserver = self.events.append  # type: ignore[assignment]  # a callable is one, says its interface
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def look_up(self, host: str) -> Deferred[tuple[str, ...]]:
        found: Deferred[tuple[str, ...]] = Deferred()
        self.looked_up.append((host, found))
        return found

    def ask(self, host: str = "orders") -> tuple[str, ...]:
        """The answer that is there at once."""
        answer = self.resolver.resolve(host)
        assert isinstance(answer, tuple), f"{host} has to be looked up"
        return answer

    def wait(self, host: str = "orders") -> Deferred[tuple[str, ...]]:
        """The answer that has to be waited for."""
        answer = self.resolver.resolve(host)
        assert isinstance(answer, Deferred), f"{host} is known"
        return answer

    def found(self, addresses: tuple[str, ...]) -> None:
        """The oldest look-up is answered."""
        self.looked_up.pop(0)[1].callback(addresses)

    def not_found(self) -> None:
        self.looked_up.pop(0)[1].errback(OSError("no such name"))

    def know(self, host: str = "orders", addresses: tuple[str, ...] = OLD) -> None:
        self.wait(host)
        self.found(addresses)

    def is_unresolved(self, answer: Deferred[tuple[str, ...]]) -> None:
        error = self.failureResultOf(answer, GatewayError).value
        self.assertIs(error.cause, NAME_NOT_RESOLVED)


class KnownNamesTests(ResolverCase):
    def test_addresses_are_their_own_answer(self) -> None:
        for address in ("127.0.0.1", "::1", "2001:db8::7", "fe80::1%eth0"):
            self.assertEqual(self.ask(address), (address,))
        self.assertEqual(self.looked_up, [])

    def test_a_new_name_is_looked_up(self) -> None:
        answer = self.wait()
        self.assertNoResult(answer)
        self.found(OLD)
        self.assertEqual(self.successResultOf(answer), OLD)

    def test_a_known_name_is_answered_at_once(self) -> None:
        self.know()
        self.clock.advance(29.9)
        self.assertEqual(self.ask(), OLD)
        self.assertEqual(self.looked_up, [])

    def test_all_addresses_are_given_in_the_order_of_the_look_up(self) -> None:
        self.know(addresses=("::1", "127.0.0.1"))
        self.assertEqual(self.ask(), ("::1", "127.0.0.1"))

    def test_look_ups_of_one_name_at_one_time_are_one(self) -> None:
        answers = [self.wait() for _ in range(3)]
        self.assertEqual(len(self.looked_up), 1)
        self.found(OLD)
        self.assertEqual([self.successResultOf(answer) for answer in answers], [OLD] * 3)

    def test_look_ups_of_several_names_go_side_by_side(self) -> None:
        self.wait("orders")
        self.wait("users")
        self.assertEqual([host for host, _ in self.looked_up], ["orders", "users"])
        self.assertEqual(repr(self.resolver), "<Resolver 0 names, 2 look-ups under way, 2 waiting>")

    def test_a_look_up_that_is_never_answered_does_not_keep_the_name_from_being_found(self) -> None:
        first = self.wait()
        self.clock.advance(29.9)
        self.wait()
        self.assertEqual(len(self.looked_up), 1)
        self.clock.advance(0.2)
        last = self.wait()
        self.assertEqual(len(self.looked_up), 2)
        self.looked_up[1][1].callback(NEW)
        self.assertEqual((self.successResultOf(first), self.successResultOf(last)), (NEW, NEW))
        self.looked_up[0][1].callback(OLD)
        self.assertEqual(repr(self.resolver), "<Resolver 1 names, 0 look-ups under way, 0 waiting>")

    def test_those_who_gave_up_on_a_slow_look_up_are_forgotten(self) -> None:
        for _ in range(1000):
            waiting = self.wait()
            waiting.addErrback(lambda failure: failure.trap(CancelledError))
            waiting.cancel()
        last = self.wait()
        self.assertEqual(repr(self.resolver), "<Resolver 0 names, 1 look-ups under way, 1 waiting>")
        self.looked_up[0][1].callback(OLD)
        self.assertEqual(self.successResultOf(last), OLD)

    def test_whoever_no_longer_waits_does_not_disturb_the_others(self) -> None:
        first, second = self.wait(), self.wait()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.found(OLD)
        self.assertEqual(self.successResultOf(second), OLD)

    def test_one_who_stops_another_from_waiting_when_answered_is_borne(self) -> None:
        first, second, third = self.wait(), self.wait(), self.wait()
        first.addCallback(lambda _: second.cancel())
        self.found(OLD)
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.successResultOf(third), OLD)

    def test_a_look_up_that_answers_at_once_is_fine(self) -> None:
        resolver = Resolver(lambda host: succeed(OLD), self.clock.seconds)
        answer = resolver.resolve("orders")
        assert isinstance(answer, Deferred)
        self.assertEqual(self.successResultOf(answer), OLD)

    def test_no_more_names_are_remembered_than_allowed(self) -> None:
        for host in ("one", "two", "three", "four"):
            self.know(host)
        self.assertEqual(repr(self.resolver), "<Resolver 3 names, 0 look-ups under way, 0 waiting>")
        self.assertEqual([self.ask(host) for host in ("two", "three", "four")], [OLD] * 3)
        self.assertNoResult(self.wait("one"))

    def test_looking_up_a_name_again_makes_no_other_forgotten(self) -> None:
        for host in ("one", "two", "three"):
            self.know(host)
        self.clock.advance(30.0)
        self.ask("two")
        self.found(NEW)
        self.assertEqual([self.ask(host) for host in ("one", "two", "three")], [OLD, NEW, OLD])


class ChangingNamesTests(ResolverCase):
    def setUp(self) -> None:
        super().setUp()
        self.know()

    def test_the_old_answer_serves_while_the_name_is_looked_up_again(self) -> None:
        self.clock.advance(30.0)
        self.assertEqual([self.ask(), self.ask()], [OLD, OLD])
        self.assertEqual(len(self.looked_up), 1)
        self.found(NEW)
        self.assertEqual(self.ask(), NEW)

    def test_it_serves_even_when_that_takes_long(self) -> None:
        self.clock.advance(30.0)
        self.ask()
        self.clock.advance(269.0)
        self.assertEqual(self.ask(), OLD)
        self.clock.advance(1.0)
        self.assertNoResult(self.wait())

    def test_a_name_that_nobody_asked_for_is_looked_up_first(self) -> None:
        self.clock.advance(60.0)
        answer = self.wait()
        self.found(NEW)
        self.assertEqual(self.successResultOf(answer), NEW)

    def test_a_new_answer_is_good_for_its_own_time(self) -> None:
        self.clock.advance(30.0)
        self.ask()
        self.clock.advance(5.0)
        self.found(NEW)
        self.clock.advance(29.0)
        self.assertEqual(self.ask(), NEW)
        self.assertEqual(self.looked_up, [])


class FailedLookUpsTests(ResolverCase):
    def test_a_name_that_cannot_be_resolved_is_an_error_with_its_cause(self) -> None:
        answer = self.wait()
        self.not_found()
        self.is_unresolved(answer)

    def test_a_name_without_addresses_is_one_too(self) -> None:
        answer = self.wait()
        self.found(())
        self.is_unresolved(answer)
        self.clock.advance(1.0)
        self.assertNoResult(self.wait())

    def test_the_answer_to_the_client_does_not_tell_the_name(self) -> None:
        answer = self.wait("secret-host")
        self.not_found()
        self.assertNotIn("secret-host", self.failureResultOf(answer, GatewayError).value.detail)

    def test_it_is_not_looked_up_again_within_a_second(self) -> None:
        self.wait().addErrback(lambda _: None)
        self.not_found()
        self.clock.advance(0.9)
        self.is_unresolved(self.wait())
        self.assertEqual(self.looked_up, [])

    def test_after_a_second_it_is(self) -> None:
        self.wait().addErrback(lambda _: None)
        self.not_found()
        self.clock.advance(1.0)
        answer = self.wait()
        self.found(NEW)
        self.assertEqual(self.successResultOf(answer), NEW)
        self.assertEqual(self.ask(), NEW)

    def test_the_last_good_answer_serves_while_look_ups_fail(self) -> None:
        self.know()
        self.clock.advance(30.0)
        for _ in range(200):
            self.assertEqual(self.ask(), OLD)
            if self.looked_up:
                self.not_found()
            self.clock.advance(1.0)

    def test_it_serves_those_who_waited_for_the_failed_look_up_too(self) -> None:
        self.know()
        self.clock.advance(60.0)
        answer = self.wait()
        self.not_found()
        self.assertEqual(self.successResultOf(answer), OLD)

    def test_it_is_let_go_after_ten_times_its_time_to_live(self) -> None:
        self.know()
        self.clock.advance(300.0)
        answer = self.wait()
        self.not_found()
        self.is_unresolved(answer)

    def test_failures_do_not_prolong_that(self) -> None:
        self.know()
        self.clock.advance(299.0)
        self.wait()
        self.not_found()
        self.assertEqual(self.ask(), OLD)
        self.clock.advance(1.0)
        self.assertNoResult(self.wait())

    def test_a_failing_name_is_logged_once_until_it_recovers(self) -> None:
        for _ in range(3):
            self.wait().addErrback(lambda _: None)
            self.not_found()
            self.clock.advance(1.0)
        told = [(event["event"], event["host"], event["reason"]) for event in self.events]
        self.assertEqual(told, [("name-not-resolved", "orders", "no such name")])
        self.know()
        self.clock.advance(30.0)
        self.ask()
        self.not_found()
        self.assertEqual(len(self.events), 2)

    def test_a_look_up_that_raises_is_a_failed_one(self) -> None:
        def raises(host: str) -> Deferred[tuple[str, ...]]:
            raise OSError("no resolver")

        answer = Resolver(raises, self.clock.seconds).resolve("orders")
        assert isinstance(answer, Deferred)
        self.is_unresolved(answer)


class AnyOrderTests(ResolverCase):
    @settings(deadline=None)
    @given(st.lists(st.sampled_from((0.5, 1.0, 10.0, 31.0, 61.0, 150.0, "found", "not found")), max_size=40))
    def test_no_answer_is_older_than_ten_times_its_time_to_live(self, events: list[float | str]) -> None:
        self.clock, self.looked_up = Clock(), []
        self.resolver = Resolver(self.look_up, self.clock.seconds, ttl_s=30.0)
        for event in events:
            if isinstance(event, float):
                self.clock.advance(event)
            elif self.looked_up:
                # The address is the time at which it was true.
                self.found((str(self.clock.seconds()),)) if event == "found" else self.not_found()
            answer = self.resolver.resolve("orders")
            if isinstance(answer, Deferred):
                answer.addErrback(lambda failure: failure.trap(GatewayError) and None)
            else:
                self.assertLess(self.clock.seconds() - float(answer[0]), 301.0)
            self.assertLessEqual(len(self.looked_up), 1 + self.clock.seconds() // LOOKUP_S)


@implementer(IHostResolution)
class Resolution:
    """A look-up of `ScriptedNames`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """Nothing is ever under way."""


@implementer(IHostnameResolver)
class ScriptedNames:
    """A name resolver in the place of a reactor's, which answers at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        self.asked.append(hostName)
        for address in (
            IPv6Address("TCP", "2001:db8::1", 0),
            IPv4Address("TCP", "10.0.0.1", 0),
            IPv4Address("TCP", "10.0.0.1", 0),
        ):
            resolutionReceiver.addressResolved(address)
        resolutionReceiver.resolutionComplete()
        return resolution


class ReactorLookUpTests(SynchronousTestCase):
    def test_it_gives_both_kinds_of_addresses_once_each_in_order(self) -> None:
        reactor: Any = Clock()
        reactor.nameResolver = names = ScriptedNames()
        found = reactor_lookup(reactor)("orders")
        self.assertEqual(self.successResultOf(found), ("2001:db8::1", "10.0.0.1"))
        self.assertEqual(names.asked, ["orders"])


class SystemLookUpTests(TestCase):
    async def test_localhost_has_its_ipv4_address(self) -> None:
        reactor: Any = global_reactor
        resolver = Resolver(reactor_lookup(reactor), reactor.seconds)
        answer = resolver.resolve("localhost")
        assert isinstance(answer, Deferred)
        self.assertIn("127.0.0.1", await answer)
