"""How many connections clients may have, in all and each: who makes room for whom.

Knows which client a connection belongs to, whether it is at rest and since when; nothing of what is spoken on it. What
it costs falls on new connections and not on exchanges.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from itertools import islice
from typing import Any, Protocol

from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

from apigateway.sockets.seldom import Seldom

MOST_LOOKS = 256
"""For one new connection so many clients are asked for one at rest; the next new one asks others."""

LOOK_S = 10e-6
"""All connections of a client are looked at once in so many seconds for each: a small share of the time."""

UNIX = "unix"
"""What stands for the address of a client that has none."""

TRUSTED = ""
"""The client that all trusted proxies together are: it has no bound of its own, and makes room last."""

IN_ALL, PER_CLIENT, DESCRIPTORS = "connections", "connections-per-client", "descriptors"
REASONS = (IN_ALL, PER_CLIENT, DESCRIPTORS)
"""Why room had to be made."""

_log = Logger(namespace="apigateway.downstream")


def host_of(address: IAddress | None) -> str:
    """The address of a client, as it counts here."""
    return getattr(address, "host", None) or UNIX


class Connection(Protocol):
    """What must be known of a connection; `client` is kept there for `Connections`."""

    client: Client | None
    rests_since: float

    @property
    def at_rest(self) -> bool:
        """No exchange is in progress."""

    def make_room(self) -> None:
        """Close, now."""


class Client:
    """One client's connections, and those of them that were at rest when they were last looked at, oldest first."""

    __slots__ = ("key", "connections", "resting", "look_again")

    def __init__(self, key: str) -> None:
        self.key = key
        self.connections: dict[Connection, None] = {}
        self.resting: deque[tuple[float, Connection]] = deque()
        self.look_again = 0.0

    def __repr__(self) -> str:
        return f"<Client {self.key or 'trusted'} connections={len(self.connections)}>"

    @property
    def rank(self) -> int:
        """Who has the highest makes room first."""
        return len(self.connections) if self.key else 0

    def longest_at_rest(self, now: float) -> Connection | None:
        """Its connection that has been at rest for the longest time, which is then no longer one of its."""
        found = self._next_resting()
        if found is None and now >= self.look_again:
            self._look(now)
            found = self._next_resting()
        return found

    def _next_resting(self) -> Connection | None:
        while self.resting:
            since, connection = self.resting.popleft()
            # It may have been used, or be gone, since it was looked at; whatever came to rest later is younger.
            if connection in self.connections and connection.at_rest and connection.rests_since == since:
                del self.connections[connection]
                return connection
        return None

    def _look(self, now: float) -> None:
        self.look_again = now + len(self.connections) * LOOK_S
        resting = [(one.rests_since, one) for one in self.connections if one.at_rest]
        resting.sort(key=lambda found: found[0])
        self.resting = deque(resting)

    def forget(self, connection: Connection) -> None:
        """It is gone."""
        self.connections.pop(connection, None)
        if len(self.resting) > 2 * len(self.connections):
            self.resting.clear()  # most of them are gone, and would be kept alive here


class Connections:
    """All clients' connections. `client_of` tells which client an address belongs to; `now` is in seconds.

    `refused` and `evicted` count, by reason, new connections that were not taken and such at rest that made room.
    """

    def __init__(self, most: int, most_per_client: int, client_of: Callable[[str], str], now: Callable[[], float]):
        self.most = most
        self.most_per_client = most_per_client
        self.refused: Counter[str] = Counter()
        self.evicted: Counter[str] = Counter()
        self._client_of = client_of
        self._now = now
        self._clients: dict[str, Client] = {}
        # By rank; a client that was asked in vain goes to the end of its row.
        self._ranks: dict[int, dict[Client, None]] = {}
        self._count = 0
        self._bounded = Seldom(now, self._tell)

    def __repr__(self) -> str:
        return f"<Connections {self._count} of {len(self._clients)} clients>"

    def __len__(self) -> int:
        return self._count

    def describe(self) -> dict[str, Any]:
        """How many are open, of how many clients, and how many were evicted and refused so far, by reason."""
        return {
            "open": self._count,
            "clients": len(self._clients),
            "evicted": {reason: self.evicted[reason] for reason in REASONS},
            "refused": {reason: self.refused[reason] for reason in REASONS[:2]},
        }

    def admits(self, address: str) -> bool:
        """Whether a connection from there may be made; where there is no room, one at rest is closed for it."""
        return self.has_room_for(self._client_of(address))

    def has_room_for(self, key: str) -> bool:
        """The same for a client."""
        if key != TRUSTED:
            client = self._clients.get(key)
            if client is not None and len(client.connections) >= self.most_per_client:
                return self._settled(PER_CLIENT, self._evict_from(client, self._now()))
        if self._count >= self.most:
            return self._settled(IN_ALL, self._evict(self._now()))
        return True

    def make_room(self, count: int) -> int:
        """Close up to so many at rest, because there are no descriptors; returns how many."""
        now, made = self._now(), 0
        while made < count and self._evict(now):
            made += 1
        self.evicted[DESCRIPTORS] += made
        return made

    def opened(self, connection: Connection, address: str) -> None:
        """A connection is there."""
        self.joined(connection, self._client_of(address))

    def joined(self, connection: Connection, key: str) -> None:
        """A connection of a client is there."""
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = Client(key)
        before = client.rank
        client.connections[connection] = None
        connection.client = client
        self._count += 1
        self._moved(client, before)

    def replace(self, connection: Connection, by: Connection) -> None:
        """A connection is another one's from now on, and counts as before."""
        client, connection.client = connection.client, None
        if client is not None and client.connections.pop(connection, self) is None:
            client.connections[by] = None
            by.client = client

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        client, connection.client = connection.client, None
        if client is not None and connection in client.connections:
            before = client.rank
            client.forget(connection)
            self._lost_one(client, before)

    def _settled(self, reason: str, made_room: bool) -> bool:
        (self.evicted if made_room else self.refused)[reason] += 1
        self._bounded.happened()
        return made_room

    def _evict(self, now: float) -> bool:
        looks = MOST_LOOKS
        for rank in sorted(self._ranks, reverse=True):
            row = self._ranks[rank]
            for client in list(islice(row, looks)):
                if self._evict_from(client, now):
                    return True
                del row[client]
                row[client] = None
                looks -= 1
            if not looks:
                break
        return False

    def _evict_from(self, client: Client, now: float) -> bool:
        before = client.rank
        connection = client.longest_at_rest(now)
        if connection is None:
            return False
        self._lost_one(client, before)
        connection.make_room()
        return True

    def _lost_one(self, client: Client, before: int) -> None:
        self._count -= 1
        self._moved(client, before)

    def _moved(self, client: Client, before: int) -> None:
        row = self._ranks.get(before)
        if row is not None:
            row.pop(client, None)
            if not row:
                del self._ranks[before]
        if client.connections:
            self._ranks.setdefault(client.rank, {})[client] = None
        else:
            del self._clients[client.key]

    def _tell(self, times: int) -> None:
        _log.warn(
            "{open} connections of clients are open; since the start {evicted} made room and {refused} were refused",
            event="connections-bounded", open=self._count, times=times,
            evicted=self.evicted.total(), refused=self.refused.total(),
        )  # fmt: skip
