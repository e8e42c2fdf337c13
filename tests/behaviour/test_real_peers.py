"""Clients and services that nobody here wrote, on both sides of the gateway."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, Close, ReadAll, Respond
from tests.behaviour.combinations import Combination, over_all_combinations
from tests.behaviour.real import (
    curl,
    in_thread,
    library_server,
    nginx_server,
    package,
    program,
    run,
    uvicorn_server,
    werkzeug_server,
)
from tests.behaviour.stage import Stage
from tests.behaviour.waiting import PATIENCE_S

LARGE = bytes(range(256)) * 20_000


def before(test: TestCase, via: Combination, url: str, **options: Any) -> Stage:
    """A gateway before a service at some URL."""
    return Stage(test, via, {"one": {"prefix": "/api", "targets": [url], **options}})


@over_all_combinations
class CurlTests(TestCase):
    async def test_plain_requests(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"hello", {"Content-Type": "text/plain"})
        url = f"http://127.0.0.1:{stage.port}/api"
        self.assertEqual(await curl(url), b"hello")
        self.assertEqual(await curl("--http1.0", url), b"hello")
        self.assertIn(b"Content-Length: 5\r\n", await curl("--head", url))
        self.assertEqual(await curl("--data", '{"a": 1}', "--header", "Content-Type: application/json", url), b"hello")
        self.assertEqual(stage.one.requests[-1].body, b'{"a": 1}')

    async def test_several_requests_on_one_connection(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, chunks=[b"a", b"b"])
        url = f"http://127.0.0.1:{stage.port}/api"
        out = await curl("--write-out", "<%{num_connects}>", url, url, url)
        self.assertEqual(out, b"ab<1>ab<0>ab<0>")

    async def test_a_large_upload_that_waits_for_continue_and_a_large_download(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.keep = len(LARGE)
        stage.one.does(ReadAll(), Answer(200, LARGE))
        sent, received = Path(self.mktemp()), Path(self.mktemp())
        sent.write_bytes(LARGE)
        url = f"http://127.0.0.1:{stage.port}/api"
        await curl("--upload-file", str(sent), "--expect100-timeout", "60", "--output", str(received), url)
        self.assertEqual(sha256(stage.one.requests[0].body).digest(), sha256(LARGE).digest())
        self.assertEqual(sha256(received.read_bytes()).digest(), sha256(LARGE).digest())

    async def test_an_upload_in_chunks(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.keep = len(LARGE)
        sent = Path(self.mktemp())
        sent.write_bytes(LARGE)
        url = f"http://127.0.0.1:{stage.port}/api"
        await curl("--upload-file", str(sent), "--header", "Transfer-Encoding: chunked", url)
        self.assertEqual(sha256(stage.one.requests[0].body).digest(), sha256(LARGE).digest())

    async def test_it_notices_a_broken_answer(self, via: Combination) -> None:
        stage = Stage(self, via)
        url = f"http://127.0.0.1:{stage.port}/api"
        for head in (b"Content-Length: 10\r\n\r\n12345", b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"):
            stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\n" + head), Close())
            out, _, code = await run("curl", "--silent", url)
            self.assertEqual((out, code), (b"12345", 18))

    async def test_it_reads_a_problem(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "methods": ["GET"]}})
        out = await curl("--request", "DELETE", f"http://127.0.0.1:{stage.port}/api")
        self.assertEqual(json.loads(out)["cause"], "method-not-allowed")


@over_all_combinations
class LibraryClientTests(TestCase):
    """The client of the standard library."""

    async def test_requests_on_one_connection(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, chunks=[b"a", b"b"])

        def ask() -> list[tuple[int, bytes]]:
            connection = http.client.HTTPConnection("127.0.0.1", stage.port, timeout=PATIENCE_S)
            answers = []
            for method, body in (("GET", None), ("POST", b"order"), ("PUT", iter([b"in", b"chunks"])), ("HEAD", None)):
                connection.request(method, "/api", body)
                with connection.getresponse() as answer:
                    answers.append((answer.status, answer.read()))
            connection.close()
            return answers

        self.assertEqual(await in_thread(ask), [(200, b"ab"), (200, b"ab"), (200, b"ab"), (200, b"")])
        self.assertEqual([request.body for request in stage.one.requests], [b"", b"order", b"inchunks", b""])

    async def test_a_broken_answer_is_noticed(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"), Close())

        def ask() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", stage.port, timeout=PATIENCE_S)
            connection.request("GET", "/api")
            with connection.getresponse() as answer, self.assertRaises(http.client.IncompleteRead):
                answer.read()
            connection.close()

        await in_thread(ask)


ASYNC_CLIENT = """
import asyncio, sys, aiohttp
async def main(url):
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data=b"order") as answer:
            print(answer.status, await answer.text())
        async with session.get(url) as answer:
            print(answer.status, await answer.text())
