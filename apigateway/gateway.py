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
from apigateway.assembly.openings import openings
from apigateway.assembly.secured import warn_of_unverified
from apigateway.config.model import Configuration, EventLog
from apigateway.config.problems import ConfigurationError
from apigateway.config.usable import usable
from apigateway.downstream.connections import TRUSTED
from apigateway.downstream.listeners import Listeners
from apigateway.downstream.opening import Opening
from apigateway.downstream.request_adapter import exchange_for, refused_exchange
from apigateway.downstream.site import GatewaySite
from apigateway.errors import GatewayError
from apigateway.exchange import Exchange
from apigateway.interfaces import IExchangeObserver, IPolicyPlugin
from apigateway.lifecycle.bounds import connections_to_services, site_limits
from apigateway.lifecycle.discovering import Discovering
from apigateway.lifecycle.reloading import Reloading
from apigateway.lifecycle.source import Source
from apigateway.lifecycle.stopping import Stopping
from apigateway.lifecycle.watched_file import WatchedFile
from apigateway.policies.client_key import limit_key
from apigateway.routing.snapshot import Snapshot
from apigateway.sockets.transports import Sockets
from apigateway.telemetry.access_log import AccessLog
from apigateway.telemetry.observers import telling
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
        self.configuration = configuration = usable(configuration)
        self.reactor = reactor
        self.stopping = False
        self._mounts = mounts or {}
        self._log_changed = log_changed
        self._now = now
        self._sockets = Sockets(reactor, now)
        self.telemetry = Telemetry(configuration.access_log, reactor, now)
        self.telemetry.lag.wait = self._sockets.wait(now)
        around = Surroundings(reactor, self._sockets.connect, now, random or Random())
        self._identify = identity(configuration, around)
        self._assembly = Assembly(around, self._adapt, policies, self.telemetry.copy_ended)
        self._observe = telling(self.telemetry, observers)
        self._reloading = Reloading(
            source, reactor, now, lambda: self.configuration, lambda: self.stopping, self.change,
            self._reloaded,
        )  # fmt: skip
        self._discovering = Discovering(
            lambda one, changed: self._assembly.discovery(one, changed, lambda path: WatchedFile(path, reactor)),
            self._retarget, reactor, now,
        )  # fmt: skip
        self._to_services = 0
        self._own_pages: tuple[object, dict[bytes, Resource]] = None, {}
        plan = self._plan(configuration)
        self._assembly.use(plan)
        self.snapshot: Snapshot = plan.snapshot
        self.site = GatewaySite(
            self.snapshot.resource, self._enter, self._identify, self._observe,
            site_limits(configuration), now, reactor, self._client_of,
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
        """The pages remember who guesses at the token: they are others only where `admin` is."""
        if self._own_pages[0] != configuration.admin:
            self._own_pages = configuration.admin, gateway_pages(self._view(configuration))
        return self._own_pages[1] | self._mounts

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
            discovered=self._discovering.describe,
            awaited=self._discovering.awaited,
            tls=lambda: self._listeners.describe(),  # noqa: PLW0108  # there are none yet
        )

    def _connections(self) -> dict[str, Any]:
        return self.site.connections.describe()

    def _client_of(self, address: str) -> str:
        return TRUSTED if self._trusts(address) else limit_key(address)

    def _trusts(self, address: str) -> bool:
        return self._identify.trusts(address)  # who does it may change

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
        # What is found at once is there before the first client.
        self._discovering.follow(self.configuration.services)
        self._open()
        self._sweeping.start(SWEEP_S, now=False)
        self._assembly.start_checks()
        self._reloading.watch(self.configuration)
        warn_of_unverified(self.configuration)
        # Said once signals are heeded: who waits for these words may stop us at once.
        self.reactor.callWhenRunning(self._listeners.tell)

    def _open(self) -> None:
        if self.ports:
            return
        self.telemetry.start()
        for opening in self._openings(self.configuration):
            failures: list[Failure] = []
            self._listeners.begin(opening).addErrback(failures.append)
            if failures:
                failures[0].raiseException()

    def _openings(self, configuration: Configuration) -> list[Opening]:
        return openings(configuration, self._trusts)

    # Change.

    def reload(self, asked_by: str) -> Deferred[Reload]:
        """Read the configuration again, and go on with it if all of it can be used. `asked_by` is for the record."""
        return self._reloading.ask(asked_by)

    async def change(self, configuration: Configuration) -> tuple[str, ...]:
        """Go on with another configuration; returns why that can't be, in which case nothing has changed.

        One change at a time: `reload` sees to that.
        """
        plan, problems = self._try_to_plan(configuration)
        planned_after = self.snapshot
        log, unopened = self._open_log(configuration)
        wanted = self._openings(configuration)
        added, failed = await self._listeners.add(wanted)
        problems += unopened + failed
        if self.snapshot is not planned_after:
            # Other targets were discovered meanwhile: what the plan wants to keep may have left.
            plan, _ = self._try_to_plan(configuration)
        if self.stopping:
            problems.append("the gateway is stopping")
        if plan is None or problems:
            self.telemetry.drop_access_log(log)
            await self._listeners.close(added)
            return tuple(problems)
        self._use(configuration, plan, log)
        self._listeners.tell(added)
        await self._listeners.close(self._listeners.use(wanted))
        return ()

    def _reloaded(self) -> None:
        self.telemetry.reopen_access_log()
        warn_of_unverified(self.configuration)

    def _plan(self, configuration: Configuration) -> Plan:
        effective = self._discovering.effective(usable(configuration))
        return self._assembly.plan(effective, self._pages(configuration))

    def _try_to_plan(self, configuration: Configuration) -> tuple[Plan | None, list[str]]:
        try:
            return self._plan(configuration), []
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
        self._go_on_with(plan, True)
        self._identify = self.site.identify = identity(configuration, self._assembly.around)
        self.telemetry.use_access_log(log, configuration.access_log)
        if configuration.log != before.log:
            self._log_changed(configuration.log)
        self._reloading.watch(configuration)
        if self.running:
            self._discovering.follow(configuration.services)

    def _go_on_with(self, plan: Plan, is_other: bool) -> None:
        self._assembly.use(plan)
        self.snapshot = plan.snapshot
        self.site.resource = plan.snapshot.resource
        effective = plan.snapshot.configuration
        if is_other or connections_to_services(effective) > self._to_services:
            # With fewer it stays as it is: not each change of targets may repeat what is said of it.
            self._to_services = connections_to_services(effective)
            self.site.bound(site_limits(effective))
        self._discovering.in_use(effective)

    def _retarget(self) -> None:
        """Go on with the targets that are known now; all else stays as it is."""
        if not self.stopping:
            self._go_on_with(self._plan(self.configuration), False)

    def _sweep(self) -> None:
        """No failure in one place may end the deadlines of all."""
        now = self._now()
        for sweep in [self.site.sweep, self._listeners.sweep, self._heed_lag, *self._assembly.sweeps()]:
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
        self._reloading.stop()
        self._discovering.stop()
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
