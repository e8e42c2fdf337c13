"""Tallies per service, route and target, since start and over the last minute. Knows exchanges and time, no output.

Exchanges are counted into the running slot only. A slot that is over is added to the sum since start and kept for a
minute, so that counting costs the same whatever is asked of the statistics later. Services, routes and targets come
from the configuration; should configurations change without end, what exceeds `MOST_KEYS` is counted together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from apigateway.telemetry.tally import Tally

if TYPE_CHECKING:
    from apigateway.exchange import Exchange

Key = tuple[str, str, str]
"""Service, route and target, each "" where an exchange did not get that far."""

SLOT = 5.0
SLOTS = 12
MOST_KEYS = 10_000
OTHER: Key = ("(other)", "(other)", "(other)")


class Statistics:
    """Counts exchanges in batches. `now` is the monotonic clock of the exchanges, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sums: dict[Key, Tally] = {}
        self._slot: dict[Key, Tally] = {}
        self._closed: deque[dict[Key, Tally]] = deque(maxlen=SLOTS)
        self.started = self._slot_start = now()

    def add(self, batch: Iterable[Exchange]) -> None:
        """Count exchanges that are over."""
        self._advance()
        slot = self._slot
        for exchange in batch:
            key = (exchange.service, exchange.route, exchange.target)
            try:
                tally = slot[key]
            except KeyError:
                tally = self._new_tally(key)
            tally.add(exchange)

    def _new_tally(self, key: Key) -> Tally:
        if key not in self._sums and max(len(self._sums), len(self._slot)) >= MOST_KEYS:
            key = OTHER
        return self._slot.setdefault(key, Tally())

    def _advance(self) -> None:
        """Close the slots that are over."""
        steps = int((self._now() - self._slot_start) / SLOT)
        if steps <= 0:
            return
        merge_into(self._sums, self._slot)
        self._closed.append(self._slot)
        self._closed.extend({} for _ in range(min(steps, SLOTS + 1) - 1))
        self._slot = {}
        self._slot_start += steps * SLOT

    def uptime(self) -> float:
        """Seconds since start."""
        return self._now() - self.started

    def since_start(self) -> dict[Key, Tally]:
        """Everything counted so far; the tallies are copies."""
        self._advance()
        return _merged((self._sums, self._slot))

    def last_minute(self) -> tuple[float, dict[Key, Tally]]:
        """What was counted in the last minute, and how many seconds that covers: 60 to 65, less after the start."""
        self._advance()
        covered = self._now() - self._slot_start + len(self._closed) * SLOT
        return covered, _merged((*self._closed, self._slot))


def merge_into(sums: dict[Key, Tally], more: Mapping[Key, Tally]) -> None:
    """Add tallies to those of the same key."""
    for key, tally in more.items():
        known = sums.get(key)
        if known is None:
            known = sums[key] = Tally()
        known.merge(tally)


def _merged(parts: Iterable[Mapping[Key, Tally]]) -> dict[Key, Tally]:
    sums: dict[Key, Tally] = {}
    for part in parts:
        merge_into(sums, part)
    return sums
