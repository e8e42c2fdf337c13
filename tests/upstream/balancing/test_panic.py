"""The time in which no target is well."""

from __future__ import annotations

from typing import Any

from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.balancing.panic import Panic


class PanicTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[dict[str, Any]] = []
        observer: ILogObserver = self.events.append  # type: ignore[assignment]  # a callable is one, says its interface
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def test_its_begin_and_its_end_are_told_once_each(self) -> None:
        panic = Panic("shop")
        lasts = []
        for now, is_so in enumerate((False, True, True, True, False, False)):
            panic.tick(is_so, float(now))
            lasts.append(panic.lasts)
        self.assertEqual(lasts, [False, True, True, True, False, False])
        told = [(event["event"], event["service"], event.get("seconds")) for event in self.events if "event" in event]
        self.assertEqual(told, [("panic-began", "shop", None), ("panic-ended", "shop", 3.0)])

    def test_repr_tells_whether_it_lasts(self) -> None:
        panic = Panic("shop")
        self.assertEqual(repr(panic), "<Panic shop none>")
        panic.tick(True, 0.0)
        self.assertEqual(repr(panic), "<Panic shop lasts>")
