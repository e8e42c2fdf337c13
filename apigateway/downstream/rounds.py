"""What has had its share of the present turn of the event loop, and goes on in the next, after all others.

A client that pipelines can have thousands of answers that cost nobody else any waiting; they must not come in one go.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

AT_ONCE = 2
"""So many pipelined requests are answered before other connections have their turn."""

_log = Logger(namespace="apigateway.downstream")


class Rounds:
    """Calls in the next turn of the loop what was put off in this one, in that order."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: list[Callable[[], object]] = []

    def __repr__(self) -> str:
        return f"<Rounds waiting={len(self._waiting)}>"

    def next(self, go_on: Callable[[], object]) -> None:
        """Call it in the next turn."""
        if not self._waiting:
            self._clock.callLater(0, self._turn)
        self._waiting.append(go_on)

    def _turn(self) -> None:
        """A failure in one must not keep the others waiting for ever."""
        waiting, self._waiting = self._waiting, []
        for go_on in waiting:
            try:
                go_on()
            except Exception:
                _log.failure("a connection could not go on")
