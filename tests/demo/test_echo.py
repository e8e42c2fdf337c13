"""The demo's WebSocket, read and written by another implementation's client end."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection as Wire
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from apigateway.demo.product import product_site
from tests.demo.asking import Connection, ask

HANDSHAKE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip


class EchoTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = product_site(Clock(), "product:1")
        self.connection = Connection(self.site, "GET", "/api/echo", b"", **HANDSHAKE)
        self.head, _, _ = self.connection.transport.value().partition(b"\r\n\r\n")
        self.connection.transport.clear()
        self.wire = Wire(ConnectionType.CLIENT)

    def say(self, *events: Event) -> list[Event]:
        """Say something and hear what is said back."""
        for event in events:
            self.connection.protocol.dataReceived(self.wire.send(event))
        self.wire.receive_data(self.connection.transport.value())
        self.connection.transport.clear()
        return list(self.wire.events())

    def test_the_handshake_is_answered_as_rfc_6455_says(self) -> None:
        self.assertTrue(self.head.startswith(b"HTTP/1.1 101 "), self.head)
        self.assertIn(b"sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=", self.head.lower())

    def test_messages_come_back_as_they_were(self) -> None:
        heard = self.say(TextMessage("hallo \N{TEAPOT}"), BytesMessage(b"\0\xff" * 40_000))
        self.assertEqual(heard[0], TextMessage("hallo \N{TEAPOT}"))
        self.assertEqual(
            b"".join(event.data for event in heard[1:] if isinstance(event, BytesMessage)), b"\0\xff" * 40_000
        )

    def test_fragments_are_put_together(self) -> None:
        heard = self.say(TextMessage("one ", message_finished=False), TextMessage("message"))
        self.assertEqual(heard, [TextMessage("one message")])

    def test_pings_and_the_end_are_answered(self) -> None:
        self.assertEqual(self.say(Ping(b"there?")), [Pong(b"there?")])
        (end,) = self.say(CloseConnection(1000, "enough"))
        self.assertIsInstance(end, CloseConnection)
        self.assertTrue(self.connection.transport.disconnecting)
        self.connection.protocol.connectionLost(Failure(ConnectionDone()))

    def test_a_client_that_does_not_read_is_not_read(self) -> None:
        transport = self.connection.transport
        producer: Any = transport.producer
        producer.pauseProducing()
        self.assertEqual(transport.producerState, "paused")
        producer.resumeProducing()
        self.assertEqual(transport.producerState, "producing")
        producer.stopProducing()

    def test_what_is_no_handshake_is_refused(self) -> None:
        self.assertEqual(ask(self.site, "GET", "/api/echo").status, 400)
        self.flushLoggedErrors()
