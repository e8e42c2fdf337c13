"""Stock Resources on our own connections: they see a stock request, and what they do comes out as elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from klein import Klein
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.static import File
from zope.interface import implementer
from zope.interface.verify import verifyClass

from apigateway.downstream.stock import MAX_BODY, StockRequest
from apigateway.interfaces import IUpstream
from apigateway.testing.client import MemoryClient
from apigateway.testing.wire import Message
from tests.downstream.stand import Stand, ask, chunks, statuses

FORM = "Content-Type: application/x-www-form-urlencoded"
MULTIPART = "Content-Type: multipart/form-data; boundary=b"


class Page(Resource):
    """Does what a test says with each request."""

    isLeaf = True

    def __init__(self, render: Callable[[Any], object]) -> None:
        super().__init__()
        self._render = render
        self.requests: list[Any] = []

    def render(self, request: Any) -> Any:
        self.requests.append(request)
        return self._render(request)


class StockCase(SynchronousTestCase):
    def serve(self, resource: Resource) -> Stand:
        self.stand = Stand(root=resource)
        return self.stand

    def page(self, render: Callable[[Any], object]) -> Page:
        page = Page(render)
        self.serve(page)
        return page

    def get(self, target: str = "/", *fields: str, method: str = "GET", body: bytes = b"") -> Message:
        client = self.stand.client(ask(method, target, *fields, body=body))
        (answer,) = client.answers(method)
        self.assertTrue(answer.is_complete)
        return answer

    def ended(self) -> list[tuple[int, str | None]]:
        return [(one.status, one.cause) for one in self.stand.observer.summary()]


class FileTests(StockCase):
    CONTENT = bytes(range(256)) * 2000

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "a.txt").write_bytes(b"hello")
        (folder / "large.bin").write_bytes(self.CONTENT)
        self.serve(File(str(folder)))

    def test_a_file_with_its_type_and_length(self) -> None:
        answer = self.get("/a.txt")
        self.assertEqual((answer.status, answer.body), (200, b"hello"))
        self.assertEqual((answer.get(b"content-type"), answer.get(b"content-length")), (b"text/plain", b"5"))

    def test_head_tells_the_same_without_the_file(self) -> None:
        answer = self.get("/a.txt", method="HEAD")
        self.assertEqual((answer.status, answer.get(b"content-length"), answer.body), (200, b"5", b""))

    def test_a_part_of_a_file(self) -> None:
        answer = self.get("/a.txt", "Range: bytes=1-3")
        self.assertEqual((answer.status, answer.body), (206, b"ell"))

    def test_a_file_that_the_client_has_already(self) -> None:
        modified = (self.get("/a.txt").get(b"last-modified") or b"").decode()
        answer = self.get("/a.txt", f"If-Modified-Since: {modified}")
        self.assertEqual((answer.status, answer.body), (304, b""))

    def test_a_file_that_is_not_there(self) -> None:
        self.assertEqual(self.get("/b.txt").status, 404)

    def test_a_large_file_streams_at_the_pace_of_the_client(self) -> None:
        client = self.stand.client()
        client.stop_reading()
        self.stand.send(client, ask(target="/large.bin"))
        self.stand.after(10)
        (record,) = [channel._exchange for channel in self.stand.site.channels]
        assert record is not None
        self.assertLess(record.bytes_out, 300_000)
        client.read_again()
        self.stand.network.pump()
        self.assertEqual(client.answers()[0].body, self.CONTENT)
        self.assertEqual(self.ended(), [(200, None)])

    def test_one_request_after_the_other(self) -> None:
        client = self.stand.client(ask(target="/a.txt") + ask(target="/large.bin") + ask(target="/a.txt"))
        self.assertEqual([one.size for one in client.answers()], [5, len(self.CONTENT), 5])

    def test_a_client_that_goes_away_ends_the_reading(self) -> None:
        client = self.stand.client()
        client.stop_reading()
        self.stand.send(client, ask(target="/large.bin"))
        client.reset()
        self.stand.after(100)
        self.assertEqual(self.ended(), [(200, "client-gone")])


class KleinTests(StockCase):
    def setUp(self) -> None:
        app = Klein()

        @app.route("/things/<name>", methods=["GET"])
        def thing(request: Any, name: str) -> str:
            request.setHeader(b"content-type", b"application/json")
            return json.dumps({"name": name, "sort": request.args.get(b"sort", [b""])[0].decode()})

        @app.route("/things", methods=["POST"])
        def create(request: Any) -> bytes:
            request.setResponseCode(201)
            return bytes(request.content.read()[::-1])

        self.serve(app.resource())

    def test_a_page_with_a_part_of_the_path_and_the_query(self) -> None:
        answer = self.get("/things/a%20b?sort=up")
        self.assertEqual(json.loads(answer.body), {"name": "a b", "sort": "up"})
        self.assertEqual(answer.get_all(b"content-type"), [b"application/json"])

    def test_a_body_in_one_piece_and_in_chunks(self) -> None:
        self.assertEqual(self.get("/things", method="POST", body=b"abc").body, b"cba")
        client = self.stand.client(ask("POST", "/things", "Transfer-Encoding: chunked"), chunks(b"ab", b"c"))
        self.assertEqual([(one.status, one.body) for one in client.answers()], [(201, b"cba")])

    def test_a_page_and_a_method_that_are_not_there(self) -> None:
        self.assertEqual((self.get("/nothing").status, self.get("/things").status), (404, 405))


class RequestTests(StockCase):
    def test_it_is_what_answers_an_exchange(self) -> None:
        verifyClass(IUpstream, StockRequest)

    def test_it_has_what_a_stock_request_has(self) -> None:
        page = self.page(lambda request: b"x")
        self.get("/a/b?c=d&c=e", "X-One: 1", "x-one:  2 ", "Cookie: k=v", method="PUT", body=b"body")
        (request,) = page.requests
        self.assertEqual((request.method, request.uri, request.path), (b"PUT", b"/a/b?c=d&c=e", b"/a/b"))
        self.assertEqual((request.args, request.postpath), ({b"c": [b"d", b"e"]}, [b"a", b"b"]))
        self.assertEqual(request.requestHeaders.getRawHeaders(b"x-one"), [b"1", b"2"])
        self.assertEqual((request.getCookie(b"k"), request.isSecure()), (b"v", False))
        self.assertEqual((request.getClientAddress().host, request.getHost().port), ("203.0.113.7", 8000))
        self.assertIs(request.site, self.stand.site)
        self.assertEqual(request.exchange.route, "stock")

    def test_forms_are_read(self) -> None:
        page = self.page(lambda request: b"x")
        self.get("/", FORM, method="POST", body=b"a=1&b=2&a=3")
        part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n'
        self.get("/", MULTIPART, method="POST", body=part)
        self.assertEqual([one.args for one in page.requests], [{b"a": [b"1", b"3"], b"b": [b"2"]}, {b"a": [b"1"]}])

    def test_a_malformed_form_is_a_bad_request(self) -> None:
        page = self.page(lambda request: b"x")
        answer = self.get("/", "Content-Type: multipart/form-data", method="POST", body=b"a=1")
        self.assertEqual((answer.status, json.loads(answer.body)["cause"], page.requests), (400, "bad-request", []))

    def test_the_body_is_asked_for_when_the_client_waits_to_be(self) -> None:
        self.page(lambda request: request.content.read())
        client = self.stand.client(ask("PUT", "/", "Expect: 100-continue", "Content-Length: 3"))
        self.assertEqual(client.received, b"HTTP/1.1 100 Continue\r\n\r\n")
        self.stand.send(client, b"abc")
        self.assertEqual(client.answers()[1].body, b"abc")

    def test_a_body_that_is_too_large_is_refused_before_it_is_sent(self) -> None:
        page = self.page(lambda request: b"x")
        client = self.stand.client(ask("PUT", "/", "Expect: 100-continue", f"Content-Length: {MAX_BODY + 1}"))
        self.assertEqual((statuses(client.answers()), page.requests), ([413], []))

    def test_or_as_soon_as_it_is(self) -> None:
        page = self.page(lambda request: b"x")
        client = self.stand.client(ask("PUT", "/", "Transfer-Encoding: chunked"))
        piece = b"%x\r\n%b\r\n" % (1 << 20, b"x" * (1 << 20))
        for _ in range(11):
            self.stand.send(client, piece)
        self.assertEqual((statuses(client.answers()), page.requests), ([413], []))
        self.assertEqual(self.ended(), [(413, "body-too-large")])

    def test_the_tree_is_the_one_that_the_exchange_began_with(self) -> None:
        old, new = Resource(), Resource()
        old.putChild(b"a", Page(lambda request: b"old"))
        new.putChild(b"a", Page(lambda request: b"new"))
        self.serve(old)
        client = self.stand.client(ask("PUT", "/a", "Content-Length: 3"))
        self.stand.site.resource = self.stand.root = new
        self.stand.send(client, b"abc")
        self.assertEqual(client.answers()[0].body, b"old")


class AnswerTests(StockCase):
    def test_it_has_a_date_and_the_request_id_and_no_server(self) -> None:
        self.page(lambda request: b"x")
        answer = self.get()
        self.assertEqual(len(answer.get_all(b"date")), 1)
        self.assertEqual((answer.get(b"x-request-id"), answer.get_all(b"server")), (b"id-1", []))

    def test_a_type_that_a_resource_does_not_tell_is_html_as_everywhere(self) -> None:
        self.page(lambda request: b"<p>")
        self.assertEqual(self.get().get(b"content-type"), b"text/html")

    def test_an_answer_in_pieces_streams(self) -> None:
        page = self.page(lambda request: NOT_DONE_YET)
        client = self.stand.client(ask())
        page.requests[0].write(b"one")
        self.stand.network.pump()
        self.assertEqual((statuses(client.answers()), client.answers()[0].body), ([-200], b"one"))
        page.requests[0].write(b"two")
        page.requests[0].finish()
        self.stand.network.pump()
        self.assertEqual((statuses(client.answers()), client.answers()[0].body), ([200], b"onetwo"))
        self.assertEqual((client.answers()[0].get(b"transfer-encoding"), client.is_open), (b"chunked", True))

    def test_on_1_0_it_ends_with_the_connection(self) -> None:
        page = self.page(lambda request: NOT_DONE_YET)
        client = self.stand.client(ask(version="1.0"))
        page.requests[0].write(b"one")
        page.requests[0].finish()
        self.stand.network.pump()
        self.assertTrue(client.received.endswith(b"Connection: close\r\n\r\none"))
        self.assertFalse(client.is_open)

    def test_redirects_cookies_and_statuses(self) -> None:
        def render(request: Any) -> bytes:
            request.addCookie(b"a", b"1")
            request.addCookie(b"b", b"2")
            request.redirect(b"/there")
            return b""

        self.page(render)
        answer = self.get()
        self.assertEqual((answer.status, answer.get(b"location")), (302, b"/there"))
        self.assertEqual(answer.get_all(b"set-cookie"), [b"a=1", b"b=2"])

    def test_a_resource_that_fails_is_an_error_without_its_traceback(self) -> None:
        self.page(lambda request: 1 / 0)
        answer = self.get()
        self.assertEqual(answer.status, 500)
        self.assertNotIn(b"ZeroDivision", answer.body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_what_one_returns_by_mistake_is_not_shown_to_the_client(self) -> None:
        self.page(lambda request: {"password": "hidden"})
        answer = self.get("/a?<script>")
        self.assertEqual(answer.status, 500)
        self.assertNotIn(b"hidden", answer.body)
        self.assertNotIn(b"script", answer.body)
        (error,) = self.flushLoggedErrors(TypeError)
        self.assertNotIn("hidden", str(error.value))

    def test_bytes_are_counted(self) -> None:
        self.page(lambda request: request.content.read() * 2)
        self.get(method="PUT", body=b"abc")
        (exchange,) = self.stand.observer.exchanges
        self.assertEqual((exchange.bytes_in, exchange.bytes_out), (3, 6))


class EndTests(StockCase):
    def test_a_resource_learns_that_its_client_is_gone(self) -> None:
        told: list[str] = []

        def render(request: Any) -> int:
            request.notifyFinish().addErrback(lambda why: told.append("gone"))
            return NOT_DONE_YET

        self.page(render)
        self.stand.client(ask()).reset()
        self.stand.network.pump()
        self.assertEqual((told, self.ended()), (["gone"], [(0, "client-gone")]))

    def test_or_that_its_answer_is_complete(self) -> None:
        told: list[object] = []
        page = self.page(lambda request: request.notifyFinish().addCallback(told.append) and NOT_DONE_YET)
        self.stand.client(ask())
        page.requests[0].finish()
        self.assertEqual(told, [None])

    def test_a_client_that_goes_while_its_body_arrives_is_never_asked_for(self) -> None:
        page = self.page(lambda request: b"x")
        self.stand.client(ask("PUT", "/", "Content-Length: 3"), b"a").reset()
        self.stand.network.pump()
        self.assertEqual((page.requests, self.ended()), ([], [(0, "client-gone")]))

    def test_a_resource_may_cut_its_answer(self) -> None:
        told: list[str] = []
        page = self.page(
            lambda request: request.notifyFinish().addErrback(lambda why: told.append("cut")) and NOT_DONE_YET
        )
        client = self.stand.client(ask())
        page.requests[0].write(b"some")
        page.requests[0].loseConnection()
        page.requests[0].write(b"never")
        self.stand.network.pump()
        self.assertEqual((statuses(client.answers()), client.answers()[0].body), ([-200], b"some"))
        self.assertEqual((client.is_open, told, self.ended()), (False, ["cut"], [(200, "internal-error")]))


@implementer(IPushProducer)
class Push:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


@implementer(IPullProducer)
class Pull:
    """Writes a large piece whenever asked, `times` times; or fails."""

    def __init__(self, request: Any, times: int, fails: bool = False) -> None:
        self.request = request
        self.left = times
        self.fails = fails
        self.stopped = False

    def resumeProducing(self) -> None:
        if self.fails:
            raise ZeroDivisionError
        self.left -= 1
        self.request.write(b"x" * 50_000)
        if not self.left:
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self) -> None:
        self.stopped = True


class ProducerTests(StockCase):
    def register(self, make: Callable[[Any], Any], streaming: bool) -> tuple[MemoryClient, Any]:
        """A client that does not read, and the producer of its answer."""
        made: list[Any] = []

        def render(request: Any) -> int:
            made.append(make(request))
            request.registerProducer(made[0], streaming)
            return NOT_DONE_YET

        self.request = self.page(render)
        client = self.stand.connect()
        client.stop_reading()
        self.stand.send(client, ask())
        return client, made[0]

    def test_one_that_pushes_is_told_of_the_clients_pace(self) -> None:
        client, producer = self.register(lambda request: Push(), True)
        self.request.requests[0].write(b"x" * 300_000)
        self.stand.network.pump()
        self.assertEqual(producer.told, ["pause"])
        client.read_again()
        self.stand.network.pump()
        self.assertEqual(producer.told, ["pause", "resume"])
        client.reset()
        self.stand.network.pump()
        self.assertEqual(producer.told, ["pause", "resume", "stop"])

    def test_one_that_is_pulled_is_asked_at_the_clients_pace(self) -> None:
        client, producer = self.register(lambda request: Pull(request, 20), False)
        self.assertGreater(producer.left, 10)
        client.read_again()
        self.stand.network.pump()
        self.assertEqual((client.answers()[0].size, statuses(client.answers())), (1_000_000, [200]))

    def test_it_is_stopped_when_the_client_goes(self) -> None:
        client, producer = self.register(lambda request: Pull(request, 20), False)
        left = producer.left
        client.reset()
        self.stand.after(10)
        self.assertEqual((producer.stopped, producer.left), (True, left))

    def test_one_that_fails_cuts_the_answer(self) -> None:
        client, producer = self.register(lambda request: Pull(request, 1, fails=True), False)
        client.read_again()
        self.stand.after(1)
        self.assertEqual((client.is_open, producer.stopped), (False, True))
        self.assertEqual(self.ended(), [(0, "internal-error")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
