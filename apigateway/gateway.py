"""The running gateway: the current Snapshot, the swap to another one, and the start and the end of all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from random import Random
from typing import Any

from twisted.application import service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource

from apigateway.admin.pages import gateway_pages
from apigateway.admin.view import View
from apigateway.assembly.assembly import Assembly, Plan, identity
from apigateway.assembly.components import Surroundings
from apigateway.config.model import Configuration, EventLog
from apigateway.config.problems import ConfigurationError
from apigateway.downstream.connections import TRUSTED
from apigateway.downstream.listeners import Listeners
from apigateway.downstream.request_adapter import exchange_for, refused_exchange
from apigateway.downstream.site import GatewaySite, SiteLimits
from apigateway.errors import GatewayError
from apigateway.exchange import Exchange
from apigateway.http.request_reader import HeadLimits
from apigateway.interfaces import IExchangeObserver, IPolicyPlugin
from apigateway.lifecycle.reloading import Reloading
from apigateway.lifecycle.source import Source
from apigateway.lifecycle.stopping import Stopping
from apigateway.policies.client_key import limit_key
from apigateway.routing.snapshot import Snapshot
from apigateway.sockets.descriptors import bounded_connections
from apigateway.sockets.transports import Sockets
from apigateway.telemetry.access_log import AccessLog
from apigateway.telemetry.reloads import Reload
from apigateway.telemetry.telemetry import Telemetry

_log = Logger(namespace="apigateway.gateway")

SWEEP_S = 0.25
"""How often deadlines are looked at."""


class Gateway(service.MultiService):
    """A gateway, which begins with `configuration`, and can go on with another one.

    `source` is where the configuration came from, to be read again; None where a program made it. `log_changed` is told
    of other options for the gateway's own events.
    `reactor` is also the clock of timers; `now` reads a monotonic clock. `mounts` are further stock Resources, by path.
    `observers` see each exchange when it is over. `random` gives request ids and the jitter of health checks.
    `policies` are kinds of policies that are not in the box.
    """

    def __init__(
        self,
        configuration: Configuration,
        reactor: Any,
        now: Callable[[], float] = time.monotonic,
        mounts: dict[bytes, Resource] | None = None,
        observers: Sequence[IExchangeObserver] = (),
        random: Random | None = None,
        source: Source | None = None,
        log_changed: Callable[[EventLog], None] = lambda options: None,
        policies: Sequence[IPolicyPlugin] = (),
    ) -> None:
        super().__init__()
        self.configuration = configuration
        self.reactor = reactor
        self.stopping = False
        self._mounts = mounts or {}
        self._log_changed = log_changed
        self._now = now
        self._sockets = Sockets(reactor)
        around = Surroundings(reactor, self._sockets.connect, now, random or Random())
        self._identify = identity(configuration, around)
        self._assembly = Assembly(around, self._adapt, plugins=policies)
        self.telemetry = Telemetry(configuration.access_log, reactor, now)
        self.telemetry.lag.wait = self._sockets.wait(now)
        self._observe = _fan_out(self.telemetry, observers)
        self._reloading = Reloading(
            source, reactor, now, lambda: self.configuration, lambda: self.stopping, self.change,
            self.telemetry.reopen_access_log,
        )  # fmt: skip
        plan = self._assembly.plan(configuration, self._pages(configuration))
        self._assembly.use(plan)
        self.snapshot: Snapshot = plan.snapshot
        self.site = GatewaySite(
            self.snapshot.resource, self._enter, self._identify, self._observe,
            _site_limits(configuration), now, reactor, self._client_of,
        )  # fmt: skip
        self._listeners = Listeners(self.site, reactor, self._sockets.take)
        self._ending = Stopping(self.site, self._listeners, self._assembly.everyone, reactor, now)
        self._ended: Deferred[None] | None = None
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = reactor

    @property
    def ports(self) -> list[IListeningPort]:
        """Where clients can connect."""
        return self._listeners.ports

    def _pages(self, configuration: Configuration) -> dict[bytes, Resource]:
        return gateway_pages(self._view(configuration)) | self._mounts

    def _view(self, configuration: Configuration) -> View:
        admin = configuration.admin
        return View(
            snapshot=lambda: self.snapshot,
            telemetry=self.telemetry,
            now=self._now,
            stopping=lambda: self.stopping,
            limiter_clients=self._assembly.tracked_clients,
            shedding=self._assembly.shedding,
            connections=self._connections,
            allow=tuple(ip_network(network, strict=False) for network in admin.allow),
            token=admin.token,
            hosts=admin.hosts,
            reloads=self._reloading.reloads,
            reload=self.reload,
        )

    def _connections(self) -> dict[str, Any]:
        return self.site.connections.describe()

    def _client_of(self, address: str) -> str:
        return TRUSTED if self._identify.trusts(address) else limit_key(address)

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
        self._assembly.start_checks()
        self._reloading.watch(self.configuration.watch)
        # Said once signals are heeded: who waits for these words may stop us at once.
        self.reactor.callWhenRunning(self._listeners.tell)

    def _open(self) -> None:
        if self.ports:
            return
        self.telemetry.start()
        for endpoint in self.configuration.listen:
            failures: list[Failure] = []
            self._listeners.begin(endpoint).addErrback(failures.append)
            if failures:
                failures[0].raiseException()

    # Change.

    def reload(self, asked_by: str) -> Deferred[Reload]:
        """Read the configuration again, and go on with it if all of it can be used. `asked_by` is for the record."""
        return self._reloading.ask(asked_by)

    async def change(self, configuration: Configuration) -> tuple[str, ...]:
        """Go on with another configuration; returns why that can't be, in which case nothing has changed.

        One change at a time: `reload` sees to that.
        """
        plan, problems = self._plan(configuration)
        log, unopened = self._open_log(configuration)
        added, failed = await self._listeners.add(configuration.listen)
        problems += unopened + failed
        if self.stopping:
            problems.append("the gateway is stopping")
        if plan is None or problems:
            self.telemetry.drop_access_log(log)
            await self._listeners.close(added)
            return tuple(problems)
        self._use(configuration, plan, log)
        self._listeners.tell(added)
        await self._listeners.close(self._listeners.left_out(configuration.listen))
        return ()

    def _plan(self, configuration: Configuration) -> tuple[Plan | None, list[str]]:
        try:
            return self._assembly.plan(configuration, self._pages(configuration)), []
        except ConfigurationError as error:
            return None, [str(problem) for problem in error.problems]

    def _open_log(self, configuration: Configuration) -> tuple[AccessLog | None, list[str]]:
        options = configuration.access_log
        try:
            return self.telemetry.open_access_log(options), []
        except OSError as error:
            return None, [f"access_log.file: {options.file if options else ''!r} cannot be opened: {error.strerror}"]

    def _use(self, configuration: Configuration, plan: Plan, log: AccessLog | None) -> None:
        before, self.configuration = self.configuration, configuration
        self._assembly.use(plan)
        self.snapshot = plan.snapshot
        self.site.resource = plan.snapshot.resource
        self.site.bound(_site_limits(configuration))
        if configuration.trusted_proxies != before.trusted_proxies:
            self._identify = self.site.identify = identity(configuration, self._assembly.around)
        self.telemetry.use_access_log(log, configuration.access_log)
        if configuration.log != before.log:
            self._log_changed(configuration.log)
        self._reloading.watch(configuration.watch)

    def _sweep(self) -> None:
        """No failure in one place may end the deadlines of all."""
        now = self._now()
        for sweep in [self.site.sweep, self._heed_lag, *self._assembly.sweeps()]:
            try:
                sweep(now)
            except Exception:
                _log.failure("a sweep failed")

    def _heed_lag(self, now: float) -> None:
        self._assembly.shedding.heed(self.telemetry.lag.least(), now)

    def stopService(self) -> Deferred[None]:
        """Stop in order: not ready, no new connections, the running exchanges' time, the rest is cut.

        Asked again, it tells of the same end.
        """
        if self._ended is None:
            self.stopping = True
            self._ended = Deferred.fromCoroutine(self._stop())
        mine: Deferred[None] = Deferred()
        self._ended.addBoth(_tell, mine)
        return mine

    def hurry(self) -> None:
        """Skip what is left of the time to stop, once that has begun."""
        if self.stopping:
            self._ending.hurry()

    async def _stop(self) -> None:
        _log.info("stopping", event="stopping")
        self._reloading.watch(False)
        stop = self.configuration.stop
        await self._ending.run(stop.accept, stop.drain)
        self._assembly.stop_checks()
        self._assembly.close()
        if self._sweeping.running:
            self._sweeping.stop()
        self.telemetry.stop()
        parts = super().stopService()
        if isinstance(parts, Deferred):
            await parts
        _log.info("stopped", event="stopped")


def _tell(result: Any, mine: Deferred[Any]) -> Any:
    """Pass a result on to somebody else as well."""
    mine.callback(result)
    return None if isinstance(result, Failure) else result


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


def _site_limits(configuration: Configuration) -> SiteLimits:
    limits = configuration.limits
    to_services = sum(one.pool.connections * len(one.targets) for one in configuration.services)
    connections = bounded_connections(limits.connections, to_services)
    return SiteLimits(
        head=HeadLimits(limits.head, limits.fields, limits.uri),
        connections=connections,
        # However few there are: one client must not keep all others out.
        connections_per_client=min(limits.connections_per_client, max(1, connections // 2)),
        head_s=limits.head_timeout,
        keep_alive_s=limits.keep_alive,
        body_s=limits.body_timeout,
        min_rate=limits.min_rate,
    )
