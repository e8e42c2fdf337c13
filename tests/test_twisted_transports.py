"""Twisted's own tests of TCP and TLS transports, run on a reactor whose TCP goes through `Sockets`.

A few expect what is otherwise on purpose; `OTHERWISE` names them, and why.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.test import test_newtls, test_socket, test_tcp, test_tls
from twisted.internet.test.reactormixins import ReactorBuilder
from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets.transports import EagerConnector, Sockets

OTHERWISE = {
    "test_logPrefix": "events of all connections are logged as the poller's",
    "test_closePeerOnEMFILE": "the poller takes a descriptor with the first connection, which then is the one refused",
}


class SocketsReactor(EPollReactor):
    """Listens and connects through `Sockets`, and knows their transports where the tests ask it for them."""

    def _ours(self) -> Any:
        if not hasattr(self, "_sockets"):
            self._sockets = Sockets(self)
        return self._sockets

    def _pollers(self) -> tuple[Any, Any]:
        return self._ours()._accepted, self._ours()._connected

    def getReaders(self) -> Any:
        return [*super().getReaders(), *(one for poller in self._pollers() for one in poller.getReaders())]

    def removeReader(self, reader: Any) -> None:
        super().removeReader(reader)
        if reader not in self._pollers():
            for poller in self._pollers():
                poller.removeReader(reader)

    def removeWriter(self, writer: Any) -> None:
        super().removeWriter(writer)
        for poller in self._pollers():
            poller.removeWriter(writer)

    def listenTCP(self, *given: Any, **named: Any) -> Any:
        return self._ours().take(super().listenTCP(*given, **named))

    def adoptStreamPort(self, *given: Any, **named: Any) -> Any:
        return self._ours().take(super().adoptStreamPort(*given, **named))

    def connectTCP(self, host: Any, port: Any, factory: Any, timeout: Any = 30, bindAddress: Any = None) -> Any:
        connector = EagerConnector(host, port, factory, timeout, bindAddress, self._pollers()[1])
        connector.outbox = self._ours()._outbox
        connector.connect()
        return connector


def _on_sockets(builder: type) -> type:
    made = type(
        f"{builder.__name__}OnSockets",
        (builder, SynchronousTestCase),
        {"timeout": 10, "reactorFactory": SocketsReactor, "__module__": __name__},
    )
    for name, why in OTHERWISE.items():
        if hasattr(made, name):
            test = lambda self: None  # noqa: E731
            test.skip = why  # type: ignore[attr-defined]
            setattr(made, name, test)
    return made


for _module in (test_tcp, test_tls, test_newtls, test_socket):
    for _name, _value in list(vars(_module).items()):
        # Those that their own module turns into tests for each reactor there is.
        if (
            isinstance(_value, type)
            and issubclass(_value, ReactorBuilder)
            and _value.__module__ == _module.__name__
            and not issubclass(_value, SynchronousTestCase)
            and any(name.startswith(f"{_name}_") for name in vars(_module))
            # About options of addresses, which are none of ours; and their ports may be somebody else's by then.
            and "BindAddress" not in _name
        ):
            globals()[f"{_name}OnSockets"] = _on_sockets(_value)
