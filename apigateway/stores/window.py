"""A sliding window over one key's requests: exact where the limit is small, in cells where it is large.

Plain functions on plain values; knows no keys, no clock and no store. The state of a window is a list

    [total, until, last_1, count_1, last_2, count_2, ...]

of cells, oldest first: `count` requests, the last of them at `last`. `total` is the sum of the counts. A request
before `until` still joins the newest cell. A cell counts until its *last* request has left the window, so never too
little is counted; it holds requests of at most a sixteenth of a window, so not much too much is.
"""

from __future__ import annotations

from functools import cache
from math import inf, nextafter
from struct import Struct
from typing import Any

Cells = list[Any]
"""Numbers as described above. (Of two types in one list, which is why their type is `Any`.)"""

EXACT_LIMIT = 32
"""Up to this limit each request has its own cell. Above it, a client at 90 % of the limit is counted over at most
17/16 of a window, which is less than the limit minus one from a limit of 23 on."""

CELLS_A_WINDOW = 16


def cell_width(limit: int, window: float) -> float:
    """The time whose requests share a cell, in seconds; 0.0 where they share none."""
    return 0.0 if limit <= EXACT_LIMIT else window / CELLS_A_WINDOW


def cell_end(now: float, width: float) -> float:
    """When the cell of a request at `now` takes no more requests."""
    return (now // width + 1.0) * width if width else now


def has_left(moment: float, now: float, window: float) -> bool:
    """Whether `moment` is a whole window or more ago, by exact arithmetic and not as rounded."""
    gap = now - moment
    if gap != window:
        # A rounded difference is on the same side of `window` as the true one, unless it is equal to it.
        return gap > window
    # What the rounding took away, which is itself exact (Knuth, The Art of Computer Programming 2, §4.2.2, theorem B).
    back = gap - now
    return (now - (gap - back)) - (moment + back) >= 0.0


def forget_left(cells: Cells, now: float, window: float) -> None:
    """Remove the cells that have left the window."""
    end = 2
    while end < len(cells) and has_left(cells[end], now, window):
        cells[0] -= cells[end + 1]
        end += 2
    if end == len(cells):
        cells[1] = now
    del cells[2:end]


def wait_until_left(moment: float, now: float, window: float) -> float:
    """Seconds to wait at `now` until `moment` has left the window, never a rounding error too short."""
    free = moment + window
    while not has_left(moment, free, window):
        free = nextafter(free, inf)
    wait = max(0.0, free - now)
    while now + wait < free:
        wait = nextafter(wait, inf)
    return wait


@cache
def _codec(cells: int) -> Struct:
    return Struct("<" + "dQ" * cells)


_LAST_CELL = _codec(1)


def pack(cells: Cells) -> bytes:
    """The cells as bytes: a fifth of the memory, and nothing that the garbage collector has to look at."""
    return _codec(len(cells) // 2 - 1).pack(*cells[2:])


def unpack(packed: bytes, width: float) -> Cells:
    """What was packed; `width` as from `cell_width`."""
    cells = _codec(cells_in(packed)).unpack(packed)
    return [sum(cells[1::2]), cell_end(cells[-2], width), *cells]


def cells_in(packed: bytes) -> int:
    """How many cells were packed."""
    return len(packed) // _LAST_CELL.size


def last_in(packed: bytes) -> float:
    """The time of the newest request that was packed."""
    last: float = _LAST_CELL.unpack_from(packed, len(packed) - _LAST_CELL.size)[0]
    return last
