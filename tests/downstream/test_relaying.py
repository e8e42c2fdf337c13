"""A client's connection that becomes one end of a relay."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.relay import Relay
from apigateway.testing.client import MemoryClient
from tests.downstream.relay_stand import End, RelayStand
from tests.downstream.stand import Answering, Stand, ask

WISH = ("Connection: Upgrade", "Upgrade: chat/1")
LINES = b"Connection: Upgrade\r\nUpgrade: chat/1\r\n"


class Account(RelayStand):
    """Is told of the relay, and is the service's side of it: an attempt that has switched."""

    def __init__(self, stand: Stand, late: bytes = b"", is_websocket: bool = False) -> None:
        self.idle_s = 80.0
        self.is_websocket = is_websocket
        self.told: list[str] = []
        self.service = End()
        self.late = late
        self._stand = stand
        self._to_service = self._link(self.service)
        stand.network.links.append(self._to_service)

    def switch(self, side: Any) -> bytes:
        self._to_service.server.open(side)
        return self.late


class RelayingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stand = Stand()
        self.is_offered: list[bool] = []

    def switched(self, *sent: bytes, **account: Any) -> tuple[MemoryClient, Account]:
        """A client that has switched; what it sends behind its request comes with it."""
        made: list[Account] = []

        def does(one: Answering) -> None:
            self.is_offered.append(one.downstream.offer_switch())
            made.append(Account(self.stand, **account))
            one.exchange.status = 101
            one.exchange.upstream = None
            attempt: Any = made[-1]
            one.downstream.switch(b"Go", LINES, attempt, made[-1])

        self.stand.does = does
        client = self.stand.client(ask("GET", "/chat", *WISH) + b"".join(sent))
        return client, made[0]

    def test_the_client_gets_101_and_what_the_service_said_behind_it(self) -> None:
        client, account = self.switched(late=b"late")
        self.assertEqual(client.received, b"HTTP/1.1 101 Go\r\n" + LINES + b"\r\nlate")
        self.assertEqual((self.is_offered, account.told), ([True], ["began"]))

    def test_what_the_client_said_behind_its_request_goes_to_the_service(self) -> None:
        client, account = self.switched(ask("GET", "/other"))
        self.stand.send(client, b" more")
        self.assertEqual(account.service.received, ask("GET", "/other") + b" more")
        self.assertEqual(self.stand.targets, ["/chat"])

    def test_the_relay_is_the_clients_connection_from_then_on(self) -> None:
        client, account = self.switched()
        (relay,) = self.stand.site.channels
        self.assertIsInstance(relay, Relay)
        self.assertEqual(self.stand.site.connections.describe()["open"], 1)
        client.close()
        self.stand.network.pump()
        account.service.transport.loseConnection()
        self.stand.network.pump()
        self.assertEqual((self.stand.site.channels, self.stand.site.connections.describe()["open"]), (set(), 0))
        self.assertEqual(account.told, ["began", "ended"])
        self.assertEqual([(one.status, one.cause) for one in self.stand.observer.summary()], [(101, None)])

    def test_the_site_ends_it_when_it_is_idle_or_cut(self) -> None:
        for end, cause in ((lambda: self.stand.after(100), "idle-timeout"), (self._cut, "stopping")):
            self.setUp()
            client, _ = self.switched()
            end()
            self.stand.network.pump()
            self.assertFalse(client.is_open)
            self.assertEqual(self.stand.observer.summary()[-1].cause, cause)

    def _cut(self) -> None:
        self.stand.site.cut_all()

    def test_one_that_begins_while_the_site_stops_is_told_at_once(self) -> None:
        self.stand.site.stopping = True
        client, account = self.switched(is_websocket=True)
        self.stand.network.pump()
        self.assertTrue(client.received.endswith(b"\x88\x02\x03\xe9"), client.received)
        self.assertEqual(account.service.received[:2], b"\x88\x82")


class OfferTests(SynchronousTestCase):
    def test_only_a_request_that_asks_for_it_can_switch(self) -> None:
        stand = Stand()
        for fields, expected in ((WISH, True), ((), False), (("Connection: upgrade", "Upgrade: h2c"), False)):
            stand.client(ask("GET", "/", *fields))
            self.assertEqual(stand.last.downstream.offer_switch(), expected)

    def test_after_an_offer_an_answer_is_the_last(self) -> None:
        stand = Stand()
        client = stand.client(ask("GET", "/1", *WISH) + ask("GET", "/2"))
        stand.last.downstream.offer_switch()
        stand.last.answer(b"no")
        stand.network.pump()
        (answer,) = client.answers()
        self.assertEqual((answer.get(b"connection"), client.is_open, stand.targets), (b"close", False, ["/1"]))

    def test_without_one_what_follows_is_the_next_request(self) -> None:
        stand = Stand()
        client = stand.client(ask("GET", "/1", *WISH) + ask("GET", "/2", *WISH))
        for number in (1, 2):
            self.assertEqual(len(stand.targets), number)
            stand.last.answer(b"no")
            stand.network.pump()
        self.assertTrue(client.is_open)
        stand.send(client, ask("GET", "/3"))
        self.assertEqual(stand.targets, ["/1", "/2", "/3"])
