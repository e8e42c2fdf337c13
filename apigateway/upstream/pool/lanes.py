"""Those who wait for a connection to a target: in the order of arrival, while it is besieged in two lanes.

Knows receivers, and until when each waits; the transports know the connections.
"""

from __future__ import annotations

from collections.abc import Iterable

from apigateway.interfaces import IAttemptReceiver
from apigateway.upstream.pool.crowding import TOO_SLOW, Attempt, Crowd
from apigateway.upstream.pool.line import Line
from apigateway.upstream.pool.options import PoolOptions, exhausted

NO_LINE = float("inf")
"""Until when those wait whose connection is being made: the dialer has a time limit of its own, and tells."""

Places = dict[IAttemptReceiver, tuple[float, bool]]


class Lanes:
    """The line for a connection, each waiting for `wait_s` seconds at most.

    `first` and `behind` are the lanes: until when each waits, and whether for a connection that was never used. Behind
    are those whom `crowd` doubts, and only as long as it is besieged.
    """

    __slots__ = ("first", "behind", "crowd", "_options", "_wait_s", "_line", "_line_behind")

    def __init__(self, options: PoolOptions, wait_s: float) -> None:
        self.first: Places = {}
        self.behind: Places = {}
        self.crowd = Crowd(options.connections)
        self._options = options
        self._wait_s = wait_s
        self._line = Line(options.waiting, wait_s)
        self._line_behind = Line(options.waiting, wait_s)

    def __len__(self) -> int:
        return len(self.first) + len(self.behind)

    def __repr__(self) -> str:
        return f"<Lanes first={len(self.first)} behind={len(self.behind)} {self.crowd}>"

    @property
    def wanted(self) -> int:
        """How many would take a connection now."""
        behind = len(self.behind)
        return len(self.first) + (min(behind, self.crowd.places) if behind else 0)

    def holds_back(self, receiver: IAttemptReceiver) -> bool:
        """The receiver has to join the line though there may be connections: those are kept for others."""
        crowd = self.crowd
        return crowd.is_besieged and crowd.doubts(receiver)

    def join(self, receiver: IAttemptReceiver, fresh: bool, connecting: int, now: float) -> None:
        """Wait, or be told that there is no place. `connecting` of those in the first lane do not stand in line.

        Where none of the slow make room for whoever is not doubted, the last of those behind does.
        """
        is_behind = self.holds_back(receiver)
        lane, line = (self.behind, self._line_behind) if is_behind else (self.first, self._line)
        standing = len(lane) if is_behind else len(lane) - connecting
        if not is_behind and self.behind and len(self) - connecting >= self._options.waiting:
            self.turn_away()
        if len(self) - connecting < self._options.waiting and line.takes(standing, now):
            lane[receiver] = (now + self._wait_s, fresh)
        else:
            receiver.failed(exhausted(self._options))

    def turn_away(self) -> bool:
        """The last of those behind, if there is one, has no place any more."""
        if not self.behind:
            return False
        receiver, _ = self.behind.popitem()
        receiver.failed(exhausted(self._options))
        return True

    def yield_to(self, receiver: IAttemptReceiver, now: float) -> bool:
        """Another exchange ends so that this one may begin, if it is not doubted; False where none does."""
        if not self.crowd.is_besieged or self.crowd.doubts(receiver):
            return False
        return self.turn_away() or self.make_room(now)

    def make_room(self, now: float) -> bool:
        """End what the slowest client holds; False where none is known to be slow."""
        receiver = self.crowd.slowest(now)
        if receiver is not None:
            receiver.stop(TOO_SLOW)
        return receiver is not None

    def leave(self, receiver: IAttemptReceiver) -> None:
        """The receiver does not wait any more."""
        if self.first.pop(receiver, None) is None:
            self.behind.pop(receiver, None)

    def take(self, is_fresh: bool, now: float) -> tuple[IAttemptReceiver, bool] | None:
        """The next whom a connection suits, and whether it wants a fresh one; `is_fresh`: it was never used."""
        if self.crowd.is_besieged:
            self._set_back()
        for receiver, (until, wants_fresh) in self.first.items():
            if is_fresh or not wants_fresh:
                del self.first[receiver]
                if until is not NO_LINE:
                    self._line.served(now)
                return receiver, wants_fresh
        if self.behind and self.crowd.places:
            return self._take_behind(is_fresh, now)
        return None

    def _set_back(self) -> None:
        """Whoever has come to be doubted since joining the first lane, and is at its front, goes behind."""
        while self.first:
            receiver, place = next(iter(self.first.items()))
            if place[0] is NO_LINE or not self.holds_back(receiver):
                return
            del self.first[receiver]
            self.behind[receiver] = place

    def _take_behind(self, is_fresh: bool, now: float) -> tuple[IAttemptReceiver, bool] | None:
        for receiver, (_, wants_fresh) in self.behind.items():
            if is_fresh or not wants_fresh:
                del self.behind[receiver]
                self._line_behind.served(now)
                self.crowd.admitted()
                return receiver, wants_fresh
        return None

    def sweep(self, attempts: Iterable[Attempt], busy: int, now: float) -> None:
        """Tell whoever has waited too long, look at the crowd, and let the slow make room for those in line."""
        for receiver in [one for lane in (self.first, self.behind) for one, (until, _) in lane.items() if until <= now]:
            # What the one before did may have helped this one.
            if self.first.pop(receiver, None) or self.behind.pop(receiver, None):
                receiver.failed(exhausted(self._options))
        was_besieged = self.crowd.is_besieged
        self.crowd.look(attempts, busy, now)
        if was_besieged or self.crowd.is_besieged:
            self._part()

    def _part(self) -> None:
        """Put everybody into the lane that is theirs now, in the order of their arrival."""
        everybody = sorted([*self.first.items(), *self.behind.items()], key=lambda one: one[1][0])
        self.first.clear()
        self.behind.clear()
        for receiver, place in everybody:
            lane = self.behind if place[0] is not NO_LINE and self.holds_back(receiver) else self.first
            lane[receiver] = place
