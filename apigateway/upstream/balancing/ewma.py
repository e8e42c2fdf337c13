"""How long one target takes to answer: an average that follows a rise at once and a fall slowly.

Knows no clock: `now` is monotonic seconds, and so is everything else. Lives with its target.
"""

from __future__ import annotations

from math import exp

FAILED_S = 1.0
"""An attempt that failed counts as one that took at least so long: to refuse quickly is not to answer quickly."""


class PeakEwma:
    """An exponentially weighted moving average of response times, which jumps to a peak.

    What is older than `decay_s` counts little, also where nothing new comes: a target that was slow is tried again
    after a while. `seconds` is the average as of the last response, 0 before the first.
    """

    __slots__ = ("seconds", "_decay_s", "_at")

    def __init__(self, decay_s: float) -> None:
        self.seconds = 0.0
        self._decay_s = decay_s
        self._at = 0.0

    def __repr__(self) -> str:
        return f"<PeakEwma {self.seconds * 1000:.3f} ms>"

    def learn(self, seconds: float, now: float) -> None:
        """A response took so long."""
        before = self.now(now)
        if seconds < before:
            kept = exp(-max(0.0, now - self._at) / self._decay_s)
            seconds += (self.seconds - seconds) * kept
        self.seconds = seconds
        self._at = max(self._at, now)

    def learn_least(self, seconds: float, now: float) -> None:
        """No response came within this time."""
        if seconds > self.now(now):
            self.learn(seconds, now)

    def learn_failure(self, now: float) -> None:
        """An attempt failed by the target's fault."""
        self.learn_least(FAILED_S, now)

    def forget(self) -> None:
        """What was before says nothing of what comes."""
        self.seconds = 0.0

    def attempt_over(self, sent: float, answered: float, now: float) -> None:
        """An attempt is over whose head was `sent`, and which was `answered` then; 0.0 where it was not."""
        if answered >= sent > 0:
            self.learn(answered - sent, answered)
        elif sent > 0:
            self.learn_least(now - sent, now)

    def now(self, now: float) -> float:
        """The average, faded since the last response."""
        return self.seconds * exp((self._at - now) / self._decay_s) if now > self._at else self.seconds
