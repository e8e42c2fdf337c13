"""`python -m tests.smuggling`: attacks made by chance from the tables, for as long as you like.

Prints how many inputs were tried, how many of them the gateway refused, how many requests or answers it forwarded, and
about how many the two sides disagree, which must be none: each of those is printed with what repeats it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from random import Random
from time import monotonic

from tests.smuggling import mutate
from tests.smuggling.betrayal import Stage
from tests.smuggling.ground import Ground

NUMBERS = ("tried", "refused", "forwarded", "disagreements")
TRANSPORTS = ("native", "treq")
_AS_LONG = 2000
"""How many attacks one gateway takes: what it leaves behind must not change what follows, nor fill the memory."""


def attack(random: Random, ground: Ground, counts: dict[str, Counter[str]]) -> list[str]:
    """One attack by a client; returns the disagreements, with what repeats them."""
    category, data = mutate.stream(random)
    pieces = mutate.pieces(random, data)
    early = random.random() < 0.3
    played = ground.play(pieces, early)
    count = counts.setdefault(category, Counter())
    count.update(tried=1, refused=played.refused, forwarded=played.forwarded, disagreements=bool(played.disagreements))
    return [f"{one}: {list(pieces)!r} early={early}" for one in played.disagreements]


def betray(random: Random, stage: Stage, counts: dict[str, Counter[str]]) -> list[str]:
    """One lie by a service."""
    category, lie = mutate.lie(random)
    told = stage.tell(lie, lambda data: mutate.pieces(random, data))
    count = counts.setdefault(category, Counter())
    count.update(tried=1, refused=told.refused, forwarded=not told.refused, disagreements=bool(told.disagreements))
    return [f"{one}: {lie!r}" for one in told.disagreements]


def run(seconds: float, seed: int) -> dict[str, Counter[str]]:
    """Attack for so long; returns the numbers by category."""
    random, counts = Random(seed), dict[str, Counter[str]]()
    until = monotonic() + seconds
    while monotonic() < until:
        transport = random.choice(TRANSPORTS)
        ground, stage = Ground(transport), Stage(transport)
        for _ in range(_AS_LONG):
            found = attack(random, ground, counts) if random.random() < 0.5 else betray(random, stage, counts)
            for one in found:
                print(f"{transport}: {one}", file=sys.stderr)
            if monotonic() >= until:
                break
    return counts


def table(counts: dict[str, Counter[str]]) -> str:
    """The numbers, one category a line."""
    total: Counter[str] = Counter()
    lines = [f"{'':26}" + "".join(f"{number:>15}" for number in NUMBERS)]
    for category, count in [*sorted(counts.items()), ("all", total)]:
        lines.append(f"{category:26}" + "".join(f"{count[number]:>15}" for number in NUMBERS))
        if count is not total:
            total.update(count)
    return "\n".join(lines)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.smuggling", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to go on (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="what the attacks are made from (default: %(default)s)")
    options = parser.parse_args()
    counts = run(options.seconds, options.seed)
    print(table(counts))
    return bool(sum(count["disagreements"] for count in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
