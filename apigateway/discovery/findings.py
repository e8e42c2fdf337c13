"""What the discovery of one service has found: the present targets, the last change, and what goes wrong.

Tells of changes in the log and to whoever waits for them. Knows not how targets are found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.logger import Logger

_log = Logger(namespace="apigateway.discovery")

SHOWN = 20
"""So many targets that came or went are named in the log."""


class Target(Protocol):
    """What must be known of a target. Two of a service have different places."""

    @property
    def place(self) -> str:
        """The URL of what is dialed."""


class Findings:
    """`targets` are the last good ones, None before there were any. `changed` is called when they are others.

    `subject` is what is looked at, in words: `dns http://orders.internal`. `now` is the monotonic clock.
    """

    def __init__(self, service: str, subject: str, changed: Callable[[], object], now: Callable[[], float]) -> None:
        self.targets: tuple[Any, ...] | None = None
        self.error = ""
        self._service = service
        self._subject = subject
        self._changed = changed
        self._now = now
        self._changed_at: float | None = None
        self._failing_since: float | None = None

    def __repr__(self) -> str:
        count = "no" if self.targets is None else len(self.targets)
        return f"<Findings {self._service} {count} targets{' failing' if self.error else ''}>"

    @property
    def failing_for_s(self) -> float:
        """Seconds since it began to fail; 0 where it does not."""
        return 0.0 if self._failing_since is None else self._now() - self._failing_since

    def found(self, targets: Sequence[Target], error: str = "") -> None:
        """These are the targets now. `error` tells why they are not what was looked for, or not all of that."""
        if error:
            self.failed(error)
        else:
            self._recovered()
        self._use(tuple(targets))

    def failed(self, error: str, is_news: bool = False) -> None:
        """Nothing was found; the targets stay. Logged once until it works again; with `is_news` each other error is."""
        if self._failing_since is None or (is_news and error != self.error):
            stay = f"its last {len(self.targets)} targets stay" if self.targets else "it has no targets"
            _log.warn(
                "{service}: discovery by {subject} fails: {reason}; {stay}", event="discovery-failed",
                service=self._service, subject=self._subject, reason=error, stay=stay,
            )  # fmt: skip
        if self._failing_since is None:
            self._failing_since = self._now()
        self.error = error

    def describe(self) -> dict[str, Any]:
        """The state as values for JSON; times in seconds before now."""
        now = self._now()
        return {
            "by": self._subject,
            "targets": len(self.targets or ()),
            "changed_ago_s": None if self._changed_at is None else round(now - self._changed_at, 3),
            "failing_for_s": None if self._failing_since is None else round(now - self._failing_since, 3),
            "error": self.error or None,
        }

    def _recovered(self) -> None:
        if self._failing_since is not None:
            _log.info(
                "{service}: discovery by {subject} works again", event="discovery-recovered",
                service=self._service, subject=self._subject, after_s=round(self.failing_for_s, 3),
            )  # fmt: skip
        self._failing_since = None
        self.error = ""

    def _use(self, targets: tuple[Target, ...]) -> None:
        before, self.targets = self.targets, targets
        if before == targets:
            return
        self._changed_at = self._now()
        old, new = {one.place for one in before or ()}, {one.place for one in targets}
        added = [one.place for one in targets if one.place not in old]
        removed = [one.place for one in before or () if one.place not in new]
        _log.info(
            "{service}: {count} targets by {subject}: {came} came, {went} left", event="targets-changed",
            service=self._service, subject=self._subject, count=len(targets), came=len(added), went=len(removed),
            added=added[:SHOWN], removed=removed[:SHOWN],
        )  # fmt: skip
        self._changed()
