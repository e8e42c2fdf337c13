"""TLS at the gateway's own listeners, with clients that nobody here wrote: curl, OpenSSL, and Python's ssl."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from apigateway.testing.certificates import Authority, Issued
from apigateway.testing.client import MemoryClient
from apigateway.testing.steps import Answer, ReadAll, Respond
from apigateway.testing.wire import Message
from tests.behaviour.caller import Caller, chunked, connect, request
from tests.behaviour.combinations import CHANNEL, NATIVE, TREQ, Combination
from tests.behaviour.real import curl, in_thread, program, run
from tests.behaviour.stage import ENDPOINT, Stage
from tests.behaviour.steps import Gate
from tests.behaviour.test_reload import Running
from tests.behaviour.waiting import PATIENCE_S, until
from tests.sockets.secure import trusting

NATIVELY = Combination(CHANNEL, NATIVE)
LARGE = bytes(range(256)) * 40_000
SUBJECT = b"x-client-subject"


class Secure:
    """A gateway with a listener that speaks TLS and one that does not, and clients for both."""

    def __init__(self, test: TestCase, via: Combination = NATIVELY, *names: str, **tls: Any) -> None:
        self.authority = Authority()
        self.folder = Path(test.mktemp()).absolute()
        self.folder.mkdir()
        self.ca = self.authority.write(self.folder)
        certificates = [self.written(name, self.authority.server(name)) for name in names or ("localhost",)]
        listener = {"endpoint": ENDPOINT, "tls": {"certificates": certificates, **tls}}
        self.stage = Stage(test, via, listen=[listener, ENDPOINT])
        self.port = self.stage.port
        plain: Any = self.stage.gateway.ports[1]
        self.plain: int = plain.getHost().port
        self.url = f"https://localhost:{self.port}/api"

    def written(self, name: str, issued: Issued) -> dict[str, str]:
        """The files of a certificate, as a listener names them."""
        return dict(zip(("certificate", "key"), issued.write(self.folder, name.replace("*", "any")), strict=True))

    async def curl(self, *arguments: str) -> bytes:
        """What curl prints that trusts our authority."""
        return await curl("--cacert", self.ca, *arguments)

    async def openssl(self, *arguments: str, typed: bytes = b"Q\n") -> tuple[str, int]:
        """What `openssl s_client` says."""
        place = ("-connect", f"127.0.0.1:{self.port}", "-CAfile", self.ca)
        asked = ("s_client", *place, *arguments)
        # Without input it would wait for the server's end.
        out, err, code = await getProcessOutputAndValue(program("openssl"), asked, stdinBytes=typed)
        return (out + err).decode("utf-8", "replace"), code

    async def refused(self, *arguments: str) -> int:
        """The exit status of a curl that fails."""
        _, _, code = await run("curl", "--silent", "--max-time", "60", "--cacert", self.ca, *arguments)
        return code

    def told(self) -> dict[str, Any]:
        """What `/gateway/stats` says of the listener."""
        told: dict[str, Any] = self.stage.gateway._listeners.describe()[ENDPOINT]
        return told

    async def seen(self) -> Message:
        """The last request that the service got."""
        return await self.stage.request()


class CurlTests(TestCase):
    async def test_it_is_served_and_the_service_is_told_how_it_came(self) -> None:
        for via in (NATIVELY, Combination(CHANNEL, TREQ)):
            secure = Secure(self, via)
            secure.stage.one.answers(200, b"hello")
            self.assertEqual(await secure.curl(secure.url), b"hello")
            self.assertEqual((await secure.seen()).get(b"x-forwarded-proto"), b"https")

    async def test_large_bodies_both_ways_on_one_connection(self) -> None:
        secure = Secure(self)
        secure.stage.one.keep = len(LARGE)
        secure.stage.one.does(ReadAll(), Answer(200, LARGE))
        secure.stage.one.does(ReadAll(), Answer(200, LARGE))
        body, got = secure.folder / "body", secure.folder / "got"
        body.write_bytes(LARGE)
        await secure.curl("--data-binary", f"@{body}", "--output", str(got), secure.url, secure.url)
        self.assertTrue(secure.stage.one.requests[0].body == LARGE)
        self.assertEqual(secure.told()["handshakes"], 1)

    async def test_both_versions_and_no_older_one(self) -> None:
        secure = Secure(self)
        for version in ("1.2", "1.3"):
            await secure.curl("--tlsv1.2", "--tls-max", version, secure.url)
        self.assertNotEqual(await secure.refused("--tlsv1.0", "--tls-max", "1.1", secure.url), 0)
        self.assertEqual(secure.told()["handshakes"], 2)

    async def test_http_2_is_offered_by_clients_and_not_taken(self) -> None:
        secure = Secure(self)
        said = await secure.curl("--http2", "--write-out", "%{http_version}", "--output", "/dev/null", secure.url)
        self.assertEqual(said, b"1.1")

    async def test_http_without_tls_is_told_where_to_go(self) -> None:
        secure = Secure(self)
        answer = await curl("--include", f"http://127.0.0.1:{secure.port}/api")
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.assertIn(b"https://", answer)
        self.assertEqual(secure.told()["failed"], {"HTTP_REQUEST": 1})

    async def test_tls_where_there_is_none_is_no_hindrance_for_others(self) -> None:
        secure = Secure(self)
        self.assertNotEqual(await secure.refused(f"https://localhost:{secure.plain}/api"), 0)
        self.assertEqual(await curl("--output", "/dev/null", f"http://127.0.0.1:{secure.plain}/api"), b"")


class OpensslTests(TestCase):
    async def test_the_certificate_follows_the_name(self) -> None:
        secure = Secure(self, NATIVELY, "first.test", "*.second.test")
        for name, shown in (
            ("first.test", "first.test"),
            ("any.second.test", "*.second.test"),
            ("x.test", "first.test"),
        ):
            said, _ = await secure.openssl("-servername", name)
            self.assertIn(f"subject=CN = {shown}\n", said)
        said, _ = await secure.openssl("-noservername")
        self.assertIn("subject=CN = first.test\n", said)

    async def test_who_speaks_only_http_2_is_told_that_nobody_does_here(self) -> None:
        secure = Secure(self)
        said, code = await secure.openssl("-alpn", "h2")
        self.assertIn("no application protocol", said)
        self.assertNotEqual(code, 0)
        said, _ = await secure.openssl("-alpn", "h2,http/1.1")
        self.assertIn("ALPN protocol: http/1.1", said)

    async def test_neither_weak_ciphers_nor_renegotiation(self) -> None:
        secure = Secure(self)
        for cipher in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256"):
            _, code = await secure.openssl("-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
            self.assertNotEqual(code, 0, cipher)
        said, _ = await secure.openssl("-tls1_2", typed=b"R\n")
        self.assertIn("Compression: NONE", said)
        self.assertIn("RENEGOTIATING\n", said)
        self.assertIn("no renegotiation", said)


class LibraryTests(TestCase):
    """Python's ssl on blocking sockets, in a thread."""

    def secure(self, **tls: Any) -> Secure:
        made = Secure(self, **tls)
        made.stage.one.answers(200, b"hello")
        return made

    async def talk(self, secure: Secure, context: ssl.SSLContext, *sent: bytes) -> bytes:
        """What comes back until the gateway has closed."""

        def run_it() -> bytes:
            got = b""
            with (
                socket.create_connection(("127.0.0.1", secure.port), PATIENCE_S) as raw,
                context.wrap_socket(raw, server_hostname="localhost") as tls,
            ):
                for piece in sent:
                    tls.sendall(piece)
                while piece := tls.recv(65536):
                    got += piece
            return got

        answered: bytes = await in_thread(run_it)
        return answered

    async def test_the_end_is_told_so_that_nothing_can_be_cut_off_unseen(self) -> None:
        secure = self.secure()
        context = trusting(secure.authority)
        got = await self.talk(secure, context, request("GET", "/api", "Connection: close"))
        self.assertTrue(got.endswith(b"hello"), got)  # an end without that word is an error of its own in there

    async def test_a_refusal_is_read_by_who_is_still_sending(self) -> None:
        secure = self.secure()
        context = trusting(secure.authority)
        head = b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
        got = await self.talk(secure, context, head, b"x" * 300_000)
        self.assertTrue(got.startswith(b"HTTP/1.1 404 "), got)

    async def test_a_storm_of_handshakes_keeps_nobody_from_being_served(self) -> None:
        secure = self.secure()
        caller = Caller(await connect(secure.plain, MemoryClient))
        context = trusting(secure.authority)
        context.check_hostname = False

        def storm() -> int:
            done = 0
            for _ in range(60):
                with (
                    socket.create_connection(("127.0.0.1", secure.port), PATIENCE_S) as raw,
                    context.wrap_socket(raw),
                ):
                    done += 1
            return done

        storming = ensureDeferred(in_thread(storm))
        for _ in range(30):
            self.assertEqual((await caller.get("/api")).status, 200)
        self.assertEqual(await storming, 60)
        caller.connection.reset()
        await caller.closed()


