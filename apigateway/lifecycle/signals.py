"""What the signals of the operating system mean to a gateway. Knows the process, and what is done only by name."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.error import ReactorNotRunning

from apigateway.lifecycle.early import TO_STOP


class Stoppable(Protocol):
    """What signals are for."""

    def hurry(self) -> None:
        """Skip what is left of the time to stop."""

    def reload(self, asked_by: str) -> object:
        """Read the configuration again."""


Install = Callable[[int, Any], object]


class Signals:
    """SIGTERM and SIGINT stop the reactor, and a second one hurries the gateway; SIGHUP has it reload.

    Unlike the reactor's own ways these leave the exit status alone: who is told to stop and does so has succeeded.
    `install` is `signal.signal`.
    """

    def __init__(self, reactor: Any, gateway: Stoppable, install: Install = signal.signal) -> None:
        self._reactor = reactor
        self._gateway = gateway
        self._install = install
        self._stopping = False
        self._asked = 0

    def heed_hangup(self) -> None:
        """From now on SIGHUP, which ends a process that says nothing of it, means to reload once the reactor runs."""
        self._on(signal.SIGHUP, lambda: self._gateway.reload("signal"))

    def hold(self) -> None:
        """From now on who asks to stop is heard once the reactor runs: something may be open by then."""
        for number in TO_STOP:
            self._install(number, self._remember)

    def _remember(self, *_: object) -> None:
        self._asked += 1

    def heed(self) -> None:
        """Take over from the reactor. To be called when it runs."""
        self.heed_hangup()
        for number in TO_STOP:
            self._on(number, self._stop)
        for _ in range(self._asked):
            self._reactor.callFromThread(self._stop)
        # Between its start and now the reactor took signals its own way, which would end the process by that signal.
        self._reactor._exitSignal = None
        self._reactor.addSystemEventTrigger("after", "shutdown", self._ignore)

    def _ignore(self) -> None:
        """Python's own end takes a moment, in which a signal would spoil the exit status."""
        for number in (*TO_STOP, signal.SIGHUP):
            self._install(number, signal.SIG_IGN)

    def _on(self, number: int, act: Callable[[], object]) -> None:
        self._install(number, lambda *_: self._reactor.callFromThread(act))

    def _stop(self) -> None:
        if self._stopping:
            self._gateway.hurry()
            return
        self._stopping = True
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            # Something else has stopped it: this is the second one.
            self._gateway.hurry()
