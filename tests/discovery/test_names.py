"""What is remembered of names."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from apigateway.discovery.answers import AAAA, SRV, A, LookupFailed, NoRecords
from apigateway.discovery.names import Known, Names

from .names import Zone


class NamesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.zone = Zone()
        self.names = Names(self.zone.ask, self.clock.seconds, 2.0, 60.0, most=3)

    def look(self, name: str = "a.b", kind: int = A) -> Known:
        return self.successResultOf(Deferred.fromCoroutine(self.names.look(name, kind)))

    def error(self, name: str = "a.b") -> BaseException:
        failure: Any = self.failureResultOf(Deferred.fromCoroutine(self.names.look(name, A)))
        error: BaseException = failure.value
        return error

    def test_a_name_is_asked_for_again_when_its_answer_holds_no_more(self) -> None:
        self.zone.has("a.b", "A", "10.0.0.1", ttl=10)
        self.assertEqual(self.look(), Known(("10.0.0.1",), 10.0))
        self.zone.has("a.b", "A", "10.0.0.2", ttl=10)
        self.clock.advance(9.9)
        self.assertEqual(self.look().records, ("10.0.0.1",))
        self.clock.advance(0.2)
        self.assertEqual(self.look().records, ("10.0.0.2",))
        self.assertEqual(len(self.zone.asked), 2)

    def test_times_have_a_floor_and_a_ceiling(self) -> None:
        for ttl, until in ((0, 2.0), (3600, 60.0)):
            self.zone.has(f"{ttl}.b", "A", "10.0.0.1", ttl=ttl)
            self.assertEqual(self.look(f"{ttl}.b").until, until)

    def test_the_last_answer_serves_while_nobody_answers(self) -> None:
        self.zone.has("a.b", "A", "10.0.0.1", ttl=10)
        self.look()
        self.zone.errors["a.b"] = dns.ESERVER
        self.clock.advance(1000)
        self.assertEqual(self.look(), Known(("10.0.0.1",), 1002.0, "says SERVFAIL"))
        self.assertEqual(self.look().error, "says SERVFAIL", "it is asked for each time")
        del self.zone.errors["a.b"]
        self.assertEqual(self.look().error, "")

    def test_where_nothing_is_known_the_failure_is_told(self) -> None:
        self.zone.silent.add("a.b")
        self.assertNotIsInstance(self.error(), NoRecords)
        self.assertIsInstance(self.error(), LookupFailed)

    def test_a_name_that_is_no_more_is_forgotten(self) -> None:
        self.zone.has("a.b", "A", "10.0.0.1", ttl=10)
        self.look()
        self.zone.lacks("a.b")
        self.clock.advance(11)
        self.assertIsInstance(self.error(), NoRecords)
        self.zone.silent.add("a.b")
        self.assertNotIsInstance(self.error(), NoRecords)

    def test_addresses_that_come_along_are_not_asked_for(self) -> None:
        self.zone.has("s.b", "SRV", (0, 0, 80, "a.b"))
        self.zone.more["s.b"] = [("a.b", "A", "10.0.0.1", 10), ("a.b", "AAAA", "::1", 10)]
        self.look("s.b", SRV)
        self.assertEqual((self.look().records, self.look("a.b", AAAA).records), (("10.0.0.1",), ("::1",)))
        self.assertEqual(self.zone.asked, [("s.b", SRV)])

    def test_the_one_that_was_asked_for_longest_ago_is_forgotten_where_there_are_too_many(self) -> None:
        for name in ("a.b", "c.d", "e.f"):
            self.zone.has(name, "A", "10.0.0.1")
            self.look(name)
        self.look("a.b")
        self.zone.has("g.h", "A", "10.0.0.1")
        self.look("g.h")
        self.assertEqual(repr(self.names), "<Names 3 known>")
        asked = len(self.zone.asked)
        self.look("a.b")
        self.assertEqual(len(self.zone.asked), asked)
        self.look("c.d")
        self.assertEqual(len(self.zone.asked), asked + 1)

    @settings(deadline=None, max_examples=50)
    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 100), st.booleans()), max_size=40))
    def test_there_are_never_too_many_and_none_is_used_beyond_its_time(
        self, steps: list[tuple[int, int, bool]]
    ) -> None:
        clock, zone = Clock(), Zone()
        names = Names(zone.ask, clock.seconds, 2.0, 60.0, most=3)
        for number, ttl, is_silent in steps:
            name = f"{number}.b"
            zone.silent = {name} if is_silent else set()
            zone.has(name, "A", f"10.0.0.{ttl + 1}", ttl=ttl)
            found: Any = []
            Deferred.fromCoroutine(names.look(name, A)).addBoth(found.append)
            if isinstance(found[0], Known) and not found[0].error:
                self.assertLess(clock.seconds(), found[0].until)
                self.assertLessEqual(found[0].until, clock.seconds() + 60.0)
            self.assertLessEqual(len(names._known), 3)
            clock.advance(ttl / 3)
