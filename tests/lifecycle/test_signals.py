"""What each signal does, the first time and again."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.trial.unittest import SynchronousTestCase

from apigateway.lifecycle.signals import Signals


class Process:
    """A reactor and a gateway that note what they are told, and the ways of a process to take signals."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.ways: dict[int, Callable[..., None]] = {}
        self.calls: list[Callable[[], object]] = []
        self.is_over = False

    # The reactor.

    def callFromThread(self, call: Callable[[], object]) -> None:
        self.calls.append(call)

    def stop(self) -> None:
        if self.is_over:
            raise ReactorNotRunning
        self.said.append("stop")

    def addSystemEventTrigger(self, phase: str, event: str, call: Callable[[], object]) -> None:
        assert (phase, event) == ("after", "shutdown")
        self.at_the_end = call

    # The gateway.

    def hurry(self) -> None:
        self.said.append("hurry")

    def reload(self, asked_by: str) -> None:
        self.said.append(f"reload by {asked_by}")

    # The process.

    def install(self, number: int, way: Callable[..., None]) -> None:
        self.ways[number] = way

    def gets(self, *numbers: int) -> list[str]:
        """The signals arrive, and the reactor comes round."""
        for number in numbers:
            self.ways[number](number, None)
        assert not self.said, "nothing may be done in the middle of something else"
        for call in self.calls:
            call()
        return self.said


class SignalsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.process: Any = Process()
        self.signals = Signals(self.process, self.process, self.process.install)
        self.signals.heed()

    def test_what_came_before_the_reactor_ran_is_not_lost(self) -> None:
        for count, expected in ((0, []), (1, ["stop"]), (3, ["stop", "hurry", "hurry"])):
            process: Any = Process()
            process._exitSignal = 15  # the reactor takes note of a signal that it has seen itself
            signals = Signals(process, process, process.install)
            signals.hold()
            for _ in range(count):
                process.ways[signal.SIGTERM](signal.SIGTERM, None)
            signals.heed()
            self.assertEqual((process.gets(), process._exitSignal), (expected, None))

    def test_both_ways_to_stop_stop(self) -> None:
        self.assertEqual(self.process.gets(signal.SIGTERM), ["stop"])

    def test_an_interrupt_is_the_same(self) -> None:
        self.assertEqual(self.process.gets(signal.SIGINT), ["stop"])

    def test_a_second_one_hurries_whichever_it_is(self) -> None:
        self.assertEqual(self.process.gets(signal.SIGTERM, signal.SIGINT), ["stop", "hurry"])

    def test_where_something_else_has_stopped_the_reactor_the_first_hurries(self) -> None:
        self.process.is_over = True
        self.assertEqual(self.process.gets(signal.SIGTERM), ["hurry"])

    def test_a_hangup_reloads_as_often_as_it_comes(self) -> None:
        self.assertEqual(self.process.gets(signal.SIGHUP, signal.SIGHUP), ["reload by signal"] * 2)

    def test_when_the_reactor_is_over_no_signal_does_anything_more(self) -> None:
        self.process.at_the_end()
        ignored = dict.fromkeys((signal.SIGTERM, signal.SIGINT, signal.SIGHUP), signal.SIG_IGN)
        self.assertEqual(self.process.ways, ignored)

    def test_before_the_reactor_runs_only_the_hangup_is_taken(self) -> None:
        process: Any = Process()
        Signals(process, process, process.install).heed_hangup()
        self.assertEqual(list(process.ways), [signal.SIGHUP])
