"""How a target stands among the others of its service: in or out, back since when, ejected until when.

Knows one target only as what is noted of it here. Times are monotonic seconds. Lives in the Registry, by service and
address, so that a new configuration goes on with it.
"""

from __future__ import annotations

from typing import Any

LEAST_SHARE = 0.1
"""The part of its share that a target gets at once when it comes back."""


class Standing:
    """What is noted of one target.

    `is_steady`: it is in, with its whole share. `is_out`: it gets nothing at present, or was not looked at yet.
    `is_ejected` until `ejected_until`, as it failed more than the others; `ejections` counts those since the start,
    `relapses` those that make the next one longer. `ended` and `failures` are the target's counts when the present
    window began.
    """

    __slots__ = (
        "is_steady", "is_out", "is_ejected", "ejected_until", "ejections", "relapses", "ended", "failures",
        "_is_new", "_back_at", "_whole_at", "_turns",
    )  # fmt: skip

    def __init__(self) -> None:
        self.is_steady = self.is_ejected = False
        self.is_out = self._is_new = True
        self.ejected_until = 0.0
        self.ejections = self.relapses = self.ended = self.failures = 0
        self._back_at = self._whole_at = 0.0
        self._turns = 0.0

    def __repr__(self) -> str:
        return f"<Standing {self.word}>"

    @property
    def word(self) -> str:
        """`ejected`, `out`, `new` (not looked at yet), `returning` or `in`."""
        if self.is_ejected:
            return "ejected"
        if self.is_out:
            return "new" if self._is_new else "out"
        return "in" if self.is_steady else "returning"

    def describe(self, now: float) -> dict[str, Any]:
        """The state in a word, the part of its share, how often it was ejected, and how much longer it is."""
        returns_in_s = round(max(0.0, self.ejected_until - now), 3) if self.is_ejected else None
        share = 0.0 if self.word in ("ejected", "out") else round(self.share(now), 3)
        return {"state": self.word, "share": share, "ejections": self.ejections, "returns_in_s": returns_in_s}

    def leave(self) -> None:
        """It gets nothing from now on."""
        self.is_out, self._is_new = True, False
        self.is_steady = False

    def come_back(self, now: float, over_s: float) -> None:
        """It gets a share again, which grows to the whole within `over_s`; 0: at once."""
        self.is_out = self._is_new = False
        self.is_steady = over_s <= 0
        self._back_at, self._whole_at = now, now + over_s
        self._turns = 0.0

    def settle(self, now: float) -> None:
        """Note that its share has grown to the whole, where it has."""
        if not (self.is_out or self.is_steady) and now >= self._whole_at:
            self.is_steady = True

    def share(self, now: float) -> float:
        """Which part of its share it gets now."""
        if self.is_steady or self.is_out or now >= self._whole_at:
            return 1.0
        grown = max(0.0, now - self._back_at) / (self._whole_at - self._back_at)
        return LEAST_SHARE + (1.0 - LEAST_SHARE) * grown

    def takes_turn(self, now: float) -> bool:
        """Whether it takes a turn that has come to it: as many of them as its share says, evenly spread."""
        self._turns += self.share(now)
        if self._turns < 1.0:
            return False
        self._turns -= 1.0
        return True
