"""Who makes room when slow clients hold the connections to a target: the slowest, and for whom.

Nothing of it costs anything until the pool is crowded. Knows attempts and what they are for, and of a client only a
word that tells it from others; neither connects nor closes. Times are monotonic seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from apigateway.errors import CLIENT_TOO_SLOW, GatewayError
from apigateway.interfaces import IAttemptReceiver
from apigateway.upstream.sliding import SlidingCount
from apigateway.upstream.steps.time_limits import NEVER

CROWDED_RATE = 16 * 1024
"""Bytes a second that an exchange must move to be safe, where its client is the one to hurry and others wait."""

PATIENCE_S = 1.0
"""Over so long the rate is measured."""

SIEGE_S = 30.0
"""For so long after a client had to make room connections are kept for others; a slow reader is doubted as long."""

MOST_SUSPECTS = 4096
"""So many clients are doubted; beyond that the first are forgotten."""

CROWDED_SHARE = 3 / 4
"""Of the connections: with more in use the pool is crowded."""

KEPT_SHARE = 1 / 8
"""Of the connections: so many are kept, at most, for those who are not doubted."""

TOO_SLOW = GatewayError(CLIENT_TOO_SLOW, "All connections to the service are busy, and this client was the slowest.")


class Attempt(Protocol):
    """All that is to be known of an `IAttempt`."""

    @property
    def receiver(self) -> IAttemptReceiver | None:
        """Whom it is for; None when it is over."""


class _Seen(NamedTuple):
    """What an attempt had moved at the beginning of the present window, and its rate in the one before."""

    receiver: IAttemptReceiver
    since: float
    moved: int
    rate: float


class Crowd:
    """The attempts at one target that are awaited: the client of each is the one to hurry.

    `is_besieged`: clients are known to be slow, or had to make room lately. Then whoever is doubted stands behind all
    others: a request that is not all here yet, and any of a client that took an answer too slowly lately. Of one that
    sent too slowly nothing is remembered: its next request is seen to be slow before it costs anything, and many others
    may have the same address.
    """

    __slots__ = ("is_besieged", "_connections", "_seen", "_slow", "_suspects", "_cuts", "_doubted", "_trusted")

    def __init__(self, connections: int) -> None:
        self.is_besieged = False
        self._connections = connections
        self._seen: dict[Attempt, _Seen] = {}
        # The slowest is the last.
        self._slow: list[tuple[float, Attempt, IAttemptReceiver]] = []
        self._suspects: dict[str, float] = {}
        self._cuts = SlidingCount(SIEGE_S)
        # Of those under way so many are doubted, and so many of each client are not.
        self._doubted = 0
        self._trusted: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Crowd besieged={self.is_besieged} slow={len(self._slow)} suspects={len(self._suspects)}>"

    @property
    def kept(self) -> int:
        """How many connections are kept for those who are not doubted: as many as had to be taken from the slow."""
        share = max(1, int(self._connections * KEPT_SHARE))
        return min(self._cuts.all, share, self._connections - 1)

    @property
    def places(self) -> int:
        """How many more who are doubted may have a connection now, if there is one."""
        return max(0, self._connections - self.kept - self._doubted)

    def doubts(self, receiver: IAttemptReceiver) -> bool:
        """Whether it stands behind the others."""
        return receiver.exchange.client in self._suspects or _is_arriving(receiver)

    def admitted(self) -> None:
        """One who is doubted has got a connection."""
        self._doubted += 1

    def look(self, attempts: Iterable[Attempt], busy: int, now: float) -> None:
        """See how fast everybody is. `attempts` are those under way, on `busy` connections.

        Called several times a second.
        """
        if busy <= self._connections * CROWDED_SHARE and not self.is_besieged:
            self._seen.clear()
            return
        before, self._seen = self._seen, {}
        self._doubted = 0
        self._trusted.clear()
        for attempt in attempts:
            receiver = attempt.receiver
            if receiver is not None:
                self._count(receiver)
                if receiver.deadline == NEVER:
                    self._seen[attempt] = _measured(before.get(attempt), receiver, now)
        slow = [(seen.rate, attempt, seen.receiver) for attempt, seen in self._seen.items() if seen.rate < CROWDED_RATE]
        slow.sort(key=lambda one: -one[0])
        self._slow = slow
        self._forget(now)

    def _count(self, receiver: IAttemptReceiver) -> None:
        if self.doubts(receiver):
            self._doubted += 1
        else:
            self._trusted[receiver.exchange.client] += 1

    def _forget(self, now: float) -> None:
        self._cuts.move_to(now)
        suspects = self._suspects
        for client in [client for client, until in suspects.items() if until <= now]:
            del suspects[client]
        self.is_besieged = bool(self._slow or self._cuts.all or suspects)

    def slowest(self, now: float) -> IAttemptReceiver | None:
        """Who is to make room now, and counts as having done so; None where nobody is known to be slow."""
        while self._slow:
            _, attempt, receiver = self._slow.pop()
            # It may be over, or not awaited any more, since it was looked at.
            if attempt.receiver is receiver and receiver.deadline == NEVER:
                self._cuts.count(now)
                if not _is_arriving(receiver):
                    self._suspect(receiver.exchange.client, now)
                self._doubted -= 1
                return receiver
        return None

    def _suspect(self, client: str, now: float) -> None:
        self._doubted += self._trusted.pop(client, 0)
        self._suspects.pop(client, None)
        self._suspects[client] = now + SIEGE_S
        if len(self._suspects) > MOST_SUSPECTS:
            del self._suspects[next(iter(self._suspects))]


def _is_arriving(receiver: IAttemptReceiver) -> bool:
    exchange = receiver.exchange
    return bool(exchange.head.length) and not exchange.downstream.progress()[0]


def _measured(before: _Seen | None, receiver: IAttemptReceiver, now: float) -> _Seen:
    exchange = receiver.exchange
    moved = exchange.bytes_in + exchange.bytes_out - exchange.downstream.progress()[1]
    if before is None or before.receiver is not receiver:
        return _Seen(receiver, now, moved, NEVER)
    passed = now - before.since
    if passed < PATIENCE_S:
        return before
    return _Seen(receiver, now, moved, (moved - before.moved) / passed)
