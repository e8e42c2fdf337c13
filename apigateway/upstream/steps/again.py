"""What one exchange needs to be tried again: where it has been, how often it may still be tried, and its body.

Made when something fails, or when a body comes that may be sent again; most exchanges have none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from apigateway.interfaces import Fields, IAttempt

if TYPE_CHECKING:
    from apigateway.upstream.target import Target


class Timer(Protocol):
    """As much of an `IDelayedCall` as is needed."""

    def cancel(self) -> None:
        """Do nothing when the time comes."""


Later = Callable[[float, Callable[[], None]], Timer]
"""Call back after so many seconds."""


class Again:
    """`left` further attempts may be made, `made` were; `repeated`: the free one after a dead connection as well.

    `tried` are the targets that failed. `kept` are the pieces of the body so far, None where they are not kept.
    `waits_for` is the target that is asked when `timer` fires.
    """

    __slots__ = ("tried", "left", "made", "repeated", "kept", "waits_for", "timer", "_room", "_trailers")

    def __init__(self, left: int) -> None:
        self.tried: tuple[Target, ...] = ()
        self.left = left
        self.made = 0
        self.repeated = False
        self.kept: list[bytes] | None = None
        self.waits_for: Target | None = None
        self.timer: Timer | None = None
        self._room = 0
        self._trailers: Fields | None = None

    def __repr__(self) -> str:
        kept = "" if self.kept is None else f" kept={sum(map(len, self.kept))}"
        return f"<Again made={self.made} left={self.left}{kept}>"

    def begin_to_keep(self, room: int) -> None:
        """From now on the body is kept, as long as it has no more than `room` bytes."""
        self.kept = []
        self._room = room

    def keep(self, data: bytes) -> None:
        """A piece of the body; with one too many, all is let go."""
        if self.kept is not None:
            self._room -= len(data)
            if self._room < 0:
                self.kept = None
            else:
                self.kept.append(data)

    def keep_end(self, trailers: Fields) -> None:
        """The body is complete."""
        self._trailers = trailers

    def replay(self, attempt: IAttempt) -> None:
        """Send what has come of the body. The attempt keeps it until it is flushed."""
        for piece in self.kept or ():
            attempt.body(piece)
        if self._trailers is not None:
            attempt.body_end(self._trailers)

    def failed_at(self, target: Target) -> None:
        """One attempt is used up, and another one follows."""
        self.tried += (target,)
        self.left -= 1
        self.made += 1

    def wait(self, later: Later, seconds: float, target: Target, then: Callable[[], None]) -> None:
        """Ask `target` after a while."""
        self.waits_for = target
        self.timer = later(seconds, then)

    def waited(self) -> Target:
        """The time has come."""
        target, self.waits_for, self.timer = self.waits_for, None, None
        assert target is not None
        return target

    def stop_waiting(self, permit: int, now: float) -> None:
        """Nobody is asked any more: the permit of the target's breaker goes back."""
        if self.timer is not None:
            self.timer.cancel()
            breaker = self.waited().breaker
            if breaker is not None and permit:
                breaker.cancelled(permit, now)
