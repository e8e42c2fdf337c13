"""The ordered stop: clients are asked to leave, no more are let in, the running exchanges' time, the rest is cut.

Knows clients' connections and whoever is at work, not what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger

from apigateway.downstream.listeners import Listeners
from apigateway.downstream.site import GatewaySite
from apigateway.errors import STOPPING, GatewayError
from apigateway.upstream.bulkhead import Busy

LOOK_S = 0.01
"""How often a stop looks whether it can go on."""

CUT_S = 0.5
"""How long the ends of connections that were cut are awaited."""

_log = Logger(namespace="apigateway.gateway")


class Stopping:
    """How a gateway comes to its end. `everyone` are those at work on exchanges with services."""

    def __init__(
        self,
        site: GatewaySite,
        listeners: Listeners,
        everyone: Collection[Busy],
        clock: Any,
        now: Callable[[], float],
    ) -> None:
        self._site = site
        self._listeners = listeners
        self._everyone = everyone
        self._clock = clock
        self._now = now
        self._hurried = False

    def hurry(self) -> None:
        """Skip what is left of both times."""
        if not self._hurried:
            self._hurried = True
            _log.info("hurrying to stop", event="stop-hurried")

    async def run(self, accept_s: float, drain_s: float) -> None:
        """Take new connections for `accept_s` more, give exchanges `drain_s` then, and end what is left."""
        site = self._site
        site.leave(site)
        self._listeners.leave()
        await self._wait(accept_s, lambda: self._hurried)
        await self._listeners.close(self._listeners.open)
        # What clients have sent to connections that rest may not be read yet.
        await deferLater(self._clock, LOOK_S)
        site.stop_accepting_requests()
        await self._wait(drain_s, lambda: self._hurried or self._is_empty())
        await self._cut()

    async def _cut(self) -> None:
        error = GatewayError(STOPPING, "It took longer than the gateway could wait.", retry_after_s=1)
        self._site.cut_all(error)
        for one in list(self._everyone):
            # The end of one may have been the end of another.
            if one in self._everyone:
                exchange = one.exchange
                one.abandon()
                exchange.fail(error)
        # Their ends, and so their records, come with the next turns of the reactor.
        await self._wait(CUT_S, self._is_empty)
        self._site.cut_all()
        await self._wait(CUT_S, self._is_empty)

    def _is_empty(self) -> bool:
        return not self._site.channels and not self._everyone

    async def _wait(self, within_s: float, is_over: Callable[[], bool]) -> None:
        until = self._now() + within_s
        while not is_over() and self._now() < until:
            await deferLater(self._clock, LOOK_S)
