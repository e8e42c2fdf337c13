"""Drawing targets by chance, each as often as its weight says. Knows neither health nor load."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import accumulate

from apigateway.upstream.target import Target

Pair = tuple[Target, Target]
Draw = Callable[[], float]
"""A random number from [0, 1)."""


def drawn(among: Sequence[Target], weights: Sequence[float], random: Draw) -> Target:
    """One of some targets."""
    return among[_at(list(accumulate(weights)), random)]


def singles(targets: Sequence[Target], random: Draw) -> Callable[[], Target]:
    """What draws one of the same targets again and again."""
    weights = [target.weight for target in targets]
    count = len(targets)
    if len(set(weights)) == 1:
        return lambda: targets[int(random() * count)]
    sums = list(accumulate(weights))
    return lambda: targets[_at(sums, random)]


def pairs(targets: Sequence[Target], random: Draw) -> Callable[[], Pair]:
    """What draws two of the same targets, at least two, again and again."""
    weights = [target.weight for target in targets]
    if len(set(weights)) == 1:
        return _even_pairs(targets, random)
    sums = list(accumulate(weights))
    return lambda: _pair(targets, sums, random)


def _even_pairs(targets: Sequence[Target], random: Draw) -> Callable[[], Pair]:
    count = len(targets)
    rest = count - 1

    def draw() -> Pair:
        one = int(random() * count)
        # Of the others, counted on from the first: each is as likely.
        return targets[one], targets[one - 1 - int(random() * rest)]

    return draw


def _at(sums: Sequence[float], random: Draw) -> int:
    # A product may be rounded up to the whole.
    return min(bisect(sums, random() * sums[-1]), len(sums) - 1)


def _pair(among: Sequence[Target], sums: Sequence[float], random: Draw) -> Pair:
    """The second is mostly drawn by weight; where it is the first again, the first's neighbour takes its place."""
    one, other = _at(sums, random), _at(sums, random)
    return among[one], among[other if other != one else one - 1]
