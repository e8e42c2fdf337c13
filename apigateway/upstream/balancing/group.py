"""The targets of one service together: who may be tried, and who has left or come back."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from apigateway.upstream.balancing.fitness import is_able, is_in, is_ready, is_steady
from apigateway.upstream.target import Target


class Group:
    """All targets of a service. One that comes back gets its whole share after `slow_start_s` seconds; 0: at once."""

    __slots__ = ("targets", "_slow_start_s")

    def __init__(self, targets: Sequence[Target], slow_start_s: float = 0.0) -> None:
        self.targets = tuple(targets)
        self._slow_start_s = slow_start_s

    def __repr__(self) -> str:
        return f"<Group {' '.join(f'{one.url}:{one.standing.word}' for one in self.targets)}>"

    def fit(self, now: float, tried: Collection[Target] = ()) -> list[Target]:
        """The able targets, or all where none is able, without those that rest and those that were tried."""
        self.review(now)
        able = [target for target in self.targets if is_able(target)] or self.targets
        return [target for target in able if is_ready(target, now) and target not in tried]

    def may_try(self, target: Target, now: float) -> bool:
        """Whether one target is able and does not rest; where none is able, only `fit` knows."""
        if is_steady(target):
            return True
        if not (is_able(target) and is_ready(target, now)):
            return False
        if target.standing.is_out and is_in(target):
            self.review(now)
        return True

    def accepts(self, target: Target, now: float) -> bool:
        """Whether a target that was drawn by weight may be tried, and takes its turn where it does not take each."""
        return self.may_try(target, now) and (target.standing.is_steady or target.standing.takes_turn(now))

    def review(self, now: float) -> None:
        """Note who has left and who has come back.

        Whoever comes back while others are there starts slowly. Where all come at once, as at the start, there is
        nobody else to do the work.
        """
        back, others = [], False
        for target in self.targets:
            standing = target.standing
            if not is_in(target):
                standing.leave()
            elif standing.is_out:
                back.append(target)
            else:
                others = True
                standing.settle(now)
        for target in back:
            target.standing.come_back(now, self._slow_start_s if others else 0.0)
            if target.latency is not None:
                target.latency.forget()

    def shares(self, among: Sequence[Target], now: float) -> list[float]:
        """The weight that each of some targets has now."""
        return [target.weight * target.standing.share(now) for target in among]

    def in_panic(self) -> bool:
        """Whether no target is able, so that all are tried."""
        return bool(self.targets) and not any(is_able(target) for target in self.targets)
