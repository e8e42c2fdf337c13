"""What came of reloads: each in words, and how many. Knows neither configurations nor how to reload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apigateway.telemetry.lines import rfc3339

RELOADED = "reloaded"
"""Read, checked, and in use."""
UNCHANGED = "unchanged"
"""Read, and it says what is in use already."""
FAILED = "failed"
"""It cannot be used; nothing has changed."""
REFUSED = "refused"
"""Not even read; nothing has changed."""

OUTCOMES: Mapping[str, bool] = {RELOADED: True, UNCHANGED: True, FAILED: False, REFUSED: False}
"""Each outcome, and whether it is a good one."""


@dataclass(frozen=True, slots=True)
class Reload:
    """One reload: what came of it, who asked (`signal`, `file` or `page`), when (time of day) and how long it took.

    `changes` are what is different now, `problems` why nothing is. `detail` is a sentence for people.
    """

    outcome: str
    asked_by: str
    at: float
    seconds: float
    detail: str
    changes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """What was asked for is so."""
        return OUTCOMES[self.outcome]

    def describe(self) -> dict[str, Any]:
        """The reload as values for JSON."""
        return {
            "outcome": self.outcome,
            "detail": self.detail,
            "asked_by": self.asked_by,
            "time": rfc3339(self.at),
            "took_ms": round(self.seconds * 1000, 3),
            "changes": list(self.changes),
            "problems": list(self.problems),
        }


class Reloads:
    """The last reload, and how many there were of each outcome since start."""

    def __init__(self) -> None:
        self.last: Reload | None = None
        self.counts = dict.fromkeys(OUTCOMES, 0)

    def note(self, reload: Reload) -> None:
        """A reload is over."""
        self.last = reload
        self.counts[reload.outcome] += 1

    def describe(self) -> dict[str, Any]:
        """All this as values for JSON."""
        good = sum(count for outcome, count in self.counts.items() if OUTCOMES[outcome])
        return {
            "good": good,
            "bad": sum(self.counts.values()) - good,
            "last": self.last.describe() if self.last is not None else None,
        }
