"""Proxying in an unmodified twisted.web Site: a stock request as the client's side of an exchange."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface.verify import verifyClass

from apigateway.downstream.request_adapter import PIECE, RequestDownstream, exchange_for, refused_exchange
from apigateway.errors import CONNECTION_LOST, GatewayError
from apigateway.exchange import Exchange
from apigateway.interfaces import IDownstream
from apigateway.testing.client import MemoryClient
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.observer import RecordingObserver
from tests.downstream.stand import Answering, ask, chunks, echo, statuses, take_body, wait


class Adapting(Resource):
    """Makes an exchange of each request, and does with it what a test says."""

    isLeaf = True

    def __init__(self, network: MemoryNetwork, does: Callable[[Answering], None]) -> None:
        super().__init__()
        self.does = does
        self.exchanges: list[Answering] = []
        self.observer = RecordingObserver()
        self.now = network.now

    def render(self, request: Any) -> int:
        try:
            exchange = exchange_for(request, self.observer.exchange_ended, self.now)
        except GatewayError as error:
            refused_exchange(request, self.observer.exchange_ended, self.now).fail(error)
            return NOT_DONE_YET
        one = Answering(exchange)
        exchange.upstream = one
        self.exchanges.append(one)
        self.does(one)
        return NOT_DONE_YET


class AdapterCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.page = Adapting(self.network, wait)
        site = Site(self.page, reactor=self.network.reactor)
        site.noisy = False
        self.network.reactor.listenTCP(8000, site)

    def client(self, *data: bytes) -> MemoryClient:
        client = self.network.client()
        self.send(client, *data)
        return client

    def send(self, client: MemoryClient, *data: bytes) -> None:
        for piece in data:
            client.send(piece)
            self.network.pump()

    @property
    def last(self) -> Answering:
        return self.page.exchanges[-1]

    def ended(self) -> list[tuple[int, str | None]]:
        return [(one.status, one.cause) for one in self.page.observer.summary()]


class RequestTests(AdapterCase):
    def head_of(self, data: bytes) -> Exchange:
        self.client(data)
        return self.last.exchange

    def test_it_is_the_clients_side_of_an_exchange(self) -> None:
        verifyClass(IDownstream, RequestDownstream)

    def test_the_head_is_read_by_the_same_rules(self) -> None:
        exchange = self.head_of(
            ask("PUT", "/a%20b?c", "X-One: 1", "Connection: X-Two", "X-Two: 2", "Via: v", body=b"abc")
        )
        head = exchange.head
        self.assertEqual((head.method, head.target, head.minor, head.length), (b"PUT", b"/a%20b?c", 1, 3))
        self.assertEqual([name.lower() for name, _ in head.plain], [b"x-one"])
        self.assertEqual((head.special[b"host"], head.special[b"via"]), (b"h", b"v"))
        self.assertEqual((exchange.peer, exchange.secure), ("203.0.113.7", False))

    def test_the_length_of_a_body_in_chunks_is_known(self) -> None:
        exchange = self.head_of(ask("PUT", "/", "Transfer-Encoding: chunked") + chunks(b"abc", b"d"))
        self.assertEqual(exchange.head.length, 4)

    def test_1_0_without_a_host(self) -> None:
        self.assertEqual(self.head_of(ask(version="1.0", host="")).head.minor, 0)

    def test_what_must_not_be_forwarded_is_refused(self) -> None:
        for request, status in (
            (ask("GET", "/", "Host: again"), 400),
            (ask(host=""), 400),
            (ask(target="/a#b"), 400),
            (ask("CONNECT", "h:443"), 400),
        ):
            (answer,) = self.client(request).answers()
            self.assertEqual(
                (answer.status, answer.get(b"content-type")), (status, b"application/problem+json"), request
            )
        self.assertEqual((self.page.exchanges, {cause for _, cause in self.ended()}), ([], {"bad-request"}))

    def test_the_body_is_given_piece_by_piece_and_held_when_asked(self) -> None:
        self.client(ask("PUT", body=b"x" * (2 * PIECE + 1)))
        one = self.last
        one.when_body = one.downstream.pause_body
        for so_far in (PIECE, 2 * PIECE, 2 * PIECE + 1):
            if so_far == PIECE:
                one.take_body()
            else:
                one.downstream.resume_body()
            self.assertEqual((len(one.body_so_far), one.trailers), (so_far, None))
        one.downstream.resume_body()
        self.assertEqual(one.trailers, [])

    def test_a_body_that_is_not_held_needs_no_going_on(self) -> None:
        self.client(ask("PUT", body=b"abc"))
        self.last.take_body().downstream.resume_body()
        self.assertEqual((self.last.body_so_far, self.last.trailers), (b"abc", []))

    def test_the_rest_of_a_body_is_left_where_nobody_takes_it_any_more(self) -> None:
        self.client(ask("PUT", body=b"x" * (2 * PIECE)))
        one = self.last
        one.when_body = lambda: one.exchange.fail(GatewayError(CONNECTION_LOST))
        one.take_body()
        self.network.pump()
        self.assertEqual((len(one.body_so_far), one.trailers, self.ended()), (PIECE, None, [(502, "connection-lost")]))


class AnswerTests(AdapterCase):
    def test_an_answer_comes_out_as_it_was_given(self) -> None:
        client = self.client(ask())
        self.last.begin(404, [(b"X-One", b"1"), (b"Set-Cookie", b"a"), (b"Set-Cookie", b"b"), (b"Date", b"then")], 3)
        self.last.send(b"abc")
        self.last.finish()
        self.network.pump()
        (answer,) = client.answers()
        self.assertEqual((answer.status, answer.body), (404, b"abc"))
        self.assertEqual((answer.get_all(b"set-cookie"), answer.get_all(b"date")), ([b"a", b"b"], [b"then"]))
        self.assertEqual((answer.get(b"content-length"), answer.get(b"content-type")), (b"3", None))
        self.assertEqual((answer.get_all(b"server"), self.ended(), client.is_open), ([], [(404, None)], True))

    def test_one_after_the_other(self) -> None:
        self.page.does = echo
        client = self.client(ask(target="/1") + ask(target="/2"), ask("HEAD", "/3"), ask(target="/4"))
        self.assertEqual([one.body for one in client.answers("GET", "GET", "HEAD")], [b"/1", b"/2", b"", b"/4"])

    def test_its_head_goes_out_before_there_is_a_body(self) -> None:
        client = self.client(ask())
        self.last.begin()
        self.network.pump()
        self.assertEqual(statuses(client.answers()), [-200])
        self.last.send(b"abc")
        self.last.finish((b"X-Sum", b"1"))
        self.network.pump()
        (answer,) = client.answers()
        self.assertEqual((answer.body, answer.is_complete, answer.trailers), (b"abc", True, []))

    def test_answers_that_have_no_body(self) -> None:
        for status in (204, 304):
            client = self.client(ask())
            self.last.begin(status, length=3)
            self.last.send(b"abc")
            self.last.finish()
            self.network.pump()
            self.send(client, ask())
            self.last.answer(b"next")
            self.network.pump()
            self.assertEqual([one.body for one in client.answers()], [b"", b"next"], status)

    def test_interim_answers_are_lost_and_do_no_harm(self) -> None:
        client = self.client(ask())
        self.last.downstream.send_continue()
        self.last.downstream.send_informational(103, [(b"Link", b"a")])
        self.last.answer()
        self.network.pump()
        self.assertEqual(statuses(client.answers()), [200])

    def test_a_slow_client_is_felt(self) -> None:
        client = self.client(ask())
        client.stop_reading()
        self.last.begin()
        while not self.last.is_paused:
            self.last.send(b"x" * 100_000)
            self.network.pump()
        client.read_again()
        self.network.pump()
        self.assertFalse(self.last.is_paused)


class EndTests(AdapterCase):
    def test_whoever_works_for_a_client_learns_once_that_it_is_gone(self) -> None:
        for begun in (False, True):
            client = self.client(ask())
            if begun:
                self.last.begin()
            client.reset()
            self.network.pump()
            self.network.advance(100)
            self.assertEqual(self.last.gone, 1)
            self.last.downstream.flush()
            self.last.downstream.abort()
        self.assertEqual(self.ended(), [(0, "client-gone"), (200, "client-gone")])

    def aborted(self, version: str = "1.1", length: int | None = None) -> MemoryClient:
        client = self.client(ask(version=version))
        self.last.begin(length=length)
        self.last.send(b"abc")
        self.last.downstream.abort()
        self.network.pump()
        self.assertEqual(len(self.ended()), 1)
        self.last.downstream.abort()
        return client

    def test_an_answer_that_is_cut_looks_broken(self) -> None:
        for length in (None, 10):
            client = self.aborted(length=length)
            self.assertEqual((statuses(client.answers()), client.is_open), ([-200], False))
            self.page.observer.exchanges.clear()

    def test_its_request_is_all_here_from_the_beginning(self) -> None:
        self.client(ask("PUT", body=b"abc"))
        self.assertEqual(self.last.downstream.progress(), (True, 0))

    def test_even_where_it_ends_with_the_connection(self) -> None:
        client = self.aborted("1.0")
        assert client.lost is not None
        self.assertIsNone(client.lost.check(ConnectionDone))

    def test_times_are_those_of_the_given_clock(self) -> None:
        self.network.advance(7)
        self.client(ask("PUT", body=b"abc"))
        self.network.advance(2)
        take_body(self.last)
        self.last.answer()
        (exchange,) = self.page.observer.exchanges
        self.assertEqual((exchange.started, exchange.ended), (7.0, 9.0))


class UnixTests(SynchronousTestCase):
    def test_a_peer_without_an_address_is_called_unix(self) -> None:
        request = _UnixRequest()
        exchange = exchange_for(request, RecordingObserver().exchange_ended, Clock().seconds)
        self.assertEqual(exchange.peer, "unix")


class _UnixRequest:
    """As much of a request as an exchange is made of, from a client that has no address."""

    method, uri, clientproto = b"GET", b"/", b"HTTP/1.1"

    def __init__(self) -> None:
        self.requestHeaders = Headers({b"Host": [b"h"]})
        self.content = BytesIO()

    def notifyFinish(self) -> Any:
        return Deferred()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        pass

    def getClientAddress(self) -> object:
        return UNIXAddress(b"/run/socket")

    def isSecure(self) -> bool:
        return False
