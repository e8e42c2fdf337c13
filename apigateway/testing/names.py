"""Names and their addresses as a test has them: changed, forgotten, slow or never answered; in memory or for real.

A memory network has one as `network.reactor.names`. On a real reactor, `reactor.installNameResolver(names)` puts one
in the place of the system's, and returns the one to put back.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHostnameResolver,
    IHostResolution,
    IReactorTime,
    IResolutionReceiver,
)
from zope.interface import implementer

from apigateway.testing.memory_transport import address

NEVER = float("inf")


@implementer(IHostResolution)
class _Resolution:
    """One look-up; cancelled, it tells nothing any more."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.timer: IDelayedCall | None = None

    def cancel(self) -> None:
        if self.timer is not None and self.timer.active():
            self.timer.cancel()


@implementer(IHostnameResolver)
class ScriptedNames:
    """Resolves names by the dictionary `hosts`, which a test may change at any time.

    A name is answered at once, or after `delays[name]` seconds; `NEVER` is one that is never answered. `asked` are
    the names looked up, in that order. Addresses are their own names and are not looked up.
    """

    def __init__(self, clock: IReactorTime, hosts: dict[str, list[str]] | None = None) -> None:
        self.hosts = hosts if hosts is not None else {"localhost": ["127.0.0.1"]}
        self.delays: dict[str, float] = {}
        self.asked: list[str] = []
        self._clock = clock

    def __repr__(self) -> str:
        return f"<ScriptedNames {self.hosts}>"

    def addresses(self, name: str) -> list[str]:
        """The addresses of a name; none where it is unknown."""
        if isIPAddress(name) or isIPv6Address(name):
            return [name]
        return self.hosts.get(name, [])

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """See `IHostnameResolver.resolveHostName`. The answer is that of the moment in which it is given."""
        resolution = _Resolution(hostName)
        kinds = None if addressTypes is None else tuple(addressTypes)
        delay = 0.0
        if hostName not in self.addresses(hostName):
            self.asked.append(hostName)
            delay = self.delays.get(hostName, 0.0)
        resolutionReceiver.resolutionBegan(resolution)
        if not delay:
            self._tell(resolutionReceiver, hostName, portNumber, kinds)
        elif delay < NEVER:
            resolution.timer = self._clock.callLater(delay, self._tell, resolutionReceiver, hostName, portNumber, kinds)
        return resolution

    def _tell(
        self, receiver: IResolutionReceiver, name: str, port: int, kinds: tuple[type[IAddress], ...] | None
    ) -> None:
        for one in self.addresses(name):
            found = address(one, port)
            if kinds is None or isinstance(found, kinds):
                receiver.addressResolved(found)
        receiver.resolutionComplete()
