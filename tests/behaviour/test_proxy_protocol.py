"""The PROXY protocol and redirecting listeners on real sockets, and what HAProxy makes of them."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from apigateway.config.read import parse_text
from apigateway.testing.certificates import Authority
from apigateway.testing.ports import free_port
from apigateway.testing.wire import Message
from tests.behaviour.caller import Caller, request
from tests.behaviour.combinations import CHANNEL, NATIVE, TREQ, Combination
from tests.behaviour.real import program
from tests.behaviour.stage import Stage, problem
from tests.behaviour.waiting import PATIENCE_S, reactor, until
from tests.downstream.test_proxy_protocol import CLIENT, SSL, V1, V2, field, raw, v2
from tests.starting import fetch

HERE = "tcp:0:interface=127.0.0.1"
BEHIND = {"endpoint": HERE, "proxy_protocol": True, "proxies": ["127.0.0.0/8"]}
NATIVELY = Combination(CHANNEL, NATIVE)


def seen(message: Message) -> tuple[bytes | None, bytes | None]:
    """What a service is told of the client: its address, and how it came."""
    return message.get(b"x-forwarded-for"), message.get(b"x-forwarded-proto")


def stage(test: TestCase, via: Combination = NATIVELY, listener: Any = BEHIND, **more: Any) -> Stage:
    """A gateway whose listener is behind a proxy."""
    return Stage(test, via, {"one": {"prefix": "/api", **more}}, listen=[listener])


class HeaderTests(TestCase):
    async def caller(self, there: Stage, *begins: bytes) -> Caller:
        """A connection that has begun with this, each piece by itself."""
        caller = await there.call()
        for piece in begins:
            caller.send(piece)
            await deferLater(reactor, 0.005)
        return caller

    async def test_the_service_is_told_of_the_client_over_both_transports(self) -> None:
        for via in (NATIVELY, Combination(CHANNEL, TREQ)):
            there = stage(self, via)
            for header in (V1, V2):
                caller = await self.caller(there, header)
                self.assertEqual((await caller.get("/api")).status, 200)
                self.assertEqual(seen(await there.request()), (b"192.0.2.7", b"http"))

    async def test_a_header_may_come_in_pieces_or_with_the_request(self) -> None:
        there = stage(self)
        ask = request("GET", "/api/a")
        for pieces in ((V2 + ask,), (V1 + ask[:9], ask[9:]), (*(bytes([byte]) for byte in V1), ask)):
            answer = await (await self.caller(there, *pieces)).answer()
            self.assertEqual(answer.status, 200)
        self.assertEqual({seen(one)[0] for one in there.one.requests}, {b"192.0.2.7"})

    async def test_a_long_body_right_behind_the_header_arrives_whole(self) -> None:
        there = stage(self)
        body = bytes(range(256)) * 2000
        caller = await self.caller(there, V2 + request("POST", "/api", body=body))
        self.assertEqual((await caller.answer()).status, 200)
        self.assertEqual((await there.request()).body, body)

    async def test_without_a_header_nobody_is_answered(self) -> None:
        there = stage(self)
        with capturedLogs() as logged:
            for begin in (request("GET", "/api"), b"PROXY TCP4 nonsense\r\n", raw(1, 0x99, b"")):
                caller = await self.caller(there, begin)
                await caller.closed()
                self.assertEqual(caller.connection.received, b"")
        self.assertIn("proxy-refused", [event.get("event") for event in logged])
        self.assertEqual(there.one.requests, [])

    async def test_who_is_no_proxy_is_sent_away_whatever_it_says(self) -> None:
        there = stage(self, listener={**BEHIND, "proxies": ["10.0.0.0/8"]})
        with capturedLogs() as logged:
            caller = await self.caller(there, V1 + request("GET", "/api"))
            await caller.closed()
        (told,) = [event for event in logged if event.get("event") == "proxy-refused"]
        self.assertEqual((told["peer"], caller.connection.received, there.one.requests), ("127.0.0.1", b"", []))

    async def test_the_clients_are_those_that_are_limited(self) -> None:
        there = stage(self, rate_limit={"limit": 1})
        for header, expected in ((V1, 200), (V1, 429), (b"PROXY TCP4 192.0.2.8 1.1.1.1 1 2\r\n", 200), (V2, 429)):
            self.assertEqual((await (await self.caller(there, header)).get("/api")).status, expected)

    async def test_a_client_cannot_pass_for_somebody_else(self) -> None:
        there = stage(self)
        caller = await self.caller(there, V1)
        await caller.get("/api", "X-Forwarded-For: 10.9.9.9", "X-Forwarded-Proto: https")
        self.assertEqual(seen(await there.request()), (b"192.0.2.7", b"http"))

    async def test_what_is_for_neighbours_only_is_not_for_their_clients(self) -> None:
        there = stage(self)
        for header, expected in ((V1, 403), (b"PROXY UNKNOWN\r\n", 403), (raw(0, 0, b""), 200)):
            self.assertEqual((await (await self.caller(there, header)).get("/gateway/stats")).status, expected, header)

    async def test_tls_that_ended_at_the_proxy_is_told_to_the_service(self) -> None:
        there = stage(self)
        header = v2(CLIENT, 1, CLIENT, 443, field(SSL, b"\x01" + bytes(4)))
        await (await self.caller(there, header)).get("/api")
        self.assertEqual(seen(await there.request()), (b"192.0.2.7", b"https"))

    async def test_a_listener_that_is_open_can_begin_and_cease_to_be_behind_a_proxy(self) -> None:
        there = stage(self, listener=HERE)
        port = there.gateway.ports[0]
        before = await there.call()
        self.assertEqual((await before.get("/api")).status, 200)
        plain = there.configuration
        text = f"listen: [{{endpoint: '{HERE}', proxy_protocol: true, proxies: [127.0.0.1]}}]\n"
        changed = parse_text(f"{text}services: {{x: {{prefix: /x, targets: ['http://x']}}}}", "x.yaml", {})
        self.assertEqual(await there.gateway.change(replace(plain, listen=changed.listen)), ())
        self.assertEqual((await before.get("/api")).status, 200, "a connection that is there stays as it is")
        self.assertEqual((await (await self.caller(there, V1)).get("/api")).status, 200)
        await (await self.caller(there, request("GET", "/api"))).closed()
        self.assertEqual(await there.gateway.change(plain), ())
        self.assertEqual((await there.get("/api")).status, 200)
        self.assertIs(there.gateway.ports[0], port)


class BeforeTlsTests(TestCase):
    """The header comes in the clear, and TLS begins behind it."""

    def secured(self) -> Stage:
        """A gateway that speaks TLS behind a proxy."""
        return stage(self, listener={**BEHIND, "tls": {"certificates": [certificate(self)]}})

    async def test_the_handshake_begins_behind_the_header_also_in_the_same_segment(self) -> None:
        there = self.secured()
        for pieces in (1, 2, 40):
            answer = await deferToThread(talk, there.port, V2, pieces)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
            self.assertEqual(seen(there.one.requests[-1]), (b"192.0.2.7", b"https"))

    async def test_without_a_header_there_is_no_handshake(self) -> None:
        there = self.secured()
        self.assertEqual(await deferToThread(talk, there.port, b"", 1), b"")
        self.assertEqual(there.one.requests, [])

    async def test_haproxy_passes_tls_on_without_reading_it(self) -> None:
        there = self.secured()
        proxy = HAProxy(self)
        port = await proxy.begin(there, "send-proxy-v2")
        answers = await deferToThread(get, port, "127.0.0.2", 3, False, ssl._create_unverified_context())
        self.assertEqual(answers, [200] * 3)
        self.assertEqual(seen(there.one.requests[-1]), (b"127.0.0.2", b"https"))


class RedirectTests(TestCase):
    async def test_plain_requests_are_sent_to_the_same_url_by_https(self) -> None:
        there = stage(self, listener={"endpoint": HERE, "redirect": {"port": 8443}})
        caller = await there.call()
        for method in ("GET", "POST"):
            answer = await caller.ask(method, "/api/x?y", body=b"").answer()
            self.assertEqual((answer.status, answer.get(b"location")), (308, b"https://here:8443/api/x?y"))
        self.assertEqual((await caller.get("/health/live")).status, 200)
        answer = await (await there.call()).send(request("GET", "/x", host="Host: a..b")).answer()
        problem(self, answer, 400, "bad-request")
        self.assertEqual(there.one.requests, [])

    async def test_a_trusted_proxy_that_ended_tls_gets_through(self) -> None:
        listener = {"endpoint": HERE, "redirect": "https"}
        there = Stage(self, NATIVELY, listen=[listener], trusted_proxies=["127.0.0.1"])
        self.assertEqual((await there.get("/api", "X-Forwarded-Proto: https")).status, 200)
        self.assertEqual((await there.get("/api", "X-Forwarded-Proto: http")).status, 308)


HAPROXY = """
global
    nbthread 1
