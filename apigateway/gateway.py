"""The running gateway: the current Snapshot, the listeners in front of it, and the ordered stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from random import Random
from typing import Any

from twisted.application import service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource

from apigateway.admin.pages import gateway_pages
from apigateway.admin.view import View
from apigateway.assembly import Assembly, Surroundings, identity
from apigateway.config.model import Configuration
from apigateway.config.model import Limits as LimitOptions
from apigateway.downstream.request_adapter import exchange_for, refused_exchange
from apigateway.downstream.site import GatewaySite, SiteLimits
from apigateway.errors import GatewayError
from apigateway.exchange import Exchange
from apigateway.http.request_reader import HeadLimits
from apigateway.interfaces import IExchangeObserver
from apigateway.routing.snapshot import Snapshot
from apigateway.sockets.transports import Sockets
from apigateway.telemetry.telemetry import Telemetry

_log = Logger(namespace="apigateway.gateway")

SWEEP_S = 0.25
"""How often deadlines are looked at."""

LOOK_S = 0.01
"""How often a stop looks whether clients' connections are left."""

CUT_S = 0.5
"""How long the ends of connections that were cut are awaited."""


class Gateway(service.MultiService):
    """A gateway for one configuration.

    `reactor` is also the clock of timers; `now` reads a monotonic clock. `mounts` are further stock Resources, by path.
    `observers` see each exchange when it is over. `random` gives request ids and the jitter of health checks.
    """

    def __init__(
        self,
        configuration: Configuration,
        reactor: Any,
        now: Callable[[], float] = time.monotonic,
        mounts: dict[bytes, Resource] | None = None,
        observers: Sequence[IExchangeObserver] = (),
        random: Random | None = None,
    ) -> None:
        super().__init__()
        self.configuration = configuration
        self.reactor = reactor
        self.ports: list[IListeningPort] = []
        self.stopping = False
        self._now = now
        self._sockets = Sockets(reactor)
        around = Surroundings(reactor, self._sockets.connect, now, random or Random(), dns_ttl_s=configuration.dns_ttl)
        self._identify = identity(configuration, around)
        self._assembly = Assembly(around, self._adapt)
        self.telemetry = Telemetry(configuration.access_log, reactor, now)
        self._observe = _fan_out(self.telemetry, observers)
        self._view = self._make_view()
        self.snapshot: Snapshot = self._assembly.snapshot(configuration, gateway_pages(self._view) | (mounts or {}))
        self.site = GatewaySite(
            self.snapshot.resource, self._enter, self._identify, self._observe,
            _site_limits(configuration.limits), now, reactor,
        )  # fmt: skip
        self._checkers = self._assembly.checkers(configuration, self.snapshot)
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = reactor

    def _make_view(self) -> View:
        admin = self.configuration.admin
        return View(
            snapshot=lambda: self.snapshot,
            telemetry=self.telemetry,
            now=self._now,
            stopping=lambda: self.stopping,
            limiter_clients=self._assembly.tracked_clients,
            allow=tuple(ip_network(network, strict=False) for network in admin.allow),
            token=admin.token,
        )

    def _enter(self, exchange: Exchange) -> Any:
        return self.snapshot.enter(exchange)

    def _adapt(self, request: Any) -> Exchange | None:
        """The exchange of a stock request, for proxy resources in a stock `Site`; None where it is refused already."""
        observe = self._observe
        try:
            exchange = exchange_for(request, observe, self._now)
        except GatewayError as error:
            exchange = refused_exchange(request, observe, self._now)
            self._identify(exchange)
            exchange.fail(error)
            return None
        self._identify(exchange)
        exchange.snapshot = self.snapshot
        return exchange

    # Life.

    def privilegedStartService(self) -> None:
        """Open the access log and the ports. Raises `OSError` and `CannotListenError`."""
        super().privilegedStartService()
        self._open()

    def startService(self) -> None:
        """Serve."""
        super().startService()
        self._open()
        self._sweeping.start(SWEEP_S, now=False)
        for checker in self._checkers:
            checker.start()
        # Said once signals are heeded: who waits for these words may stop us at once.
        self.reactor.callWhenRunning(self._tell_ports)

    def _tell_ports(self) -> None:
        for port in self.ports:
            _log.info("listening on {address}", event="listening", address=_address(port.getHost()))

    def _open(self) -> None:
        if self.ports:
            return
        self.telemetry.start()
        for endpoint in self.configuration.listen:
            listening = serverFromString(self.reactor, endpoint).listen(self.site)
            failures: list[Failure] = []
            listening.addCallbacks(self._listens, failures.append)
            if failures:
                failures[0].raiseException()

    def _listens(self, port: IListeningPort) -> None:
        self.ports.append(self._sockets.take(port))

    def _sweep(self) -> None:
        """No failure in one place may end the deadlines of all."""
        now = self._now()
        sweeps = [self.site.sweep, *(one.sweep for one in self.snapshot.services.values()), self._assembly.sweep]
        for sweep in sweeps:
            try:
                sweep(now)
            except Exception:
                _log.failure("a sweep failed")

    def stopService(self) -> Deferred[None]:
        """Stop in order: not ready, no new connections, the running exchanges' time, the rest is cut."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        stop = self.configuration.stop
        self.stopping = True
        _log.info("stopping", event="stopping")
        if stop.accept:
            await deferLater(self.reactor, stop.accept)
        for port in self.ports:
            await _done(port.stopListening())
        self.ports.clear()
        self.site.stop_accepting_requests()
        await self._channels_gone(stop.drain)
        self.site.cut_all()
        # Their ends, and so their records, come with the next turns of the reactor.
        await self._channels_gone(CUT_S)
        for checker in self._checkers:
            checker.stop()
        self._assembly.close()
        if self._sweeping.running:
            self._sweeping.stop()
        self.telemetry.stop()
        await _done(super().stopService())
        _log.info("stopped", event="stopped")

    async def _channels_gone(self, within_s: float) -> None:
        until = self._now() + within_s
        while self.site.channels and self._now() < until:
            await deferLater(self.reactor, LOOK_S)


def _address(host: Any) -> str:
    return f"{host.host}:{host.port}" if hasattr(host, "port") else str(getattr(host, "name", host))


async def _done(result: Any) -> None:
    if isinstance(result, Deferred):
        await result


def _fan_out(first: IExchangeObserver, others: Sequence[IExchangeObserver]) -> Callable[[Exchange], None]:
    """Telling the first alone costs nothing more than its own method."""
    if not others:
        return first.exchange_ended

    def tell(exchange: Exchange) -> None:
        first.exchange_ended(exchange)
        for other in others:
            try:
                other.exchange_ended(exchange)
            except Exception:
                _log.failure("an observer of exchanges failed")

    return tell


def _site_limits(limits: LimitOptions) -> SiteLimits:
    return SiteLimits(
        head=HeadLimits(limits.head, limits.fields, limits.uri),
        connections=limits.connections,
        head_s=limits.head_timeout,
        keep_alive_s=limits.keep_alive,
        body_s=limits.body_timeout,
    )
