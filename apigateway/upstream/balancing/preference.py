"""Which target each key belongs to: weighted rendezvous hashing, the same on every gateway and after every start.

Each pair of a slot and a target has a number that depends on nothing else, and a slot belongs to the target with the
smallest. So a target that goes takes only its own slots away, and one that comes takes only those it wins. See Thaler
and Ravishankar, "Using name-based mappings to increase hit rates" (1998); for weights, a number is drawn from the
exponential distribution whose rate is the weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import log

from apigateway.upstream.target import Target

SLOTS = 1 << 14
"""Keys are put into so many slots, so that it is known once and for all to whom one belongs."""

_WHOLE = (1 << 64) - 1


def slot_of(key: bytes) -> int:
    """The slot of a key."""
    return int.from_bytes(blake2b(key, digest_size=2).digest(), "big") % SLOTS


def _mixed(number: int) -> int:
    """64 bits from which nobody sees the number: the last step of SplitMix64 (Steele, Lea, Flood 2014)."""
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & _WHOLE
    number = (number ^ number >> 27) * 0x94D049BB133111EB & _WHOLE
    return number ^ number >> 31


class Preference:
    """For each slot the targets in the order of preference; the first is remembered."""

    __slots__ = ("_targets", "_seeds", "_firsts")

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = tuple(targets)
        self._seeds = [int.from_bytes(blake2b(one.url.encode(), digest_size=8).digest(), "big") for one in targets]
        self._firsts: list[Target | None] = [None] * SLOTS

    def __repr__(self) -> str:
        known = SLOTS - self._firsts.count(None)
        return f"<Preference {len(self._targets)} targets, {known} slots known>"

    def first(self, slot: int) -> Target:
        """The target that a slot belongs to."""
        found = self._firsts[slot]
        if found is None:
            found = self._firsts[slot] = self._targets[min(self._distances(slot))[1]]
        return found

    def order(self, slot: int) -> list[Target]:
        """All targets, whom a slot would belong to if those before were not there."""
        return [self._targets[at] for _, at in sorted(self._distances(slot))]

    def _distances(self, slot: int) -> list[tuple[float, int]]:
        salt = _mixed(slot + 1)
        return [
            (-log((_mixed(seed ^ salt) + 1) / (_WHOLE + 1)) / target.weight, at)
            for at, (seed, target) in enumerate(zip(self._seeds, self._targets, strict=True))
        ]


def returns(slot: int, share: float) -> bool:
    """Whether a slot is among the part of all that goes to a target that is coming back: once among it, it stays."""
    return _mixed(~slot & _WHOLE) < share * _WHOLE
