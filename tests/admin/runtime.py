"""A runtime for the pages to look at, and a client that asks for them in memory."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any, NamedTuple

import orjson
from treq.testing import StubTreq
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer

from apigateway.admin.pages import gateway_pages
from apigateway.admin.view import View
from apigateway.config.model import CircuitBreaker as BreakerOptions
from apigateway.downstream.connections import Connections
from apigateway.exchange import Exchange
from apigateway.interfaces import IAttemptReceiver, ITransport
from apigateway.routing.route import Route
from apigateway.routing.shedding import Shedding
from apigateway.routing.snapshot import Snapshot
from apigateway.telemetry.reloads import Reloads
from apigateway.telemetry.telemetry import Telemetry
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.breaker import CircuitBreaker
from apigateway.upstream.health import TargetHealth
from apigateway.upstream.mirroring.mirror import Mirror, MirrorCounts
from apigateway.upstream.service import Service
from apigateway.upstream.steps.forward import Forward
from apigateway.upstream.steps.plan import ForwardPlan
from apigateway.upstream.steps.retry import RetryBudget
from apigateway.upstream.steps.terms import Terms
from apigateway.upstream.steps.time_limits import TimeLimits
from apigateway.upstream.target import Target

POOL = {"open": 3, "idle": 2, "waiting": 1, "opened": 5, "reused": 40}
WALL = 1_763_852_281.0


@implementer(ITransport)
class StillTransport:
    """A transport that has numbers, and no connections."""

    def lease(self, receiver: IAttemptReceiver, fresh: bool = False) -> None:
        raise NotImplementedError

    def cancel(self, receiver: IAttemptReceiver) -> None:
        raise NotImplementedError

    def make_room(self, receiver: IAttemptReceiver) -> bool:
        raise NotImplementedError

    def sweep(self, now: float) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def statistics(self) -> dict[str, int]:
        return POOL


class Runtime:
    """Services whose targets can be made ill, and everything else that the pages look at."""

    def __init__(self, token: str | None = "s3cret", hosts: tuple[str, ...] = ()) -> None:
        self.clock = Clock()
        self.clock.advance(WALL)
        self.is_stopping = False
        self.services: dict[str, Service] = {}
        self.routes: list[Route] = []
        self.discovered: dict[str, dict[str, Any]] = {}
        self.awaited: list[str] = []
        self.shedding = Shedding()
        self.telemetry = Telemetry(None, self.clock, self.now)
        self.view = View(
            snapshot=lambda: Snapshot(None, Resource(), self.services, tuple(self.routes)),
            telemetry=self.telemetry,
            now=self.now,
            stopping=lambda: self.is_stopping,
            limiter_clients=lambda: 17,
            allow=(ip_network("127.0.0.0/8"), ip_network("::1/128"), ip_network("10.1.0.0/16")),
            token=token,
            hosts=hosts,
            shedding=self.shedding,
            connections=Connections(20, 10, str, self.now).describe,
            reloads=Reloads(),
            reload=lambda asked_by: Deferred(),
            discovered=lambda: self.discovered,
            awaited=lambda: self.awaited,
        )
        self.pages = gateway_pages(self.view)

    def now(self) -> float:
        return self.clock.seconds() - WALL

    def service(self, name: str, *urls: str, breaker: bool = True) -> Service:
        """Add a service; its breakers open at the first failure and rest for 30 seconds."""
        targets = tuple(self._target(url, breaker) for url in urls)
        terms = Terms(TimeLimits(5.0, 30.0, 60.0))
        self.services[name] = service = Service(name, targets, terms, RetryBudget(), self.now)
        self.routes.append(Route(f"/{name}", f"/{name}".encode(), service))
        return service

    def mirror(self, service: Service, shadow: Service) -> MirrorCounts:
        """Requests to a service are sent to another one as well; what is counted of them."""
        counts = MirrorCounts()
        mirror = Mirror(shadow, "/r (mirrored)", ForwardPlan(), counts, set(), lambda: 0.0, lambda copy: None)
        self.routes.append(Route("/r", b"/r", service, mirrors=(mirror,)))
        return counts

    def begin(self, service: Service, route: str) -> None:
        """An exchange is under way, and stays so."""
        exchange = exchange_for()
        exchange.route = route
        service.active.add(Forward(service, exchange, ForwardPlan()))

    def _target(self, url: str, breaker: bool) -> Target:
        guard = CircuitBreaker(BreakerOptions(failures=1), lambda *change: None) if breaker else None
        return Target(url, url.encode(), 1, StillTransport(), guard, TargetHealth())

    def check(self, target: Target, error: str = "", latency: float = 0.004) -> None:
        """A health check ends; one is enough to change the health."""
        target.health.observe(not error, self.now(), latency, error, 1)

    def fail(self, target: Target) -> None:
        """An attempt fails, and opens the breaker."""
        assert target.breaker is not None
        target.breaker.failure(target.breaker.allows(self.now()), self.now(), "status 503")


class Answered(NamedTuple):
    """An answer, whole."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class _Root(Resource):
    """The pages as the gateway mounts them; gives each request an exchange, where there is one to give."""

    def __init__(self, pages: dict[bytes, Resource], exchange: Exchange | None) -> None:
        super().__init__()
        self._exchange = exchange
        for path, page in pages.items():
            self.putChild(path.strip(b"/"), page)

    def getChildWithDefault(self, path: bytes, request: Any) -> Any:
        if self._exchange is not None:
            request.exchange = self._exchange
        return super().getChildWithDefault(path, request)


class PagesTestCase(SynchronousTestCase):
    """Asks for pages from 127.0.0.1, or, with an `exchange`, from wherever its client is."""

    exchange: Exchange | None = None

    def setUp(self) -> None:
        self.runtime = Runtime()

    def from_client(
        self, client: str, proxy: str | None = None, minor: int = 1, special: dict[bytes, bytes] | None = None
    ) -> None:
        """The next requests come from there, perhaps through a trusted proxy, on the gateway's own data path.

        There, the version and the fields `special` count, not those of the stock request.
        """
        self.exchange = exchange_for(client=proxy or client)
        self.exchange.client = client
        self.exchange.head.minor = minor
        self.exchange.trusted = proxy is not None
        self.exchange.head.special.update(special or {b"host": b"127.0.0.1:8000"})
        self.exchange.request_id = b"5f1d7c0aa3"

    def ask(self, path: str, method: str = "GET", host: str = "127.0.0.1:8000", **fields: str) -> Answered:
        """One request; the names of `fields` are written as they are."""
        stub: Any = StubTreq(self._root())
        response = self.successResultOf(stub.request(method, f"http://{host}{path}", headers=fields))
        body = self.successResultOf(stub.content(response))
        found = {k.decode().lower(): ", ".join(v.decode() for v in vs) for k, vs in response.headers.getAllRawHeaders()}
        found.setdefault("content-length", str(response.length))
        return Answered(response.code, found, body)

    def ask_exactly(self, path: str, *fields: str, version: str = "1.1", method: str = "GET") -> bytes:
        """The whole answer to a request whose path no client has tidied up; without `fields` it has a `Host`."""
        peer = IPv4Address("TCP", "127.0.0.1", 50000)
        channel = Site(self._root()).buildProtocol(peer)
        transport = StringTransport(peerAddress=peer)
        channel.makeConnection(transport)
        lines = [f"{method} {path} HTTP/{version}", *(fields or ("Host: localhost",)), "Connection: close", "", ""]
        channel.dataReceived("\r\n".join(lines).encode())
        return bytes(transport.value())

    def _root(self) -> Resource:
        return _Root(self.runtime.pages, self.exchange)
