"""Connections whose handshake is not done: they are counted, have a time limit, make room, and end with the rest."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.arriving import IN_CLEAR
from apigateway.downstream.site import SiteLimits
from tests.downstream.secure import SecureStand
from tests.downstream.stand import ask
from tests.sockets.test_client_hello import hello

SHORT = hello("localhost")[:20]


class ArrivingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.secure = SecureStand(self, limits=SiteLimits(connections=4, connections_per_client=2, head_s=10))
        self.stand = self.secure.stand
        self.site = self.stand.site

    @property
    def failed(self) -> dict[str, int]:
        assert self.secure.listener.tls is not None
        return dict(self.secure.listener.tls.failed)

    def test_it_counts_as_a_connection_until_a_channel_does(self) -> None:
        raw = self.secure.raw(SHORT)
        self.assertEqual(self.site.connections.describe()["open"], 1)
        self.assertIn("Arriving", repr(next(iter(self.site.channels))))
        raw.close()
        self.stand.network.pump()
        self.secure.connect()
        self.assertEqual((self.site.connections.describe()["open"], len(self.site.channels)), (1, 1))
        self.assertEqual(self.failed, {"CONNECTION_CUT": 1})

    def test_requests_are_served_and_known_to_be_secure(self) -> None:
        client = self.secure.connect()
        self.stand.send(client, ask(target="/one"), ask(target="/two"))
        self.assertEqual([one.status for one in client.answers()], [200, 200])
        self.assertTrue(self.stand.last.exchange.secure)

    def test_who_does_not_finish_the_handshake_in_time_is_cut(self) -> None:
        for data in (b"", SHORT):
            client = self.secure.raw(data) if data else self.secure.raw()
            self.stand.after(9)
            self.assertTrue(client.is_open)
            self.stand.after(1.5)
            self.assertFalse(client.is_open)
        self.assertEqual((self.failed, self.site.channels), ({"TIMED_OUT": 2}, set()))

    def test_drips_of_a_hello_do_not_prolong_it(self) -> None:
        client = self.secure.raw()
        for byte in SHORT[:11]:
            self.stand.send(client, bytes([byte]))
            self.stand.after(1)
        self.assertFalse(client.is_open)

    def test_it_makes_room_for_others(self) -> None:
        clients = [self.secure.raw(SHORT) for _ in range(4)]
        self.assertEqual(sum(one.is_open for one in clients), 2, "the bound of one client")
        self.assertEqual(self.failed, {"NO_ROOM": 2})
        self.assertEqual(self.site.connections.describe()["open"], 2)

    def test_the_stop_ends_it(self) -> None:
        client = self.secure.raw(SHORT)
        self.site.stop_accepting_requests()
        self.stand.network.pump()
        self.assertFalse(client.is_open)
        self.assertEqual((self.failed, self.site.channels), ({"STOPPING": 1}, set()))

    def test_all_that_is_open_can_be_cut(self) -> None:
        clients = [self.secure.raw(SHORT), self.secure.connect()]
        self.site.cut_all()
        self.stand.network.pump()
        self.assertEqual([one.is_open for one in clients], [False, False])

    def test_http_without_tls_is_answered_with_what_to_do(self) -> None:
        client = self.secure.raw(ask())
        self.assertEqual((client.received, client.is_open), (IN_CLEAR, False))
        (answer,) = client.answers()
        self.assertEqual((answer.status, b"https://" in answer.body, self.failed), (400, True, {"HTTP_REQUEST": 1}))

    def test_garbage_is_nobodys_error(self) -> None:
        for data in (b"\0\0\0", b"SSH-2.0-x\r\n", b"\x16\x03\x01\0\x05hello", hello("localhost") + b"\xff" * 500):
            self.assertFalse(self.secure.raw(data).is_open, data)
        self.assertEqual((sum(self.failed.values()), self.site.channels), (4, set()))

    def test_leaving_is_for_the_channel_that_follows(self) -> None:
        self.secure.raw(SHORT)
        self.site.leave(self.secure.listener)
        client = self.secure.connect()
        self.stand.send(client, ask())
        self.assertEqual(client.answers()[0].get(b"connection"), b"close")
