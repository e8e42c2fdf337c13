"""When a discovery looks again, and what becomes of the targets meanwhile."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.discovery.answers import LookupFailed, NoRecords
from apigateway.discovery.findings import Findings
from apigateway.discovery.places import Found, Place
from apigateway.discovery.polling import JITTER, LOOK_S, RETRY_S, Polling
from apigateway.interfaces import IDiscovery

from .test_findings import Place as Target


class PollingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.looks: list[float] = []
        self.result: Any = ("10.0.0.1", 5.0)
        self.changes: list[tuple[str, ...]] = []
        self.findings = Findings("orders", "dns http://orders", self.changed, self.clock.seconds)
        self.polling = Polling(
            self.look, lambda place: Target(place.address), self.findings, self.clock, self.clock.seconds, Random(1),
            1.0, 60.0,
        )  # fmt: skip
        self.addCleanup(self.polling.stop)

    def changed(self) -> None:
        self.changes.append(tuple(target.place for target in self.polling.targets or ()))

    async def look(self) -> Found:
        self.looks.append(self.clock.seconds())
        result = self.result
        if isinstance(result, Deferred):
            result = await result
        if isinstance(result, Exception):
            raise result
        address, ttl_s = result
        return Found((Place("a.b", 80, address),), self.clock.seconds() + ttl_s)

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([0.05] * round(seconds / 0.05))

    def test_it_provides_its_interface(self) -> None:
        verifyObject(IDiscovery, self.polling)

    def test_it_looks_at_once_and_again_when_what_it_found_holds_no_more(self) -> None:
        self.polling.start()
        self.polling.start()
        self.assertEqual((self.looks, self.changes), ([0.0], [("10.0.0.1",)]))
        self.result = ("10.0.0.2", 5.0)
        self.pass_time(4.9)
        self.assertEqual(len(self.looks), 1)
        self.pass_time(5 * JITTER + 0.2)
        self.assertEqual((len(self.looks), self.changes), (2, [("10.0.0.1",), ("10.0.0.2",)]))

    def test_not_all_gateways_look_in_step(self) -> None:
        self.polling.start()
        self.pass_time(500)
        pauses = [later - sooner for sooner, later in zip(self.looks, self.looks[1:], strict=False)]
        self.assertGreater(len({round(pause, 2) for pause in pauses}), 5)
        self.assertTrue(all(5.0 <= pause <= 5.0 * (1 + JITTER) + 0.1 for pause in pauses), pauses)

    def test_there_is_a_shortest_pause(self) -> None:
        self.result = ("10.0.0.1", 0.0)
        self.polling.start()
        self.pass_time(10)
        self.assertLessEqual(len(self.looks), 11)

    def test_after_failures_it_looks_ever_more_slowly_and_the_targets_stay(self) -> None:
        self.polling.start()
        self.result = LookupFailed("no answer")
        self.pass_time(3600)
        pauses = [later - sooner for sooner, later in zip(self.looks[1:], self.looks[2:], strict=False)]
        self.assertTrue(all(0.95 * low <= pause <= 1.2 * low for pause, low in zip(pauses, (1, 2, 4, 8), strict=False)))
        self.assertLessEqual(max(pauses), RETRY_S * (1 + JITTER) + 0.1)
        self.assertEqual(self.changes, [("10.0.0.1",)])
        self.assertEqual(self.findings.error, "no answer")
        self.result = ("10.0.0.2", 5.0)
        self.pass_time(RETRY_S * 1.2)
        self.assertEqual((self.changes[-1], self.findings.error), (("10.0.0.2",), ""))

    def test_where_there_is_nothing_any_more_the_targets_stay_for_a_while(self) -> None:
        self.polling.start()
        self.pass_time(5)
        self.result = NoRecords("there is no name a.b")
        self.pass_time(60)
        self.assertEqual(self.changes, [("10.0.0.1",)])
        self.pass_time(3)
        self.assertEqual(self.changes, [("10.0.0.1",), ()])
        self.assertEqual(self.findings.error, "there is no name a.b")
        self.result = ("10.0.0.2", 5.0)
        self.pass_time(RETRY_S * 1.2)
        self.assertEqual(self.changes[-1], ("10.0.0.2",))

    def test_an_answer_in_between_begins_that_while_anew(self) -> None:
        self.polling.start()
        for _ in range(5):
            self.result = NoRecords("there is no name a.b")
            self.pass_time(40)
            self.result = ("10.0.0.1", 5.0)
            self.pass_time(20)
        self.assertEqual(self.changes, [("10.0.0.1",)])

    def test_that_nobody_knows_says_nothing_of_there_being_nothing(self) -> None:
        self.polling.start()
        self.result = LookupFailed("no answer")
        self.pass_time(3600)
        self.result = NoRecords("there is no name a.b")
        self.pass_time(50)
        self.assertEqual(self.changes, [("10.0.0.1",)])

    def test_where_there_never_was_anything_there_are_no_targets_yet(self) -> None:
        self.result = NoRecords("there is no name a.b")
        self.polling.start()
        self.pass_time(600)
        self.assertIsNone(self.polling.targets)
        self.assertEqual(self.changes, [])

    def test_a_look_that_never_ends_is_given_up(self) -> None:
        self.result = Deferred()
        self.polling.start()
        self.pass_time(LOOK_S + 0.1)
        self.assertEqual(self.findings.error, "no answer within 30 s")
        self.result = ("10.0.0.2", 5.0)
        self.pass_time(RETRY_S)
        self.assertEqual(self.changes, [("10.0.0.2",)])

    def test_once_stopped_it_looks_no_more_and_what_is_under_way_ends(self) -> None:
        ended: list[None] = []
        self.result = Deferred(lambda _: ended.append(None))
        self.polling.start()
        self.polling.stop()
        self.assertEqual(len(ended), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.result = ("10.0.0.1", 5.0)
        self.polling.start()
        self.polling.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(repr(self.polling), "<Polling stopped <Findings orders 1 targets>>")

    def test_a_fault_is_logged_and_does_not_end_it(self) -> None:
        self.result = ZeroDivisionError()
        self.polling.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.result = ("10.0.0.1", 5.0)
        self.pass_time(RETRY_S * 1.2)
        self.assertEqual(self.changes, [("10.0.0.1",)])
