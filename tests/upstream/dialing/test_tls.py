"""Who a service must be, what it is offered, and what is seen of its connections before they are used again."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
import weakref
from pathlib import Path
from typing import Any

from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from apigateway.config.model import GivenFile, UpstreamTls
from apigateway.errors import GatewayError
from apigateway.sockets.tls import CUT, TIMED_OUT, Peer, TlsFailed
from apigateway.sockets.transports import Sockets
from apigateway.testing.certificates import Authority, Issued
from apigateway.upstream.dialing.tls import TargetTls, client_context
from apigateway.upstream.dialing.tls_log import TlsLog
from apigateway.upstream.native.unread import look_at, talks
from tests.behaviour.secured import told
from tests.behaviour.waiting import reactor, until


def peer(issued: Issued | None, resumed: bool = False) -> Peer:
    return Peer(issued.der if issued else None, "TLSv1.3", "", None, resumed)


class ContextTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authority = Authority()

    def context(self, **options: Any) -> ssl.SSLContext:
        return client_context(UpstreamTls(**options))

    def test_by_default_the_system_is_trusted_and_nobody_without_a_certificate(self) -> None:
        context = self.context()
        system = ssl.create_default_context()
        self.assertEqual(context.cert_store_stats(), system.cert_store_stats())
        self.assertEqual(context.verify_mode, ssl.CERT_REQUIRED)
        self.assertEqual(context.minimum_version, ssl.TLSVersion.TLSv1_2)

    def test_with_a_bundle_of_ones_own_the_system_is_not(self) -> None:
        context = self.context(ca=GivenFile("ca.pem", self.authority.pem))
        self.assertEqual(context.cert_store_stats()["x509"], 1)

    def test_an_end_without_a_word_is_never_taken_for_one(self) -> None:
        self.assertFalse(self.context().options & ssl.OP_IGNORE_UNEXPECTED_EOF)

    def test_older_versions_can_be_left_out_and_verification_too(self) -> None:
        context = self.context(minimum="1.3", verify=False)
        self.assertEqual(context.minimum_version, ssl.TLSVersion.TLSv1_3)
        self.assertEqual(context.verify_mode, ssl.CERT_NONE)

    def test_files_that_were_not_read_are_not_used(self) -> None:
        self.assertRaises(AssertionError, self.context, ca=GivenFile("ca.pem"))


class TargetTlsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authority = Authority()
        self.clock = Clock()
        self.events = told(self, "tls-failed")
        self.tls = self.made("shop.internal")

    def made(self, name: str, verify: bool = True) -> TargetTls:
        context = client_context(UpstreamTls(verify=verify, ca=GivenFile("ca.pem", self.authority.pem)))
        log = TlsLog("shop", "https://shop", self.clock.seconds)
        return TargetTls(name, context, verify, log, self.clock.seconds)

    def judged(self, tls: TargetTls, shown: Peer) -> str:
        try:
            tls.client.verify(shown)
        except TlsFailed as failed:
            return failed.reason
        return "good"

    def test_names_and_addresses_are_compared(self) -> None:
        issued = self.authority.server("*.shop.internal", "shop.internal", "10.0.0.1", "::1")
        for name, verdict in (
            ("shop.internal", "good"),
            ("a.shop.internal", "good"),
            ("a.b.shop.internal", "WRONG_NAME"),
            ("users.internal", "WRONG_NAME"),
            ("10.0.0.1", "good"),
            ("10.0.0.2", "WRONG_NAME"),
            ("::1", "good"),
        ):
            self.assertEqual(self.judged(self.made(name), peer(issued)), verdict, name)

    def test_the_common_name_is_no_name(self) -> None:
        self.assertEqual(self.judged(self.tls, peer(self.authority.client("shop.internal"))), "WRONG_NAME")

    def test_no_certificate_and_one_that_is_none_are_refused(self) -> None:
        self.assertEqual(self.judged(self.tls, peer(None)), "WRONG_NAME")
        self.assertEqual(self.judged(self.tls, Peer(b"none", "", "", None, False)), "WRONG_NAME")

    def test_unless_anybody_will_do(self) -> None:
        self.assertEqual(self.judged(self.made("shop", verify=False), peer(None)), "good")
        self.assertIn("unverified", repr(self.made("shop", verify=False)))

    def test_a_session_that_goes_on_does_not_outlive_its_certificate(self) -> None:
        issued = self.authority.server("shop.internal")
        end = issued.certificate.not_valid_after_utc.timestamp()
        self.clock.advance(end - 1)
        self.assertEqual(self.judged(self.tls, peer(issued, resumed=True)), "good")
        self.clock.advance(2)
        self.assertEqual(self.judged(self.tls, peer(issued, resumed=True)), "CERTIFICATE_EXPIRED")

    def test_it_goes_with_its_context_when_nobody_has_it_any_more(self) -> None:
        gc.disable()
        self.addCleanup(gc.enable)
        tls = self.made("shop.internal")
        gone = weakref.ref(tls)
        del tls
        self.assertIsNone(gone())

    def never(self, *given: Any, tls: Any) -> Any:
        raise AssertionError("nobody connects")

    def error(self, why: BaseException, way: str = "explain") -> GatewayError | None:
        error: GatewayError | None = getattr(self.tls.way(self.never), way)(why)
        return error

    def test_failures_are_told_to_clients_and_in_the_log(self) -> None:
        for reason, cause in (("WRONG_NAME", "tls-untrusted"), (CUT, "tls-failed"), (TIMED_OUT, "connect-timeout")):
            error = self.error(TlsFailed(reason))
            assert error is not None
            self.assertEqual(error.cause.code, cause)
        self.assertEqual([event["cause"] for event in self.events], ["tls-untrusted", "tls-failed"])

    def test_what_is_not_tls_is_for_others_to_tell(self) -> None:
        self.assertIsNone(self.error(ConnectionRefusedError()))
        self.assertEqual(self.events, [])

    def test_of_a_connection_that_stood_only_what_the_service_said_of_it_is_a_refusal(self) -> None:
        for reason, is_one in (("TLSV13_ALERT_CERTIFICATE_REQUIRED", True), ("TRUNCATED", False)):
            self.assertEqual(self.error(TlsFailed(reason), "refusal") is not None, is_one)

    def test_connections_begin_with_its_client_and_probes_with_one_of_their_own(self) -> None:
        asked: list[Any] = []

        def connect(*given: Any, tls: Any) -> Any:
            asked.append((given, tls))

        self.tls.way(connect).connect("10.0.0.1", 443, ClientFactory(), 5.0)
        fresh = self.tls.fresh_way(connect)
        for _ in range(2):
            fresh.connect("10.0.0.1", 443, ClientFactory(), 5.0)
        self.assertIs(asked[0][1], self.tls.client)
        self.assertIsNot(asked[1][1], self.tls.client)
        self.assertEqual([tls.keeps_sessions for _, tls in asked], [True, False, False])
        self.assertEqual(asked[0][0][:2], ("10.0.0.1", 443))
        self.assertEqual(fresh.describe(), {})

    def test_what_is_shown_of_it(self) -> None:
        shown = self.tls.way(self.never).describe()
        self.assertEqual(shown, {"handshakes": 0, "resumed": 0, "verified": True})


class Noting(Protocol):
    """Notes what comes."""

    transport: Any

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.is_lost = False

    def dataReceived(self, data: bytes) -> None:
        """Some data."""
        self.received.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end."""
        self.is_lost = True


