"""A memory network with a scripted service and a native transport to it, for the tests of both its parts."""

from __future__ import annotations

from apigateway.config.model import Pool
from apigateway.http.lines import join_lines
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.receiver import RecordingReceiver
from apigateway.testing.scripted_service import ScriptedService
from apigateway.upstream.dialing.dial import Dialer, Way
from apigateway.upstream.native.transport import NativeTransport

HOST = b"Host: shop\r\n"
WAIT_S = 2.0


def starting(method=b"GET", target=b"/", fields=(), length=0):
    """A receiver that starts its attempt as soon as it is leased."""

    def start(attempt):
        attempt.start(method, target, HOST + join_lines(fields), length)
        attempt.flush()

    return RecordingReceiver(start)


class World:
    """A memory network with one service at `shop`, and a native transport to it."""

    def __init__(self, **pool):
        self.network = MemoryNetwork()
        self.service = ScriptedService()
        self.listener = self.service.listen(self.network.reactor, 80, "10.0.0.5")
        reactor = self.network.reactor
        dialer = Dialer("shop", 80, 5.0, lambda name: ("10.0.0.5",), Way(reactor.connectTCP), reactor, self.network.now)
        self.transport = NativeTransport(Pool(**pool), dialer, self.network.now, WAIT_S)

    def ask(self, *args, **kwargs):
        """Lease, send the head, let happen what happens at once."""
        receiver = starting(*args, **kwargs)
        self.transport.lease(receiver)
        self.network.pump()
        return receiver

    def send(self, body, *args, trailers=(), **kwargs):
        """The same with a body in pieces."""
        receiver = self.ask(*args, **kwargs)
        for piece in body:
            receiver.attempt.body(piece)
        receiver.attempt.body_end(list(trailers))
        receiver.attempt.flush()
        self.network.pump()
        return receiver

    def numbers(self, *names):
        """These of the statistics."""
        statistics = self.transport.statistics()
        return tuple(statistics[name] for name in names)
