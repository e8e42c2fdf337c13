"""Which target comes next: smooth weighted round robin over those that can be tried.

Asks targets for their health and their breaker's rest, and changes neither; the caller asks the breaker for its permit.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from apigateway.upstream.target import Target


class _Turn:
    """A target's credit: grows by its weight at each pick, shrinks by the sum of all weights when it is picked."""

    __slots__ = ("credit", "target", "weight")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.weight = target.weight
        self.credit = 0


_credit = attrgetter("credit")
_target = attrgetter("target")


class RoundRobin:
    """Gives each target its share of the exchanges, by weight, without runs of the same target.

    Unhealthy targets are passed over unless no other is left. Targets that their breaker keeps from work get no share,
    and come last so that the others' shares stay true.
    """

    __slots__ = ("_targets", "_turns")

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = tuple(targets)
        self._turns = [_Turn(target) for target in targets]

    def __repr__(self) -> str:
        credits = ", ".join(f"{turn.target.url} {turn.credit:+d}" for turn in self._turns)
        return f"<RoundRobin {credits}>"

    def candidates(self, now: float) -> tuple[Target, ...]:
        """Pick: the targets to try in this order, each once."""
        if len(self._targets) < 2:
            return self._targets
        able = [turn for turn in self._turns if turn.target.health.healthy] or self._turns
        ready = [turn for turn in able if _is_ready(turn.target, now)]
        if len(ready) == len(able):
            return self._pick(ready)
        resting = [turn.target for turn in able if turn not in ready]
        return (*self._pick(ready), *resting)

    def _pick(self, turns: list[_Turn]) -> tuple[Target, ...]:
        if not turns:
            return ()
        total = 0
        for turn in turns:
            total += turn.weight
            turn.credit += turn.weight
        turns.sort(key=_credit, reverse=True)
        turns[0].credit -= total
        return tuple(map(_target, turns))


def _is_ready(target: Target, now: float) -> bool:
    breaker = target.breaker
    return breaker is None or breaker.retry_after(now) <= 0
