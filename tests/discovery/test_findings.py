"""What a discovery has found, and what it tells of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from apigateway.discovery.findings import SHOWN, Findings


@dataclass(frozen=True)
class Place:
    """A target, as far as that matters here."""

    place: str
    weight: int = 1


A, B, C = Place("http://a"), Place("http://b"), Place("http://c")


class FindingsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.changes = 0
        self.findings = Findings("orders", "dns http://orders", self.count, self.clock.seconds)
        self.events: list[Any] = []
        observer: ILogObserver = self.events.append  # type: ignore[assignment]  # a callable is one, says its interface
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def count(self) -> None:
        self.changes += 1

    def told(self) -> list[str]:
        return [event["event"] for event in self.events if "event" in event]

    def test_a_change_is_told_with_what_came_and_what_left(self) -> None:
        self.findings.found([A, B])
        self.clock.advance(5)
        self.findings.found([B, C])
        self.assertEqual((self.findings.targets, self.changes), ((B, C), 2))
        self.assertEqual(self.told(), ["targets-changed", "targets-changed"])
        last = self.events[-1]
        self.assertEqual((last["service"], last["count"]), ("orders", 2))
        self.assertEqual((last["added"], last["removed"]), (["http://c"], ["http://a"]))

    def test_the_same_again_is_no_change_and_another_weight_is_one(self) -> None:
        self.findings.found([A])
        self.findings.found([A])
        self.assertEqual(self.changes, 1)
        self.findings.found([Place("http://a", 2)])
        self.assertEqual(self.changes, 2)

    def test_a_failure_leaves_the_targets_and_is_told_once_until_it_is_over(self) -> None:
        self.findings.found([A])
        for reason in ("no answer", "SERVFAIL", "no answer"):
            self.clock.advance(2)
            self.findings.failed(reason)
        self.assertEqual((self.findings.targets, self.changes), ((A,), 1))
        self.assertEqual(self.told(), ["targets-changed", "discovery-failed"])
        self.assertEqual((self.events[-1]["reason"], self.events[-1]["stay"]), ("no answer", "its last 1 targets stay"))
        self.clock.advance(2)
        self.assertEqual(self.findings.describe()["failing_for_s"], 6)
        self.findings.found([A])
        self.assertEqual(self.told()[2:], ["discovery-recovered"])
        self.assertEqual(self.events[-1]["after_s"], 6)
        self.findings.failed("no answer")
        self.assertEqual(self.told()[3:], ["discovery-failed"])

    def test_a_failure_that_is_news_is_told_each_time(self) -> None:
        self.findings.failed("line 1", is_news=True)
        self.findings.failed("line 2", is_news=True)
        self.findings.failed("line 2", is_news=True)
        self.assertEqual([event["reason"] for event in self.events if "event" in event], ["line 1", "line 2"])

    def test_targets_may_be_found_though_not_all_is_well(self) -> None:
        self.findings.found([A], "SERVFAIL")
        self.assertEqual((self.findings.targets, self.findings.error), ((A,), "SERVFAIL"))
        self.assertEqual(self.told(), ["discovery-failed", "targets-changed"])
        self.findings.found([A], "SERVFAIL")
        self.assertEqual(len(self.told()), 2)

    def test_only_some_of_many_are_named(self) -> None:
        self.findings.found([Place(f"http://{number}") for number in range(100)])
        self.assertEqual((len(self.events[-1]["added"]), self.events[-1]["came"]), (SHOWN, 100))

    def test_its_state_is_told_in_values(self) -> None:
        self.assertEqual(
            self.findings.describe(),
            {"by": "dns http://orders", "targets": 0, "changed_ago_s": None, "failing_for_s": None, "error": None},
        )
        self.findings.found([A])
        self.clock.advance(3)
        self.findings.failed("why")
        self.assertEqual(
            self.findings.describe(),
            {"by": "dns http://orders", "targets": 1, "changed_ago_s": 3, "failing_for_s": 0, "error": "why"},
        )
        self.assertEqual(repr(self.findings), "<Findings orders 1 targets failing>")
