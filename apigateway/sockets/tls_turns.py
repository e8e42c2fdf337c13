"""Handshakes take turns: each costs as much as dozens of exchanges, and a storm of them must not stop these.

Knows only that there are steps to be done, and what time it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

MOST_S = 0.004
"""So long handshakes may take in one turn of the event loop: the others wait for the next, behind all exchanges."""

_log = Logger(namespace="apigateway.sockets")


class Turns:
    """Does steps, at once where this turn's time is not used up, else in order in later ones. `now` is in seconds."""

    def __init__(self, clock: IReactorTime, now: Callable[[], float]) -> None:
        self._clock = clock
        self._now = now
        self._spent = 0.0
        self._waiting: deque[Callable[[], None]] = deque()
        self._has_next = False

    def __repr__(self) -> str:
        return f"<Turns waiting={len(self._waiting)}>"

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def ask(self, step: Callable[[], None]) -> None:
        """Do a step, now or later."""
        if self._waiting or self._spent >= MOST_S:
            self._waiting.append(step)
        else:
            self._do(step)

    def _do(self, step: Callable[[], None]) -> None:
        began = self._now()
        try:
            step()
        finally:
            self._spent += self._now() - began
            # What is left of the time lasts for later turns as well: that spares most of them this call.
            if self._spent >= MOST_S and not self._has_next:
                self._has_next = True
                self._clock.callLater(0, self._turn)

    def _turn(self) -> None:
        self._has_next = False
        self._spent = 0.0
        while self._waiting and self._spent < MOST_S:
            try:
                self._do(self._waiting.popleft())
            except Exception:
                _log.failure("a handshake failed unforeseen")