class UnreadTests(TestCase):
    """What waits in the kernel before a request is sent: nobody has gone round the reactor in between."""

    async def connected(self) -> None:
        authority = Authority()
        issued = authority.server("localhost")
        folder = Path(self.mktemp())
        folder.mkdir()
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(*issued.write(folder))
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        self.theirs: Any = None

        def accept() -> None:
            raw, _ = listener.accept()
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.theirs = serving.wrap_socket(raw, server_side=True)

        thread = threading.Thread(target=accept)
        thread.start()
        context = client_context(UpstreamTls(ca=GivenFile("ca.pem", authority.pem)))
        log = TlsLog("shop", "https://shop", reactor.seconds)
        tls = TargetTls("localhost", context, True, log, reactor.seconds)
        made = self.made = Noting()
        factory: Any = ClientFactory.forProtocol(lambda: made)
        tls.way(Sockets(reactor).connect).connect("127.0.0.1", listener.getsockname()[1], factory, 5.0)
        await until(lambda: made.connected and self.theirs is not None)
        thread.join()
        self.look = look_at(made.transport)
        self.addCleanup(self.end)

    async def end(self) -> None:
        self.made.transport.abortConnection()
        self.theirs.close()
        await until(lambda: self.made.is_lost)

    async def test_tickets_are_nothing(self) -> None:
        await self.connected()
        self.assertFalse(self.look())
        self.assertFalse(talks(self.made.transport))
        self.assertEqual(self.made.received, [])

    async def test_data_is_something_and_is_talk(self) -> None:
        await self.connected()
        self.theirs.send(b"220 mail")
        self.assertTrue(self.look())
        self.assertTrue(talks(self.made.transport))
        self.assertEqual(self.made.received, [b"220 mail"])

    async def test_an_end_is_something(self) -> None:
        await self.connected()
        self.look()
        self.theirs.setblocking(False)
        self.assertRaises(ssl.SSLWantReadError, self.theirs.unwrap)
        self.assertTrue(self.look())
        self.assertFalse(talks(self.made.transport))

    async def test_so_is_one_without_a_word(self) -> None:
        await self.connected()
        self.look()
        self.theirs.shutdown(socket.SHUT_WR)
        self.assertTrue(self.look())
        self.assertFalse(talks(self.made.transport))