defaults
    mode tcp
    timeout client 60s
    timeout server 60s
    timeout connect 2s
listen clients
    bind 127.0.0.1:CLIENTS BIND
    server gateway 127.0.0.1:GATEWAY OPTIONS
listen status
    mode http
    bind 127.0.0.1:STATUS
    stats enable
    stats uri /
"""


class HAProxy:
    """An HAProxy before a gateway, for as long as a test."""

    def __init__(self, test: TestCase) -> None:
        self._test = test
        self._status = 0

    async def begin(self, there: Stage, options: str, bind: str = "") -> int:
        """Start it; returns the port for clients."""
        path, folder = program("haproxy"), Path(self._test.mktemp()).absolute()
        folder.mkdir()
        clients, self._status = free_port(), free_port()
        words = {"CLIENTS": clients, "BIND": bind, "GATEWAY": there.port, "OPTIONS": options, "STATUS": self._status}
        text = re.sub("|".join(words), lambda word: str(words[word[0]]), HAPROXY)
        file = folder / "haproxy.cfg"
        file.write_text(text)
        process = subprocess.Popen([path, "-db", "-f", str(file)], stderr=subprocess.DEVNULL)

        def end() -> None:
            process.terminate()
            process.wait()

        self._test.addCleanup(deferToThread, end)
        await self.until_page(lambda page: "gateway" in page)
        return clients

    async def until_page(self, is_so: Callable[[str], bool]) -> None:
        """Wait until the page of HAProxy's own statistics says something."""

        def look() -> bool:
            try:
                return is_so(fetch(f"http://127.0.0.1:{self._status}/;csv").decode())
            except OSError:
                return False

        for _ in range(1500):
            if await deferToThread(look):
                return
            await deferLater(reactor, 0.02)
        self._test.fail("HAProxy never gets so far")


