"""Connects with TLS: stands between a connector, which knows TCP only, and the factory of who wants the connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall, IReactorTime
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.python.failure import Failure

from apigateway.sockets.tls import ClientTls, TlsFailed
from apigateway.sockets.tls_handshake import Handshake
from apigateway.sockets.tls_stream import TlsStream
from apigateway.sockets.tls_turns import Turns
from apigateway.sockets.tls_wire import INCOMING, OUTGOING


class TlsClientFactory(ClientFactory[Protocol]):
    """For one connection: `wanted` is the factory that gets it, `timeout_s` bounds TCP and the handshake together."""

    noisy = False

    def __init__(
        self, wanted: ClientFactory[Any], tls: ClientTls, turns: Turns, clock: IReactorTime, timeout_s: float
    ) -> None:
        self._wanted = wanted
        self._tls = tls
        self._turns = turns
        self._clock = clock
        self._until = clock.seconds() + timeout_s
        self._timer: IDelayedCall | None = None
        self._connector: IConnector | None = None
        self._is_open = False

    def __repr__(self) -> str:
        return f"<TlsClientFactory {self._wanted!r}>"

    def doStart(self) -> None:
        """See `Factory.doStart`."""
        self._wanted.doStart()

    def doStop(self) -> None:
        """See `Factory.doStop`."""
        self._wanted.doStop()

    def startedConnecting(self, connector: IConnector) -> None:
        """See `ClientFactory.startedConnecting`."""
        self._connector = connector
        self._wanted.startedConnecting(connector)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """TCP is there."""

        def build(stream: TlsStream) -> Protocol:
            return self._build(stream, addr)

        handshake = Handshake(self._begin, build, self._failed, self._turns, speaks_first=True)
        left_s = max(0.0, self._until - self._clock.seconds())
        self._timer = self._clock.callLater(left_s, handshake.give_up)
        return handshake

    def _begin(self, _: bytes) -> Any:
        return self._tls.begin(INCOMING, OUTGOING)

    def _build(self, stream: TlsStream, addr: IAddress | None) -> Protocol:
        tls, peer = self._tls, stream.peer
        tls.verify(peer)
        tls.count(peer)
        stream.first_data = _keeping(tls, stream)
        protocol: Protocol | None = self._wanted.buildProtocol(addr)
        if protocol is None:
            raise TlsFailed("UNWANTED", "nobody wants the connection any more")
        self._is_open = True
        self._end()
        return protocol

    def _failed(self, why: TlsFailed) -> None:
        connector = self._end()
        self._tls.forget_session()
        assert connector is not None  # it has connected
        self._wanted.clientConnectionFailed(connector, Failure(why))

    def _end(self) -> IConnector | None:
        """The handshake is over; returns the connector, which holds this and is held by it no more."""
        timer, self._timer = self._timer, None
        connector, self._connector = self._connector, None
        if timer is not None and timer.active():
            timer.cancel()
        return connector

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """See `ClientFactory.clientConnectionFailed`: there was no TCP."""
        self._end()
        self._wanted.clientConnectionFailed(connector, reason)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """See `ClientFactory.clientConnectionLost`. Of what ended with the handshake it has been told."""
        if self._is_open:
            self._wanted.clientConnectionLost(connector, reason)


def _keeping(tls: ClientTls, stream: TlsStream) -> Callable[[], None]:
    def keep() -> None:
        # One that has just gone on will do so again; and each that is taken costs 6 KB for ever in CPython 3.11
        # (python/cpython#116810).
        if tls.keeps_sessions and not stream.resumed:
            tls.keep_session(stream.session)

    return keep
