"""The raw client of a memory network."""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionRefusedError
from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Respond, Send


class MemoryClientTests(SynchronousTestCase):
    def setUp(self):
        self.network = MemoryNetwork()
        self.service = ScriptedService()
        self.service.listen(self.network.reactor, 8000)
        self.client = self.network.client()

    def ask(self, method=b"GET"):
        self.client.send(method + b" / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.network.pump()

    def test_what_is_sent_before_the_connection_is_there_waits_for_it(self):
        self.client.send(b"GET / HTTP/1.1\r\n").send(b"Host: x\r\n\r\n")
        self.network.pump()
        self.assertEqual(self.client.answers()[0].status, 200)
        self.assertEqual(repr(self.client), "<MemoryClient open received=38>")

    def test_it_comes_from_the_address_it_was_given(self):
        self.network.client(source="192.0.2.44")
        self.network.pump()
        peers = [connection.transport.getPeer().host for connection in self.service.connections]
        self.assertEqual(peers, ["203.0.113.7", "192.0.2.44"])

    def test_answers_are_read_one_by_one(self):
        self.service.script(
            Respond(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        )
        self.service.script(Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"))
        self.ask()
        self.ask(b"HEAD")
        answers = self.client.answers("GET", "HEAD")
        self.assertEqual([(answer.status, answer.body) for answer in answers], [(103, b""), (200, b"ok"), (200, b"")])

    def test_a_body_up_to_the_end_is_complete_when_the_connection_is_closed(self):
        self.service.does(Respond(b"HTTP/1.1 200 OK\r\n\r\nbody"))
        self.ask()
        self.assertFalse(self.client.answers()[0].is_complete)
        self.client.close()
        self.network.pump()
        self.assertTrue(self.client.answers()[0].is_complete)

    def test_it_can_read_slowly(self):
        self.network.pump()
        self.client.stop_reading()
        self.service.does(Send(b"x" * 1000, 1000))
        self.ask()
        self.assertEqual(self.client.received, b"")
        self.client.read_again()
        self.network.pump()
        self.assertEqual(len(self.client.received), 1_000_000)

    def test_it_can_go_away(self):
        self.network.pump()
        other = self.network.client()
        self.network.pump()
        self.client.close()
        other.reset()
        self.network.pump()
        self.assertEqual((self.client.lost.type, other.lost.type), (ConnectionDone, ConnectionAborted))
        self.assertEqual(self.service.open_connections, [])

    def test_a_refused_client_is_closed(self):
        client = self.network.client(port=1)
        self.network.pump()
        self.assertEqual((client.is_open, client.lost.type), (False, ConnectionRefusedError))
