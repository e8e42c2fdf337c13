"""Failures of TLS to one target in the log: each kind at once, and while it goes on once a minute with how often.

Knows the words, not what they are about.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from apigateway.upstream.dialing.tls_faults import Fault

EVERY_S = 60.0

MOST_KINDS = 16
"""So many explanations are told apart. What a service sends may be in one, and it could send another one each time."""

_log = Logger(namespace="apigateway.upstream")


class TlsLog:
    """Tells of `service` at `target`. `now` is a clock in seconds."""

    def __init__(self, service: str, target: str, now: Callable[[], float]) -> None:
        self._service = service
        self._target = target
        self._now = now
        self._told: dict[str, tuple[float, int]] = {}

    def __repr__(self) -> str:
        return f"<TlsLog {self._service} {self._target} kinds={len(self._told)}>"

    def note(self, fault: Fault) -> None:
        """It has failed once more."""
        now, why = self._now(), fault.explanation
        if why not in self._told and len(self._told) >= MOST_KINDS:
            why = min(self._told, key=lambda one: self._told[one][0])
        due, untold = self._told.get(why, (now, 0))
        untold += 1
        if now >= due:
            self._tell(fault, untold)
            due, untold = now + EVERY_S, 0
        self._told[why] = (due, untold)

    def _tell(self, fault: Fault, times: int) -> None:
        _log.warn(
            "{service} at {target}: {explanation} ({cause}; {times} times since last told)",
            event="tls-failed", service=self._service, target=self._target, explanation=fault.explanation,
            cause=fault.cause.code, times=times,
        )  # fmt: skip
