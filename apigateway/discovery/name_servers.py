"""Asks name servers, one after the other, over UDP, and over TCP where an answer is too long for that.

Knows the wire (twisted.names) and the time a question may take; remembers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, connectProtocol
from twisted.internet.error import CannotListenError, ConnectError
from twisted.names import dns
from twisted.names.error import DNSQueryTimeoutError

from apigateway.discovery.answers import Key, LookupFailed, check_answer

Server = tuple[str, int]
"""Address and port."""

TIMES_S = (1.0, 2.0)
"""How long a server may take; all are asked with the first time, then all again with the next."""

AT_ONCE = 8
"""So many questions are open at once; others wait."""

SYSTEM = "/etc/resolv.conf"


def server_of(text: str) -> Server:
    """A server from its text, `address:port`, with brackets around an IPv6 address."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def system_servers(path: str = SYSTEM) -> list[Server]:
    """The servers that this machine uses, see resolv.conf(5); the machine itself where none is named."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            lines = [line.split() for line in file]
    except OSError:
        lines = []
    named = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
    return [(address, dns.PORT) for address in named] or [("127.0.0.1", dns.PORT)]


class _Unasked:
    """Whom the protocols of twisted.names tell what nobody asked for."""

    def messageReceived(self, message: dns.Message, protocol: object, address: object = None) -> None:
        """Late, or forged."""

    def connectionMade(self, protocol: object) -> None:
        """Whoever connects knows."""

    def connectionLost(self, protocol: object) -> None:
        """The question runs out of time."""


class NameServers:
    """Asks the servers that `servers` tells, in their order. `reactor` has UDP, TCP and the time."""

    def __init__(self, reactor: Any, servers: Callable[[], Sequence[Server]]) -> None:
        self._reactor = reactor
        self._servers = servers
        self._places = DeferredSemaphore(AT_ONCE)

    def ask(self, key: Key) -> Deferred[dns.Message]:
        """A message that answers, be it that there is nothing. Fails with `LookupFailed`; may be cancelled."""
        asked: Deferred[dns.Message] = self._places.run(lambda: Deferred.fromCoroutine(self._ask(key)))
        return asked

    async def _ask(self, key: Key) -> dns.Message:
        error = LookupFailed("there is no name server to ask")
        for seconds in TIMES_S:
            for server in self._servers():
                try:
                    return await self._ask_one(server, key, seconds)
                except LookupFailed as failure:
                    error = failure
        raise error

    async def _ask_one(self, server: Server, key: Key, seconds: float) -> dns.Message:
        """Ask one server; what it can't answer is a failure, so that the next one is asked."""
        place, query = f"{server[0]}:{server[1]}", dns.Query(*key)
        try:
            message = await self._over_udp(server, query, seconds)
            if message.trunc:
                message = await self._over_tcp(server, query, seconds)
            check_answer(message, key)
        except LookupFailed as failure:
            raise LookupFailed(f"the name server {place} {failure}") from None
        except DNSQueryTimeoutError:
            raise LookupFailed(f"no answer from the name server {place}") from None
        except (OSError, ConnectError, CannotListenError, ValueError) as error:
            raise LookupFailed(f"the name server {place} cannot be asked: {error}") from None
        return message

    async def _over_udp(self, server: Server, query: dns.Query, seconds: float) -> dns.Message:
        protocol = dns.DNSDatagramProtocol(_Unasked(), self._reactor)
        port = self._reactor.listenUDP(0, protocol, interface="::" if ":" in server[0] else "")
        try:
            return await protocol.query(server, [query], seconds)
        finally:
            _forget(protocol)
            port.stopListening()

    async def _over_tcp(self, server: Server, query: dns.Query, seconds: float) -> dns.Message:
        endpoint = (TCP6ClientEndpoint if ":" in server[0] else TCP4ClientEndpoint)(self._reactor, *server, seconds)
        protocol: Any = await connectProtocol(endpoint, dns.DNSProtocol(_Unasked(), self._reactor))
        try:
            message: dns.Message = await protocol.query([query], seconds)
            return message
        finally:
            _forget(protocol)
            protocol.transport.abortConnection()


def _forget(protocol: Any) -> None:
    """Whoever gives up a question leaves its timer behind."""
    for _, timer in protocol.liveMessages.values():
        if timer.active():
            timer.cancel()
    protocol.liveMessages.clear()
