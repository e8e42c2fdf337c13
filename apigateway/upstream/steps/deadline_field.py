"""The request field that tells a service how much time is left for its answer.

Whoever answers later than that works for nobody. Clients may not set it: only a trusted proxy may, to shorten the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from apigateway.http.lines import lines_spelled

if TYPE_CHECKING:
    from apigateway.exchange import Exchange

_MOST_DIGITS = 12


class DeadlineField:
    """A field named `name` with milliseconds."""

    __slots__ = ("_lower", "_name", "_spellings")

    def __init__(self, name: bytes) -> None:
        self._name = name
        self._lower = name.lower()
        self._spellings = lines_spelled((name,))

    def __repr__(self) -> str:
        return f"<DeadlineField {self._name.decode()}>"

    def told(self, exchange: Exchange) -> float | None:
        """Seconds that a trusted proxy leaves for the exchange; None where nobody who may has said anything."""
        value = exchange.head.get(self._lower) if exchange.trusted else None
        if value is None or not value.isdigit() or len(value) > _MOST_DIGITS:
            return None
        return int(value) / 1000

    def written(self, lines: bytes, left_s: float) -> bytes:
        """Field lines with the time that is left, instead of whatever they said of it."""
        return b"%b%b: %d\r\n" % (self._spellings.sub(b"", lines), self._name, max(0, int(left_s * 1000)))