asyncio.run(main(sys.argv[1]))
"""

FETCH = """
const url = process.argv[1];
(async () => {
  for (const options of [{method: "POST", body: "order"}, {}]) {
    const answer = await fetch(url, options);
    console.log(answer.status, await answer.text());
  }
})();
"""


@over_all_combinations
class OtherClientTests(TestCase):
    """Each posts `order` and then gets, and reads both answers."""

    def _stage(self, via: Combination) -> tuple[Stage, str]:
        stage = Stage(self, via)
        stage.one.answers(200, chunks=[b"he", b"llo"])
        return stage, f"http://127.0.0.1:{stage.port}/api"

    def _was_asked(self, stage: Stage) -> None:
        self.assertEqual([(one.method, one.body) for one in stage.one.requests], [("POST", b"order"), ("GET", b"")])

    async def _blocking(self, via: Combination, name: str, session: Callable[[Any], Any]) -> None:
        client = package(name)
        stage, url = self._stage(via)

        def ask() -> list[tuple[int, str]]:
            with session(client) as using:
                answers = (using.post(url, data=b"order"), using.get(url))
                return [(answer.status_code, answer.text) for answer in answers]

        self.assertEqual(await in_thread(ask), [(200, "hello")] * 2)
        self._was_asked(stage)

    async def test_requests(self, via: Combination) -> None:
        await self._blocking(via, "requests", lambda requests: requests.Session())

    async def test_httpx(self, via: Combination) -> None:
        await self._blocking(via, "httpx", lambda httpx: httpx.Client())

    async def test_aiohttp(self, via: Combination) -> None:
        package("aiohttp")
        stage, url = self._stage(via)
        out, err, code = await run(sys.executable, "-c", ASYNC_CLIENT, url)
        self.assertEqual((out.split(), code), (b"200 hello 200 hello".split(), 0), err)
        self._was_asked(stage)

    async def test_fetch_of_node(self, via: Combination) -> None:
        program("node")
        stage, url = self._stage(via)
        out, err, code = await run("node", "-e", FETCH, url)
        self.assertEqual((out.split(), code), (b"200 hello 200 hello".split(), 0), err)
        self._was_asked(stage)


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Send back what came, piece by piece; without a length for the answer."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Seen-Host", environ["HTTP_HOST"])])
    yield environ["REQUEST_METHOD"].encode()
    yield environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))


async def asgi_app(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    """Send back what comes, as it comes."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    while True:
        message = await receive()
        await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": True})
        if not message.get("more_body"):
            break
    await send({"type": "http.response.body", "body": b"."})


@over_all_combinations
class RealServiceTests(TestCase):
    async def test_the_server_of_the_standard_library(self, via: Combination) -> None:
        stage = before(self, via, library_server(self))
        caller = await stage.call()
        for _ in range(2):
            self.assertEqual((await caller.get("/api")).body, b"hellofromthelibrary")
            posted = await caller.ask("POST", "/api", body=b"order").answer()
            self.assertEqual((posted.status, posted.body), (201, b"order"))

    async def test_the_same_in_http_1_0(self, via: Combination) -> None:
        stage = before(self, via, library_server(self, "HTTP/1.0"))
        caller = await stage.call()
        for _ in range(3):
            posted = await caller.ask("POST", "/api", body=b"order").answer()
            self.assertEqual((posted.status, posted.body), (201, b"order"))

    async def test_werkzeug(self, via: Combination) -> None:
        stage = before(self, via, werkzeug_server(self, wsgi_app))
        caller = await stage.call()
        for body in (b"", b"order", LARGE[:500_000]):
            answer = await caller.ask("POST", "/api", "Content-Length: 0" if not body else "X: y", body=body).answer()
            self.assertEqual(sha256(answer.body).digest(), sha256(b"POST" + body).digest())

    async def test_uvicorn(self, via: Combination) -> None:
        stage = before(self, via, await uvicorn_server(self, asgi_app))
        caller = await stage.call()
        for body in (b"order", LARGE):
            answer = await caller.ask("POST", "/api", body=body).answer()
            self.assertEqual(sha256(answer.body).digest(), sha256(body + b".").digest())

    async def test_nginx(self, via: Combination) -> None:
        stage = before(self, via, await nginx_server(self, {"api/large": LARGE}))
        caller = await stage.call()
        whole = await caller.get("/api/large")
        self.assertEqual(sha256(whole.body).digest(), sha256(LARGE).digest())
        self.assertEqual((whole.get(b"server"), whole.get(b"accept-ranges")), (None, b"bytes"))
        part = await caller.get("/api/large", "Range: bytes=256-259")
        self.assertEqual((part.status, part.body), (206, b"\0\1\2\3"))
        same = await caller.get("/api/large", f"If-None-Match: {(whole.get(b'etag') or b'').decode()}")
        self.assertEqual((same.status, same.body), (304, b""))
        head = await caller.ask("HEAD", "/api/large").answer()
        self.assertEqual((head.status, head.get(b"content-length"), head.body), (200, b"%d" % len(LARGE), b""))
        self.assertEqual((await caller.get("/api/none")).status, 404)

    async def test_nginx_refuses_and_goes_on(self, via: Combination) -> None:
        stage = before(self, via, await nginx_server(self, {}))
        caller = await stage.call()
        seen = await caller.get("/api/seen?x=1", "Connection: keep-alive, X-Mine")
        self.assertEqual(seen.body, b"GET /api/seen?x=1 127.0.0.1 \n")
        too_large = await caller.ask("POST", "/api/small", body=b"x" * 100).answer()
        self.assertEqual(too_large.status, 413)
        self.assertEqual((await caller.get("/api/seen")).status, 200)

    async def test_a_real_client_and_a_real_service(self, via: Combination) -> None:
        stage = before(self, via, await nginx_server(self, {"api/large": LARGE}))
        target = Path(self.mktemp())
        await curl("--output", os.fspath(target), f"http://127.0.0.1:{stage.port}/api/large")
        self.assertEqual(sha256(target.read_bytes()).digest(), sha256(LARGE).digest())