class ClientCertificateTests(TestCase):
    """Who shows a certificate is told of to the service, and nobody can pretend to."""

    def secure(self, required: bool = True, **more: Any) -> Secure:
        authority = Authority()
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.clients = authority
        clients = {"ca": authority.write(folder), "required": required, "header": "X-Client-Subject", **more}
        return Secure(self, client_certificates=clients)

    def shown(self, secure: Secure, issued: Issued) -> tuple[str, ...]:
        """How curl shows a certificate."""
        files = issued.write(secure.folder, "client")
        return ("--cert", files.certificate, "--key", files.key)

    async def test_the_subject_and_the_fingerprint_reach_the_service(self) -> None:
        secure = self.secure(fingerprint_header="X-Client-Print")
        alice = self.clients.client("alice")
        await secure.curl(*self.shown(secure, alice), secure.url)
        seen = await secure.seen()
        self.assertEqual(seen.get(SUBJECT), b"CN=alice")
        self.assertEqual(len(seen.get(b"x-client-print") or b""), 64)

    async def test_nobody_sends_it_by_any_listener_in_any_spelling(self) -> None:
        secure = self.secure(required=False)
        forged = [part for name in ("X-Client-Subject", "x_client_subject", "X-CLIENT_Subject")
                  for part in ("--header", f"{name}: CN=root")]  # fmt: skip
        for url in (secure.url, f"http://127.0.0.1:{secure.plain}/api"):
            await secure.curl(*forged, url)
            names = [name.lower().replace(b"_", b"-") for name, _ in (await secure.seen()).fields]
            self.assertNotIn(SUBJECT, names)
        await secure.curl(*self.shown(secure, self.clients.client("alice")), *forged, secure.url)
        values = [value for name, value in (await secure.seen()).fields if name.lower().replace(b"_", b"-") == SUBJECT]
        self.assertEqual(values, [b"CN=alice"])

    async def test_nor_as_a_trailer(self) -> None:
        secure = self.secure(required=False)
        caller = Caller(await connect(secure.plain, MemoryClient))
        body = chunked(b"body", trailers="X_Client-Subject: CN=root\r\nX-Other: 1\r\n")
        caller.send(request("POST", "/api", "Transfer-Encoding: chunked", "TE: trailers") + body)
        await caller.answer()
        seen = await secure.seen()
        self.assertEqual([name.lower() for name, _ in seen.trailers], [b"x-other"])
        caller.connection.reset()
        await caller.closed()

    async def test_nor_by_naming_it_in_connection(self) -> None:
        secure = self.secure()
        named = ("--header", "Connection: close, X-Client-Subject")
        await secure.curl(*self.shown(secure, self.clients.client("alice")), *named, secure.url)
        self.assertEqual((await secure.seen()).get(SUBJECT), b"CN=alice")

    async def test_who_must_show_one_and_has_none_or_a_bad_one_is_not_served(self) -> None:
        secure = self.secure()
        old = self.clients.client("old", end=self.clients.expired("x").certificate.not_valid_after_utc)
        cases: list[tuple[str, ...]] = [
            (), self.shown(secure, Authority().client("stranger")), self.shown(secure, old),
            self.shown(secure, self.clients.server("not.for.clients")),
        ]  # fmt: skip
        for arguments in cases:
            self.assertNotEqual(await secure.refused(*arguments, secure.url), 0)
        self.assertEqual((secure.stage.one.requests, secure.told()["handshakes"]), ([], 0))
        self.assertEqual(sum(secure.told()["failed"].values()), len(cases))


