"""The demo's event stream."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from apigateway.demo.events import HEARTBEAT_S
from apigateway.demo.product import product_site
from tests.demo.asking import Connection, ask


class EventsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.site = product_site(self.clock, "product:1")

    def begin(self, path: str = "/api/events", **fields: str) -> Connection:
        return Connection(self.site, "GET", path, b"", **fields)

    def said(self, connection: Connection) -> list[str]:
        """The blocks of a stream so far."""
        head, *rest = connection.transport.value().split(b"\r\n\r\n", 1)
        self.assertIn(b"Content-Type: text/event-stream\r\n", head)
        pieces = rest[0].split(b"\r\n")[1::2]  # each in a chunk of its own
        return b"".join(pieces).decode().split("\n\n")[:-1]

    def test_a_tick_comes_at_once_and_each_second_and_tells_its_target(self) -> None:
        connection = self.begin()
        self.clock.pump([1, 1])
        blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in self.said(connection)]
        self.assertEqual(
            [(block["event"], block["id"]) for block in blocks], [("tick", "1"), ("tick", "2"), ("tick", "3")]
        )
        self.assertEqual(json.loads(blocks[2]["data"]), {"number": 3, "target": "product:1"})

    def test_a_sign_of_life_comes_in_between(self) -> None:
        connection = self.begin("/api/events?seconds=60")
        self.clock.pump([HEARTBEAT_S] * 3)
        self.assertEqual(self.said(connection)[1:], [": heartbeat"] * 3)

    def test_it_goes_on_where_the_client_says_it_ended(self) -> None:
        for last, expected in (("41", "id: 42"), ("x", "id: 1"), ("", "id: 1"), ("9" * 10, "id: 1"), ("\xb2", "id: 1"),
                               ("\udce9", "id: 1")):  # fmt: skip
            connection = self.begin(**{"Last-Event-ID": last})
            self.assertIn(expected, self.said(connection)[0])

    def test_ticks_that_a_slow_client_has_no_room_for_are_left_out(self) -> None:
        connection = self.begin()
        producer: Any = connection.transport.producer
        producer.pauseProducing()
        self.clock.pump([1] * 10)
        producer.resumeProducing()
        self.clock.advance(1)
        self.assertEqual([block.split("\n")[1] for block in self.said(connection)], ["id: 1", "id: 12"])

    def test_a_client_that_is_gone_leaves_nothing(self) -> None:
        connection = self.begin()
        connection.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_asks_for_the_head_gets_no_stream(self) -> None:
        answer = ask(self.site, "HEAD", "/api/events")
        self.assertEqual((answer.status, answer.fields["content-type"]), (200, "text/event-stream"))
        self.assertEqual(self.clock.getDelayedCalls(), [])
