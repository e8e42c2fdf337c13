"""Connecting with TLS: the factory hears of a connection when it can be used, and else once why not."""

from __future__ import annotations

import ssl
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from apigateway.sockets.tls import CUT, NOT_VERIFIED, TIMED_OUT, ClientTls, Peer, TlsFailed
from apigateway.sockets.tls_wire import INCOMING, OUTGOING
from apigateway.testing.certificates import Authority, self_signed
from tests.behaviour.waiting import until
from tests.circles import circles
from tests.sockets.secure import Secured, Wanting, context_for, trusting
from tests.sockets.test_tls_stream import Echo
from tests.sockets.test_transports import Peer as Protocolled
from tests.sockets.test_transports import reactor


class Garbage(Protocol):
    """Answers whatever comes with something that is no TLS."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")  # type: ignore[union-attr]  # it is connected


class Leaves(Protocol):
    """Closes at the first word."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.loseConnection()  # type: ignore[union-attr]  # it is connected


class Keeping(Protocolled):
    """Keeps what it is told at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.why: list[Any] = []

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.why.append(reason.value)
        super().connectionLost(reason)


class Counting(ClientTls):
    """Counts the sessions that it is given."""

    given = 0

    def keep_session(self, session: ssl.SSLSession | None) -> None:
        self.given += 1
        super().keep_session(session)


class ConnectTests(Secured):
    async def failure(self, tls: ClientTls, timeout: float = 60.0, port: int | None = None) -> Any:
        """What connecting fails with: heard of once, and no connection remains."""
        wanting = Wanting(Protocolled())
        self.sockets.connect("127.0.0.1", port or self.port, wanting, timeout, tls)
        await until(lambda: bool(wanting.failures), "a failure")
        await deferLater(reactor, 0.01)
        self.assertEqual((len(wanting.failures), wanting.lost), (1, []))
        self.assertEqual((INCOMING.pending, OUTGOING.pending), (0, 0))
        return wanting.failures[0]

    async def test_a_certificate_that_is_not_good_fails_with_what_is_wrong_with_it(self) -> None:
        stranger = Authority()
        cases = [
            (self.authority.server("other.name"), 62),
            (self.authority.expired("localhost"), 10),
            (self.authority.not_yet_valid("localhost"), 9),
            (self_signed("localhost"), 18),
            (stranger.server("localhost"), 20),
        ]
        for issued, code in cases:
            self.context = context_for(issued)
            server = Protocolled()
            self.serve(server)
            why = await self.failure(self.tls)
            self.assertEqual((why.reason, why.verify_code), ("CERTIFICATE_VERIFY_FAILED", code), str(why))
            self.assertTrue(self.secure.failures[0].reason.startswith("TLSV1_ALERT") or "ALERT" in
                            self.secure.failures[0].reason, self.secure.failures)  # fmt: skip

    async def test_who_does_not_speak_tls_or_leaves_or_says_nothing(self) -> None:
        for protocol, reason, timeout in ((Garbage, "WRONG_VERSION_NUMBER", 60.0), (Leaves, CUT, 60.0),
                                          (Protocol, TIMED_OUT, 0.05)):  # fmt: skip
            port = self.listen(protocol()).getHost().port
            self.assertEqual((await self.failure(self.tls, timeout, port)).reason, reason)

    async def test_where_nobody_listens_it_fails_as_without_tls(self) -> None:
        listening = self.listen(Protocol())
        port = listening.getHost().port
        await listening.stopListening()
        self.assertIsInstance(await self.failure(self.tls, port=port), ConnectionRefusedError)

    async def test_what_verify_raises_is_the_failure(self) -> None:
        def verify(peer: Peer) -> None:
            raise ValueError(f"{peer.version} is too new for me")

        server = Protocolled()
        self.serve(server)
        why = await self.failure(ClientTls(self.client_context, "localhost", verify))
        self.assertEqual((why.reason, str(why)), (NOT_VERIFIED, "TLSv1.3 is too new for me"))

    async def test_a_protocol_that_is_not_wanted_any_more(self) -> None:
        self.serve(Protocolled())
        wanting = Wanting(None)
        self.sockets.connect("127.0.0.1", self.port, wanting, 5, self.tls)
        await until(lambda: bool(wanting.failures), "a failure")
        self.assertIsInstance(wanting.failures[0], TlsFailed)

    async def test_the_factory_hears_of_the_end_of_a_connection_that_it_had(self) -> None:
        server, client = Protocolled(), Protocolled()
        self.serve(server)
        wanting = Wanting(client)
        self.sockets.connect("127.0.0.1", self.port, wanting, 5, self.tls)
        await client.made
        client.transport.loseConnection()
        await until(lambda: bool(wanting.lost), "the end")
        self.assertEqual([type(one) for one in wanting.lost], [ConnectionDone])
        await server.lost

    async def test_whatever_comes_of_it_nothing_waits_for_the_collector(self) -> None:
        async def part() -> None:
            server, client = Protocolled(), Protocolled()
            self.serve(server)
            wanting = Wanting(client)
            self.sockets.connect("127.0.0.1", self.port, wanting, 5, self.tls)
            await client.made
            await server.made
            wanting.there = None
            client.transport.abortConnection()
            await client.lost
            await server.lost

        async def fail() -> None:
            stranger = ClientTls(trusting(Authority()), "localhost")
            await self.failure(stranger)
            await self.failure(stranger, port=1)

        with circles() as found:
            await part()
            await fail()
            await deferLater(reactor, 0.01)
        self.assertEqual(found, {})

    async def test_a_session_goes_on_in_the_next_connection_in_both_versions(self) -> None:
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            self.client_context = trusting(self.authority)
            self.client_context.maximum_version = version
            self.tls = ClientTls(self.client_context, "localhost")
            for _ in range(3):
                server, client = await self.secure_pair(Echo())
                client.transport.write(b"x")
                await until(lambda client=client: client.received == b"x", client)  # type: ignore[misc]  # bound here
                await self.part(server, client)
            self.assertEqual((self.tls.handshakes, self.tls.resumed), (3, 2), version)

    async def test_a_session_that_went_on_is_kept_as_each_that_is_taken_costs_memory_for_ever(self) -> None:
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            self.client_context = trusting(self.authority)
            self.client_context.maximum_version = version
            self.tls = tls = Counting(self.client_context, "localhost")
            for _ in range(4):
                server, client = await self.secure_pair(Echo())
                client.transport.write(b"x")
                await until(lambda client=client: client.received == b"x", client)  # type: ignore[misc]  # bound here
                await self.part(server, client)
            self.assertEqual((tls.resumed, tls.given), (3, 1), version)

    async def test_who_keeps_no_sessions_takes_none(self) -> None:
        self.tls = tls = Counting(self.client_context, "localhost", keeps_sessions=False)
        for _ in range(2):
            server, client = await self.secure_pair(Echo())
            client.transport.write(b"x")
            await until(lambda client=client: client.received == b"x", client)  # type: ignore[misc]  # bound here
            await self.part(server, client)
        self.assertEqual((tls.handshakes, tls.resumed, tls.given), (2, 0, 0))

    async def test_a_session_of_a_server_that_begins_anew_is_no_hindrance(self) -> None:
        for _ in range(2):
            server, client = await self.secure_pair(Echo())
            client.transport.write(b"x")
            await until(lambda client=client: client.received == b"x", client)  # type: ignore[misc]  # bound here
            await self.part(server, client)
            self.context = context_for(self.authority.server("localhost"))
        self.assertEqual((self.tls.handshakes, self.tls.resumed), (2, 0))

    async def test_a_certificate_of_the_clients_own_is_shown(self) -> None:
        self.context.load_verify_locations(cadata=self.authority.pem.decode())
        self.context.verify_mode = ssl.CERT_REQUIRED
        own = self.authority.client("me")
        self.tls = ClientTls(trusting(self.authority, own), "localhost")
        server, _ = await self.secure_pair()
        self.assertEqual(server.transport.getPeerCertificate(), own.certificate)

    async def test_a_server_that_wants_one_says_so_when_the_connection_is_there_already(self) -> None:
        self.context.load_verify_locations(cadata=self.authority.pem.decode())
        self.context.verify_mode = ssl.CERT_REQUIRED
        client = Keeping()
        self.serve(Protocolled())
        self.sockets.connect("127.0.0.1", self.port, Wanting(client), 5, self.tls)
        await client.lost
        self.assertEqual([one.reason for one in client.why], ["TLSV13_ALERT_CERTIFICATE_REQUIRED"])
