"""Health probes over real sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, wrapServerTLS
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from apigateway.sockets.transports import Sockets
from apigateway.testing.certificates import Authority
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.names import NEVER
from apigateway.testing.parts import Garbage
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Answer, Close, Reset, Respond, Send, Stall, Step, Wait
from apigateway.upstream.dialing.dial import Way
from apigateway.upstream.treq.probe import BODY_BOUND, ProbeError, treq_probe
from tests.behaviour.secured import options_of
from tests.circles import circles
from tests.upstream.treq_world import way_to

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
                all_closed, self.all_closed = self.all_closed, Deferred()
                all_closed.callback(None)

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
        self.clock = Clock()
        self.probe = treq_probe(reactor, self.clock)

    def tearDown(self) -> Any:
        return Deferred.fromCoroutine(self.close())

    async def close(self) -> None:
        await self.port.stopListening()
        if self.site.open:
            await self.site.all_closed

    async def test_a_probe_leaves_nothing_that_waits_for_the_collector(self) -> None:
        probe = treq_probe(reactor, self.clock, plain=Way(Sockets(reactor).connect))
        url = f"http://127.0.0.1:{self.port.getHost().port}"

        async def ask(path: str) -> None:
            self.page.gone = Deferred()
            await probe(f"{url}{path}", 2.0).addErrback(lambda failure: failure.trap(ProbeError))
            if self.site.open:
                await self.site.all_closed

        for path in ("/good", "/busy", "/broken", "/endless"):
            await ask(path)
            with circles() as found:
                await ask(path)
                await deferLater(reactor, 0.01)
            self.assertEqual(found, {}, path)

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

    async def test_it_asks_for_another_host_where_it_is_told_one(self) -> None:
        url = f"http://127.0.0.1:{self.port.getHost().port}/good"
        await self.probe(url, 2.0, None, "orders.internal:8080")
        self.assertEqual(self.page.requests[0].getHeader("host"), "orders.internal:8080")

    async def test_a_redirect_is_an_answer_and_is_not_followed(self) -> None:
        self.assertEqual(await self.ask("/moved"), 302)
        self.assertEqual(len(self.page.requests), 1)

    async def test_each_has_a_connection_of_its_own(self) -> None:
        await self.ask("/good")
        await self.ask("/good")
        self.assertEqual(self.site.opened, 2)

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


class BadServiceTests(SynchronousTestCase):
    """What a service may do to a probe; on a memory network."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.service = ScriptedService()
        self.service.listen(self.network.reactor, 80)
        self.probe = treq_probe(self.network.reactor)

    def fails_with(self, words: str, *steps: Step, url: str = "http://localhost") -> None:
        """A probe of a service that takes these steps fails so, and leaves nothing behind."""
        self.service.does(*steps)
        asked = self.probe(url, 2.0)
        self.network.advance(3)
        error = self.failureResultOf(asked, ProbeError)
        self.assertEqual(str(error.value), words)
        self.left_nothing()

    def left_nothing(self) -> None:
        self.assertEqual([link for link in self.network.links if link.client.connected], [])
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])

    def test_what_is_no_http_is_not_repeated_to_anybody(self) -> None:
        for nonsense in (Garbage(3000), Respond(b"SSH-2.0-secret\r\n")):
            self.service.does(nonsense)
            asked = self.probe("http://localhost", 2.0)
            self.network.advance(3)
            said = str(self.failureResultOf(asked, ProbeError).value)
            self.assertTrue(said.startswith("the answer is not HTTP"), said)
            self.assertNotIn("secret", said)

    def test_a_head_without_end_is_not_read_to_its_end(self) -> None:
        flood = Send(b"X-Field: " + b"x" * 1000 + b"\r\n", 100_000)
        self.fails_with("the service sent a head of more than 65536 bytes", Respond(b"HTTP/1.1 200 OK\r\n"), flood)

    def test_nor_are_too_many_fields_or_interim_answers(self) -> None:
        self.fails_with("the service sent a head of more than 256 fields", Answer(headers=[("X-F", "x")] * 300))
        interim = Send(b"HTTP/1.1 102 Processing\r\n\r\n", 100_000)
        self.fails_with("the service sent too many interim answers", interim)

    def test_a_body_without_end_is_not_read_to_its_end(self) -> None:
        self.service.does(Respond(b"HTTP/1.1 200 OK\r\n\r\n"), Send(b"x" * 10_000, 100_000))
        asked = self.probe("http://localhost", 2.0)
        self.network.advance(1)
        self.assertEqual(self.successResultOf(asked), 200)
        self.left_nothing()

    def test_a_body_until_the_end_that_is_reset_broke_off(self) -> None:
        self.fails_with("the answer broke off", Respond(b"HTTP/1.1 200 OK\r\n\r\nbegun"), Wait(0.1), Reset())

    def test_a_body_until_the_end_is_whole_when_the_service_closes(self) -> None:
        self.service.does(Respond(b"HTTP/1.1 200 OK\r\n\r\nall"), Close())
        asked = self.probe("http://localhost", 2.0)
        self.network.advance(1)
        self.assertEqual(self.successResultOf(asked), 200)

    def test_the_body_may_stall(self) -> None:
        self.fails_with("no answer within 2 s", Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun"), Stall())

    def test_its_name_may_be_unknown_or_never_be_answered(self) -> None:
        self.fails_with("the name of the service is not known", url="http://unknown")
        self.network.reactor.names.delays["unknown"] = NEVER
        self.fails_with("no answer within 2 s", url="http://unknown")

    def test_its_host_may_be_silent(self) -> None:
        self.network.silence("127.0.0.1")
        self.fails_with("the service did not take the connection in time")

    def test_over_tls_nothing_is_left_either(self) -> None:
        certificate = Authority().server("localhost")
        endpoint = TCP4ServerEndpoint(self.network.reactor, 443, interface="127.0.0.1")
        wrapServerTLS(options_of(certificate), endpoint, self.network.reactor).listen(self.service)
        self.service.reactor = self.network.reactor
        asked = self.probe("https://localhost", 2.0, way_to("localhost", Authority("Another"), self.network))
        self.network.advance(3)
        said = str(self.failureResultOf(asked, ProbeError).value)
        self.assertEqual(said, "the service could not prove who it is")
        self.left_nothing()
