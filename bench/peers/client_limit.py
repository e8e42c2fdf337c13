"""A limit per client as home-made gateways have it: a count in a fixed window, in a dictionary."""

from __future__ import annotations

from collections.abc import Callable


class ClientLimit:
    """At most `limit` requests of a client in each window; `now` reads a monotonic clock."""

    def __init__(self, limit: int, now: Callable[[], float], window_s: float = 60.0) -> None:
        self.limit = limit
        self._window_s = window_s
        self._now = now
        self._ends = now() + window_s
        self._counts: dict[str, int] = {}

    def admits(self, client: str) -> bool:
        """Whether this request is within the limit; it counts if it is."""
        if self._now() >= self._ends:
            self._counts.clear()
            self._ends = self._now() + self._window_s
        count = self._counts.get(client, 0)
        if count >= self.limit:
            return False
        self._counts[client] = count + 1
        return True
