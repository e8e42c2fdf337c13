"""Which of several services answers an exchange: by what its request says, or by shares of what no rule matches.

Sticky shares put every client at a point between 0 and 1, the same for ever: each share is a stretch of points. The
first share grows from 0 upwards, the others one below the other from 1 downwards. So a share that grows takes in
clients and lets none go, and of two neither takes any from the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from apigateway.exchange import Exchange
from apigateway.http.cookies import cookie
from apigateway.http.heads import RequestHead
from apigateway.policies.client_key import limit_key
from apigateway.upstream.balancing.keys import key_of
from apigateway.upstream.service import Service
from apigateway.upstream.steps.plan import ForwardPlan

Point = Callable[[Exchange], float]
"""Where an exchange stands, from 0 up to but not including 1."""

Pairs = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Match:
    """Takes requests that have all of these fields (names in lower case) and cookies, with just these values."""

    service: Service
    headers: Pairs = field(default=(), repr=False)
    cookies: Pairs = field(default=(), repr=False)

    def takes(self, head: RequestHead) -> bool:
        """Whether a request is one of those."""
        return all(head.get(name) == value for name, value in self.headers) and all(
            cookie(head, name) == value for name, value in self.cookies
        )


@dataclass(frozen=True, slots=True)
class Share:
    """Takes a part, 0 to 1, of the requests that no rule matches."""

    service: Service
    part: float


class Split:
    """Chooses the service of each exchange; what no rule takes is for `service`. `point` is asked only for shares.

    `plan` is how exchanges are sent to the other services.
    """

    __slots__ = ("service", "_matches", "_stretches", "_point", "_plan")

    def __init__(
        self, service: Service, matches: Iterable[Match], shares: Sequence[Share], point: Point, plan: ForwardPlan
    ) -> None:
        self.service = service
        self._matches = tuple(matches)
        self._stretches = _stretches(shares)
        self._point = point
        self._plan = plan

    def __repr__(self) -> str:
        shares = " ".join(f"{low:g}-{high:g}:{service.name}" for low, high, service in self._stretches)
        return f"<Split {self.service.name} matches={len(self._matches)} {shares}>"

    @property
    def services(self) -> tuple[Service, ...]:
        """All that may be chosen."""
        return (self.service, *(one.service for one in self._matches), *(service for _, _, service in self._stretches))

    def choose(self, exchange: Exchange) -> Service:
        """The service that is to answer."""
        head = exchange.head
        for match in self._matches:
            if match.takes(head):
                return match.service
        if self._stretches:
            point = self._point(exchange)
            for low, high, service in self._stretches:
                if low <= point < high:
                    return service
        return self.service

    def forward(self, exchange: Exchange, plan: ForwardPlan) -> None:
        """Let the service that was chosen answer; `plan` is the route's to its own service."""
        service = self.choose(exchange)
        service.forward(exchange, plan if service is self.service else self._plan)


def _stretches(shares: Sequence[Share]) -> tuple[tuple[float, float, Service], ...]:
    """From where to where each share goes, in order."""
    stretches = []
    top = 1.0
    for number, share in enumerate(shares):
        if number == 0:
            stretches.append((0.0, share.part, share.service))
        else:
            # Rounded, so that shares that are all together leave no gap.
            low = round(top - share.part, 12)
            stretches.append((low, top, share.service))
            top = low
    return tuple(stretches)


def point_by(by: str, salt: str, random: Callable[[], float]) -> Point:
    """How exchanges get their points: "random", or always the same for a "client", "header:NAME" or "cookie:NAME".

    Who sends no such field or cookie is told by address. Another `salt` (at most 64 bytes) makes other points.
    """
    if by == "random":
        return lambda exchange: random()
    find, key = key_of(by, limit_key), salt.encode()
    return lambda exchange: spread(find(exchange) or limit_key(exchange.client).encode(), key)


def spread(value: bytes, key: bytes) -> float:
    """A number from 0 up to but not including 1 for a value: always the same, and evenly spread over values."""
    return (int.from_bytes(blake2b(value, digest_size=8, key=key).digest(), "big") >> 11) / (1 << 53)
