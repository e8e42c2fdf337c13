"""Rate-limit state in this process's memory: bounded, the oldest forgotten first, no work that grows with the clients.

Knows keys and times; not what a key stands for. The arithmetic of one key is in `window`.

The keys seen most recently keep their windows as lists, ready for use. All others keep them packed, in many small
dictionaries of bytes: a million lists would cost several times the memory, and a stop of the process whenever the
garbage collector walks over them; one large dictionary would stop it whenever it grows.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

from zope.interface import implementer

from apigateway.interfaces import IRateLimiter
from apigateway.stores.window import (
    Cells,
    cell_end,
    cell_width,
    cells_in,
    forget_left,
    has_left,
    last_in,
    pack,
    unpack,
    wait_until_left,
)

RECENT_KEYS = 4096
KEYS_A_SHARD = 16_384
CELLS_A_KEY = 6
"""How many cells the packed windows may have on average; a key that is used all the time has 17."""

SWEEP_KEYS = 1024
"""How many keys a sweep forgets at most: about a millisecond's work."""


@implementer(IRateLimiter)
class MemoryRateLimiter:
    """Admits at most `limit` requests of a key in any `window_s` seconds: in [t, t + window_s) for whatever t.

    Remembers at most `max_keys` keys, and at most `CELLS_A_KEY` cells for each of them on average; beyond that, those
    keys are forgotten that were not seen for the longest time (above 16 thousand keys, nearly so). Keys without
    anything left in their window are forgotten by `sweep`. `recent_keys` of the keys are kept ready for use.

    Times are seconds of one monotonic clock and must not decrease from call to call. Raises `ValueError` for a limit
    below 1, a window that isn't above 0, or fewer keys than 1.
    """

    def __init__(self, limit: int, window_s: float, max_keys: int = 1_000_000, recent_keys: int = RECENT_KEYS) -> None:
        if limit < 1 or not window_s > 0 or min(max_keys, recent_keys) < 1:
            raise ValueError(f"no such limit: {limit} in {window_s} s for {max_keys} keys")
        self.limit = limit
        self.window_s = window_s
        self.max_keys = max_keys
        self.max_cells = max_keys * CELLS_A_KEY
        self._width = cell_width(limit, window_s)
        self._recent: OrderedDict[str, Cells] = OrderedDict()
        self._recent_room = min(max_keys, recent_keys)
        # A power of two, so that the low bits of a key's hash name its shard.
        self._shards: list[dict[str, bytes]] = [{} for _ in range(1 << (max_keys // KEYS_A_SHARD).bit_length())]
        self._packed_keys = self._packed_cells = 0
        # Finding the first key of a dictionary costs more the more were removed before it: so take some at a time.
        self._batch = 1 + max_keys // 65_536
        self._cursor = 0

    def __repr__(self) -> str:
        return f"<MemoryRateLimiter {self.limit} in {self.window_s:g} s, {self.tracked()} of {self.max_keys} keys>"

    def admit(self, key: str, now: float) -> tuple[bool, int, float]:
        recent = self._recent
        cells = recent.get(key)
        if cells is None:
            cells = self._recall(key, now)
            if cells is None:
                self._keep(key, [1, cell_end(now, self._width), now, 1], now)
                return True, self.limit - 1, self.window_s
        else:
            recent.move_to_end(key)
        limit, window = self.limit, self.window_s
        if now - cells[2] >= window:
            forget_left(cells, now, window)
        total = cells[0]
        if total >= limit:
            return False, 0, wait_until_left(cells[2], now, window)
        if now < cells[1]:
            cells[-2] = now
            cells[-1] += 1
        else:
            cells[1] = cell_end(now, self._width)
            cells += (now, 1)
        cells[0] = total = total + 1
        return True, limit - total, window - (now - cells[2])

    def peek(self, key: str, now: float) -> tuple[bool, int, float]:
        cells = self._recent.get(key)
        if cells is None:
            cells = self._recall(key, now)
        if cells is None:
            return True, self.limit, 0.0
        forget_left(cells, now, self.window_s)
        if not cells[0]:
            del self._recent[key]
            return True, self.limit, 0.0
        remaining = self.limit - cells[0]
        if remaining <= 0:
            return False, 0, wait_until_left(cells[2], now, self.window_s)
        return True, remaining, self.window_s - (now - cells[2])

    def tracked(self) -> int:
        return len(self._recent) + self._packed_keys

    def sweep(self, now: float) -> None:
        budget = SWEEP_KEYS - self._sweep_recent(now, SWEEP_KEYS)
        for _ in self._shards:
            if budget <= 0 or not self._packed_keys:
                break
            budget -= self._sweep_shard(now, budget)

    def _recall(self, key: str, now: float) -> Cells | None:
        """Make a packed key a recent one; None if it is not known."""
        packed = self._shards[hash(key) & (len(self._shards) - 1)].pop(key, None)
        if packed is None:
            return None
        self._packed_keys -= 1
        self._packed_cells -= cells_in(packed)
        cells = unpack(packed, self._width)
        self._keep(key, cells, now)
        return cells

    def _keep(self, key: str, cells: Cells, now: float) -> None:
        """Make a key the most recent one; the least recent one is packed where there are too many."""
        self._recent[key] = cells
        if len(self._recent) > self._recent_room:
            key, cells = self._recent.popitem(last=False)
            if self.max_keys > self._recent_room:
                self._pack(key, cells, now)

    def _pack(self, key: str, cells: Cells, now: float) -> None:
        forget_left(cells, now, self.window_s)
        if not cells[0]:
            return
        packed = pack(cells)
        self._shards[hash(key) & (len(self._shards) - 1)][key] = packed
        self._packed_keys += 1
        self._packed_cells += cells_in(packed)
        while self.tracked() > self.max_keys or self._packed_cells > self.max_cells:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Forget the first keys of the next shard: keys are in the order in which they were seen last."""
        shard = self._next_shard()
        for key in list(islice(shard, self._batch)):
            self._forget(shard, key)

    def _next_shard(self) -> dict[str, bytes]:
        self._cursor = (self._cursor + 1) & (len(self._shards) - 1)
        return self._shards[self._cursor]

    def _forget(self, shard: dict[str, bytes], key: str) -> None:
        self._packed_keys -= 1
        self._packed_cells -= cells_in(shard.pop(key))

    def _sweep_recent(self, now: float, budget: int) -> int:
        """Forget the least recent of the recent keys while nothing of them counts; returns how many."""
        recent, forgotten = self._recent, 0
        while recent and forgotten < budget:
            cells = recent[next(iter(recent))]
            if not has_left(cells[-2], now, self.window_s):
                break
            recent.popitem(last=False)
            forgotten += 1
        return forgotten

    def _sweep_shard(self, now: float, budget: int) -> int:
        """Forget the first keys of the next shard while nothing of them counts; returns how many."""
        shard = self._next_shard()
        keys = list(islice(shard, budget))
        for forgotten, key in enumerate(keys):
            if not has_left(last_in(shard[key]), now, self.window_s):
                return forgotten
            self._forget(shard, key)
        if not shard:
            # An empty dictionary keeps the memory of a full one.
            self._shards[self._cursor] = {}
        return len(keys)
