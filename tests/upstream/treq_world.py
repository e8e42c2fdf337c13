"""A memory network with a scripted service and a treq transport to it, for the tests of the transport."""

from __future__ import annotations

from apigateway.config.model import GivenFile, Pool, UpstreamTls
from apigateway.http.lines import join_lines
from apigateway.sockets.transports import Sockets
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.receiver import RecordingReceiver
from apigateway.testing.scripted_service import ScriptedService
from apigateway.upstream.dialing.tls import TargetTls, client_context
from apigateway.upstream.dialing.tls_log import TlsLog
from apigateway.upstream.treq.transport import TreqTransport

HOST = b"Host: shop\r\n"


def starting(method=b"GET", target=b"/", fields=(), length=0):
    """A receiver that starts its attempt as soon as it is leased."""

    def start(attempt):
        attempt.start(method, target, HOST + join_lines(fields), length)
        attempt.flush()

    return RecordingReceiver(start)


def way_to(name, authority, network):
    """How to connect with TLS to who shows a certificate of this authority for a name."""
    context = client_context(UpstreamTls(ca=GivenFile("ca.pem", authority.pem)))
    log = TlsLog("one", f"https://{name}", network.now)
    tls = TargetTls(name, context, True, log, network.reactor.seconds)
    return tls.way(Sockets(network.reactor, network.now).connect)


class World:
    """A memory network with one service at `shop`, and a treq transport to it."""

    def __init__(self, pool=None, port=80, url="http://shop"):
        self.network = MemoryNetwork()
        self.network.hosts["shop"] = ["10.0.0.5"]
        self.service = ScriptedService()
        self.listener = self.service.listen(self.network.reactor, port, "10.0.0.5")
        self.transport = self.transport_to(url, pool or Pool())

    def transport_to(self, url, pool=None, way=None):
        return TreqTransport(url, self.network.reactor, pool or Pool(), 5.0, self.network.now, 2.0, way=way)

    def ask(self, *args, **kwargs):
        receiver = starting(*args, **kwargs)
        self.transport.lease(receiver)
        self.network.pump()
        return receiver

    def send(self, body, *args, **kwargs):
        receiver = self.ask(*args, **kwargs)
        for piece in body:
            receiver.attempt.body(piece)
        receiver.attempt.body_end([])
        self.network.pump()
        return receiver