class HAProxyTests(TestCase):
    async def test_the_service_is_told_of_clients_whatever_version_and_options_the_proxy_speaks(self) -> None:
        there = stage(self)
        for options in ("send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority"):
            port = await HAProxy(self).begin(there, options)
            for source in ("127.0.0.2", "127.0.0.3"):
                answers = await deferToThread(get, port, source, 3)
                self.assertEqual(answers, [200] * 3)
                self.assertEqual(seen(there.one.requests[-1]), (source.encode(), b"http"))

    async def test_many_clients_at_once_are_told_apart(self) -> None:
        there = stage(self)
        port = await HAProxy(self).begin(there, "send-proxy-v2")
        sources = [f"127.0.0.{number}" for number in range(2, 22)]
        answers = await gatherResults([deferToThread(get, port, source, 5, True) for source in sources])
        self.assertEqual(answers, [[200] * 5] * 20)
        self.assertEqual({one.get(b"x-forwarded-for"): one.target for one in there.one.requests},
                         {source.encode(): f"/api/{source}" for source in sources})  # fmt: skip

    async def test_its_health_checks_find_the_gateway_well_and_are_nobodys_fault(self) -> None:
        there = stage(self)
        with capturedLogs() as logged:
            for options in ("send-proxy check inter 20ms", "send-proxy-v2 check inter 20ms"):
                proxy = HAProxy(self)
                await proxy.begin(there, options)
                await proxy.until_page(lambda page: re.search("^clients,gateway,.*,UP,", page, re.M) is not None)
            await until(lambda: not there.gateway.site.channels, there.gateway.site.connections)
        self.assertEqual([event for event in logged if event.get("event") == "proxy-refused"], [])

    async def test_tls_that_ended_there_is_told_to_the_service(self) -> None:
        there = stage(self)
        port = await HAProxy(self).begin(there, "send-proxy-v2-ssl", f"ssl crt {certificate(self)}")
        answers = await deferToThread(get, port, "127.0.0.2", 2, False, ssl._create_unverified_context())
        self.assertEqual(answers, [200, 200])
        self.assertEqual(seen(there.one.requests[-1]), (b"127.0.0.2", b"https"))


def certificate(test: TestCase) -> str:
    """A file with a certificate and its key."""
    folder = Path(test.mktemp()).absolute()
    folder.mkdir()
    return Authority().server("localhost").write_together(folder)


def talk(port: int, header: bytes, pieces: int) -> bytes:
    """Send a header and the beginning of TLS in so many pieces, ask once, and return what is answered."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl._create_unverified_context().wrap_bio(incoming, outgoing)
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def step(does: Callable[[], Any], first: bytes = b"") -> Any:
        while True:
            try:
                result, is_done = does(), True
            except ssl.SSLWantReadError:
                result, is_done = None, False
            data = first + outgoing.read()
            size = -(-len(data) // pieces) if first else len(data)
            for at in range(0, len(data), size or 1):
                connection.sendall(data[at : at + size])
            first = b""
            if is_done:
                return result
            received = connection.recv(65536)
            if not received:
                raise ConnectionResetError
            incoming.write(received)

    try:
        step(tls.do_handshake, header)
        step(lambda: tls.write(b"GET /api HTTP/1.1\r\nHost: h\r\n\r\n"))
        answer: bytes = step(lambda: tls.read(65536))
        return answer
    except ConnectionResetError:
        return b""
    finally:
        connection.close()


def get(port: int, source: str, count: int, named: bool = False, tls: ssl.SSLContext | None = None) -> list[int]:
    """Ask so many times on one connection from an address of this machine; returns the statuses."""
    where: Any = {"timeout": PATIENCE_S, "source_address": (source, 0)}
    connection = http.client.HTTPConnection("127.0.0.1", port, **where)
    if tls is not None:
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=tls, **where)
    try:
        statuses = []
        for _ in range(count):
            connection.request("GET", f"/api/{source}" if named else "/api")
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        return statuses
    finally:
        connection.close()