class ReloadTests(TestCase):
    """Certificates that change while clients are there."""

    async def set_up(self) -> None:
        self.running = Running(self)
        self.authority = Authority()
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.files = self.authority.server("localhost").write(self.folder)
        endpoint = self.running.endpoint(self.running.port)
        self.tls = (
            f"{{endpoint: '{endpoint}', tls: {{certificates: "
            f"[{{certificate: {self.files.certificate}, key: {self.files.key}}}]}}}}"
        )
        self.assertEqual((await self.running.reload(LISTEN=self.tls))["outcome"], "reloaded")

    async def call(self) -> Caller:
        """A new client over TLS."""
        connection: MemoryClient = await connect(self.running.port, MemoryClient, self.authority)
        self.running._connections.append(connection)
        return Caller(connection)

    def shown(self) -> Any:
        """The serial number of the certificate that new clients get."""

        def look() -> int:
            context = trusting(self.authority)
            with (
                socket.create_connection(("127.0.0.1", self.running.port), PATIENCE_S) as raw,
                context.wrap_socket(raw, server_hostname="localhost") as tls,
            ):
                return int((tls.getpeercert() or {})["serialNumber"], 16)  # type: ignore[arg-type]  # a text

        return in_thread(look)

    async def test_new_files_are_for_new_connections_and_running_exchanges_go_on(self) -> None:
        await self.set_up()
        stream = self.running.services["stream"]
        gate = Gate()
        stream.does(
            ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), gate, Respond(b"0\r\n\r\n")
        )
        kept, streaming = await self.call(), (await self.call()).ask("GET", "/stream")
        await streaming.head()
        before = await self.shown()
        renewed = self.authority.server("localhost")
        renewed.write(self.folder)
        self.assertEqual((await self.running.reload(LISTEN=self.tls))["outcome"], "reloaded")
        self.assertEqual(await self.shown(), renewed.certificate.serial_number)
        self.assertNotEqual(before, renewed.certificate.serial_number)
        self.assertEqual((await kept.get("/shop")).status, 200)
        gate.open()
        self.assertEqual((await streaming.answer()).status, 200)

    async def test_a_broken_pair_changes_nothing_and_is_told_with_its_file(self) -> None:
        await self.set_up()
        before = await self.shown()
        other = self.authority.server("localhost")
        for name, content in (("server.key", other.key_pem()), ("server.pem", b"nothing"), ("server.key", b"")):
            good = (self.folder / name).read_bytes()
            (self.folder / name).write_bytes(content)
            told = await self.running.reload(LISTEN=self.tls)
            self.assertEqual(told["outcome"], "failed")
            self.assertIn(f"{self.folder}/{name}", told["problems"][0])
            self.assertEqual(await self.shown(), before)
            (self.folder / name).write_bytes(good)

    async def test_files_that_change_alone_are_noticed_where_that_is_wanted(self) -> None:
        await self.set_up()
        await self.running.reload(LISTEN=self.tls, WATCH="true")
        renewed = self.authority.server("localhost")
        renewed.write(self.folder)
        reloads = self.running.gateway._reloading.reloads
        await until(lambda: sum(reloads.counts.values()) > 2, "a reload")
        self.assertEqual(await self.shown(), renewed.certificate.serial_number)


class StatsTests(TestCase):
    async def test_certificates_and_handshakes_are_on_the_pages(self) -> None:
        secure = Secure(self)
        await secure.curl(secure.url)
        answer = await curl(f"http://127.0.0.1:{secure.plain}/gateway/stats")
        tls = json.loads(answer)["listeners"][ENDPOINT]["tls"]
        self.assertEqual((tls["handshakes"], tls["certificates"][0]["names"]), (1, ["localhost"]))
        metrics = await curl(f"http://127.0.0.1:{secure.plain}/gateway/metrics")
        self.assertIn(b"apigateway_certificate_days_left{", metrics)
