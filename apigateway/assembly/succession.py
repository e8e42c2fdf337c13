"""What becomes of the counts of a target when another takes its place."""

from __future__ import annotations

from apigateway.upstream.target import Target


class Succession:
    """A target took the place of another: the counts of the old one, also those still to come, go on in the new one."""

    __slots__ = ("old", "new", "attempts", "failures")

    def __init__(self, old: Target, new: Target) -> None:
        self.old = old
        self.new = new
        self.attempts = self.failures = 0
        self.settle()

    def settle(self) -> None:
        """Add what the old one has counted since the last time."""
        self.new.attempts += self.old.attempts - self.attempts
        self.new.failures += self.old.failures - self.failures
        self.attempts, self.failures = self.old.attempts, self.old.failures
