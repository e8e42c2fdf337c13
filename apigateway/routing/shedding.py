"""Which new exchanges are refused because the gateway has more to do than it can do in time.

There are two bounds: on the exchanges in progress, and on the lateness of the event loop. Past the first, what is new
is refused until there is room. Past the second, a share of what is new is refused; it grows while the loop stays late,
and shrinks when it is on time again. Knows numbers only, neither services nor clients.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from apigateway.errors import OVERLOADED, GatewayError
from apigateway.upstream.spell import Spell

FALL = 0.6
"""What is let in falls by so much a second while the loop is half as much again as late as it may be, in proportion to
how much later it is …"""

STEEPEST = 2.0
"""… but never faster than this many such seconds in one."""

RISE = 0.3
"""It rises by so much a second, of what it is, while the loop is on time."""

MOST = 0.95
"""The largest share: whatever makes the loop late may not be the exchanges, and some must always get through."""

LONGEST_STEP_S = 1.0
"""A pause between two looks counts as no more than this."""

COME_AGAIN_S = 5
"""Whoever is refused is asked to come again after 1 to so many seconds, so that not all come back at once."""


class Shedding:
    """Whether a new exchange is let in. `share` of them, 0 to `MOST`, is refused at present.

    `everyone` are those in progress, at most `exchanges`; `lag_s` is how late the loop may constantly be, None for ever
    so late. `random` returns from [0, 1).
    """

    __slots__ = ("share", "exchanges", "lag_s", "everyone", "spell", "_random", "_looked")

    def __init__(self, everyone: Collection[object] = (), random: Callable[[], float] = lambda: 0.5) -> None:
        self.share = 0.0
        self.exchanges: float = float("inf")
        self.lag_s: float | None = None
        self.everyone = everyone
        self.spell = Spell(OVERLOADED)
        self._random = random
        self._looked: float | None = None

    def __repr__(self) -> str:
        return f"<Shedding share={self.share:.2f} in_progress={len(self.everyone)} of {self.exchanges}>"

    def limit(self, exchanges: int, lag_s: float | None) -> None:
        """Take new bounds; what is in progress goes on."""
        self.exchanges = exchanges
        self.lag_s = lag_s

    def check(self) -> None:
        """Raises `GatewayError` where an exchange is not let in. Need not be asked while there is room and no share."""
        if len(self.everyone) >= self.exchanges:
            raise self._refusal(f"{self.exchanges} requests are in progress, which is all there may be.")
        if self._random() < self.share:
            raise self._refusal("There is more to do than can be done in time.")

    def _refusal(self, detail: str) -> GatewayError:
        self.spell.refused += 1
        return GatewayError(OVERLOADED, detail, retry_after_s=1 + int(self._random() * COME_AGAIN_S))

    def heed(self, least_lag_s: float, now: float) -> None:
        """Look at the loop: `least_lag_s` is how late it was at its best moment of the last half second.

        Called every fraction of a second; a loop that is late comes later to it, which is accounted for.
        """
        elapsed = 0.0 if self._looked is None else min(now - self._looked, LONGEST_STEP_S)
        self._looked = now
        if self.lag_s is None:
            self.share = 0.0
        elif least_lag_s > self.lag_s:
            over = min(2.0 * (least_lag_s / self.lag_s - 1.0), STEEPEST)
            self.share = min(1.0 - (1.0 - self.share) * (1.0 - FALL) ** (over * elapsed), MOST)
        elif self.share:
            self.share = max(1.0 - (1.0 - self.share) * (1.0 + RISE * elapsed), 0.0)
        self.spell.tick(now)
