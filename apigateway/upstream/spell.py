"""A span of time in which requests are shed for one reason: told when it begins and when it is over, and not between.

Knows a cause and a name; neither who is refused nor why.
"""

from __future__ import annotations

from twisted.logger import Logger

from apigateway.errors import Cause

QUIET_S = 5.0
"""So long nobody must have been refused until a spell is over."""

_log = Logger(namespace="apigateway.overload")


class Spell:
    """Counts refusals in `refused`; a refusal costs an addition, all else is done by `tick`.

    `service` is whose requests are shed, "" for all.
    """

    __slots__ = ("refused", "_cause", "_service", "_seen", "_began", "_began_at", "_last")

    def __init__(self, cause: Cause, service: str = "") -> None:
        self.refused = 0
        self._cause = cause
        self._service = service
        self._seen = self._began_at = 0
        self._began: float | None = None
        self._last = 0.0

    def __repr__(self) -> str:
        return f"<Spell {self._cause.code} {self._service} {'lasts' if self.lasts else 'none'} refused={self.refused}>"

    @property
    def lasts(self) -> bool:
        """Requests are being shed."""
        return self._began is not None

    def tick(self, now: float) -> None:
        """Look whether a spell has begun or is over. Called every fraction of a second; `now` is monotonic seconds."""
        if self.refused != self._seen:
            self._last = now
            if self._began is None:
                self._begin(now)
            self._seen = self.refused
        elif self._began is not None and now - self._last >= QUIET_S:
            self._end(self._last - self._began)

    def _begin(self, now: float) -> None:
        self._began, self._began_at = now, self._seen
        _log.warn(
            "requests are shed: {cause}{to}",
            event="shedding-began", cause=self._cause.code, service=self._service, to=self._to(),
        )  # fmt: skip

    def _end(self, seconds: float) -> None:
        self._began = None
        _log.info(
            "no more requests are shed: {cause}{to}; {refused} were, in {seconds} s",
            event="shedding-ended", cause=self._cause.code, service=self._service, to=self._to(),
            refused=self.refused - self._began_at, seconds=round(seconds, 1),
        )  # fmt: skip

    def _to(self) -> str:
        return f" (service {self._service})" if self._service else ""
