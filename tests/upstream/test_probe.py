"""Health probes over real sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.client import HTTPConnectionPool
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from apigateway.upstream.probe import BODY_BOUND, ProbeError, treq_probe

reactor: Any = global_reactor


class Page(Resource):
    """A page with everything that a probe may meet, by path."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.asked: Deferred[None] | None = None
        self.gone: Deferred[None] = Deferred()

    def render_GET(self, request: Any) -> bytes | int:
        self.requests.append(request)
        request.notifyFinish().addErrback(lambda _: self.gone.callback(None))
        if self.asked is not None:
            self.asked.callback(None)
        answer: Callable[[Request], bytes | int] = getattr(self, request.path.decode().strip("/"))
        return answer(request)

    def good(self, request: Any) -> bytes:
        request.setHeader("Set-Cookie", "session=1")
        return b"fine"

    def busy(self, request: Any) -> bytes:
        request.setResponseCode(503)
        return b"not now"

    def moved(self, request: Any) -> bytes:
        request.redirect(b"/good")
        return b""

    def silent(self, request: Any) -> int:
        return NOT_DONE_YET

    def stalled(self, request: Any) -> int:
        request.write(b"begun")
        return NOT_DONE_YET

    def endless(self, request: Any) -> int:
        request.write(b"x" * (BODY_BOUND + 1))
        return NOT_DONE_YET

    def broken(self, request: Any) -> int:
        request.setHeader("Content-Length", "100")
        request.write(b"begun")
        request.channel.loseConnection()
        return NOT_DONE_YET


class Remembering(Site):
    """A site that can wait for its last connection to end."""

    def __init__(self, page: Resource) -> None:
        super().__init__(page)
        self.open = self.opened = 0
        self.all_closed: Deferred[None] = Deferred()

    def buildProtocol(self, addr: Any) -> Any:
        channel = super().buildProtocol(addr)
        self.open += 1
        self.opened += 1
        lost = channel.connectionLost

        def connection_lost(reason: Failure) -> None:
            lost(reason)
            self.open -= 1
            if not self.open:
                self.all_closed.callback(None)

        channel.connectionLost = connection_lost
        return channel


class Mute(Protocol):
    """A service that hangs up on whatever it hears."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.gone.callback(None)


class ProbeTests(TestCase):
    def setUp(self) -> None:
        self.page = Page()
        self.site = Remembering(self.page)
        self.port = reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self.pool = HTTPConnectionPool(reactor)
        self.clock = Clock()
        self.probe = treq_probe(reactor, self.pool, self.clock)

    def tearDown(self) -> Any:
        return Deferred.fromCoroutine(self.close())

    async def close(self) -> None:
        await self.pool.closeCachedConnections()
        await self.port.stopListening()
        if self.site.open:
            await self.site.all_closed

    def ask(self, path: str) -> Deferred[int]:
        return self.probe(f"http://127.0.0.1:{self.port.getHost().port}{path}", 2.0)

    async def fails_with(self, asked: Deferred[int], words: str) -> None:
        try:
            status = await asked
        except ProbeError as error:
            self.assertIn(words, str(error))
        else:
            raise self.failureException(f"answered with {status}")

    async def test_it_tells_the_status(self) -> None:
        self.assertEqual(await self.ask("/good"), 200)
        self.assertEqual(await self.ask("/busy"), 503)

    async def test_it_says_who_asks(self) -> None:
        await self.ask("/good")
        self.assertEqual(self.page.requests[0].getHeader("user-agent"), "apigateway health check")

    async def test_a_redirect_is_an_answer_and_is_not_followed(self) -> None:
        self.assertEqual(await self.ask("/moved"), 302)
        self.assertEqual(len(self.page.requests), 1)

    async def test_the_connection_is_used_again(self) -> None:
        await self.ask("/good")
        await self.ask("/good")
        self.assertEqual(self.site.opened, 1)

    async def test_cookies_are_not_kept(self) -> None:
        await self.ask("/good")
        await self.ask("/good")
        self.assertIsNone(self.page.requests[1].getHeader("cookie"))

    async def test_a_long_body_is_not_read_to_its_end(self) -> None:
        self.assertEqual(await self.ask("/endless"), 200)
        await self.page.gone

    async def ask_and_wait(self, path: str) -> Deferred[int]:
        """Ask for what doesn't come; returns when the service has heard of it."""
        heard = self.page.asked = Deferred()
        asked = self.ask(path)
        await heard
        return asked

    async def test_a_silent_service_fails_when_the_time_is_up(self) -> None:
        asked = await self.ask_and_wait("/silent")
        self.clock.advance(1.9)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        await self.fails_with(asked, "no answer within 2 s")
        await self.page.gone

    async def test_a_body_that_never_ends_fails_when_the_time_is_up(self) -> None:
        asked = await self.ask_and_wait("/stalled")
        for _ in range(5):  # turns of the reactor, so that the head has arrived
            await deferLater(reactor, 0)
        self.clock.advance(2.0)
        await self.fails_with(asked, "no answer within 2 s")
        await self.page.gone

    async def test_a_body_that_breaks_off_fails(self) -> None:
        await self.fails_with(self.ask("/broken"), "the answer broke off")

    async def test_a_cancelled_probe_closes_its_connection(self) -> None:
        asked = await self.ask_and_wait("/silent")
        asked.cancel()
        with self.assertRaises(CancelledError):
            await asked
        await self.page.gone

    async def test_a_service_that_is_not_there_fails(self) -> None:
        port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        await self.fails_with(self.probe(f"http://127.0.0.1:{number}/", 30.0), "refused")

    async def test_a_service_that_hangs_up_fails(self) -> None:
        factory = Factory.forProtocol(Mute)
        factory.gone = Deferred()  # type: ignore[attr-defined]
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        await self.fails_with(self.probe(f"http://127.0.0.1:{port.getHost().port}/", 30.0), "closed")
        await factory.gone  # type: ignore[attr-defined]
        await port.stopListening()
