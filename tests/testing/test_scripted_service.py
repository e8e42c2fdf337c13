"""The scripted service: which script runs when, and what it keeps."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from apigateway.testing.client import MemoryClient
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Answer, Call, Close, Respond, Stall, Wait


def ask(target=b"/", more=b""):
    return b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n" + more


class ScriptedServiceTests(SynchronousTestCase):
    def setUp(self):
        self.network = MemoryNetwork()
        self.service = ScriptedService()
        self.service.listen(self.network.reactor, 80)
        self.client = self.network.client(80)

    def answers(self, data):
        self.client.send(data)
        self.network.pump()
        return [(answer.status, answer.body) for answer in self.client.answers()]

    def test_it_usually_answers_200_without_a_body(self):
        self.assertEqual(self.answers(ask()), [(200, b"")])

    def test_it_usually_does_what_it_was_last_told(self):
        self.service.answers(404, b"no", {"X-A": "1"})
        self.assertEqual(self.answers(ask()), [(404, b"no")])
        self.service.answers(chunks=[b"a", b"b"])
        self.assertEqual(self.answers(ask())[-1], (200, b"ab"))
        self.service.does(Respond(b"HTTP/1.1 204 No Content\r\n\r\n"))
        self.assertEqual(self.answers(ask())[-1], (204, b""))

    def test_scripts_are_for_one_request_each_in_their_order(self):
        self.service.script(Answer(201)).script(Answer(202))
        self.assertEqual([status for status, _ in self.answers(ask() * 3)], [201, 202, 200])

    def test_pipelined_requests_are_answered_one_after_the_other(self):
        self.service.script(Wait(1), Answer(200, b"first")).script(Answer(200, b"second"))
        self.assertEqual(self.answers(ask() * 2), [])
        self.network.advance(1)
        self.assertEqual(self.answers(b""), [(200, b"first"), (200, b"second")])

    def test_connections_have_scripts_of_their_own(self):
        self.service.script(Stall()).script(Answer(201))
        self.answers(ask())
        other = self.network.client(80).send(ask())
        self.network.pump()
        self.assertEqual((self.client.received, other.answers()[0].status), (b"", 201))

    def test_a_greeting_runs_before_any_request(self):
        self.service.greeting = (Respond(b"220 hello\r\n"), Close())
        self.network.pump()
        self.assertEqual((self.client.received, self.client.is_open), (b"220 hello\r\n", False))

    def test_it_keeps_requests_and_connections(self):
        self.answers(ask(b"/a") + ask(b"/b"))
        other = self.network.client(80).send(ask(b"/c"))
        self.network.pump()
        other.close()
        self.network.pump()
        self.assertEqual([request.target for request in self.service.requests], ["/a", "/b", "/c"])
        first, second = self.service.connections
        self.assertEqual([request.target for request in first.requests], ["/a", "/b"])
        self.assertEqual((self.service.open_connections, second.lost is None), ([first], False))
        self.assertEqual(repr(self.service), "<ScriptedService 3 requests on 2 connections>")
        self.assertEqual(repr(second), "<ScriptedConnection closed [<Message GET /c body=0 complete>] []>")

    def test_a_script_ends_with_its_connection(self):
        called = []
        self.service.script(Wait(1), Call(called.append))
        self.answers(ask())
        self.client.close()
        self.network.advance(2)
        self.assertEqual((called, self.network.reactor.getDelayedCalls()), ([], []))


class ScriptedServiceOverSockets(TestCase):
    async def test_it_serves_over_real_sockets(self):
        from twisted.internet import reactor  # noqa: PLC0415  # for this test alone

        service = ScriptedService().script(Wait(0), Answer(200, b"real"), Close())
        port = service.listen(reactor)
        self.addCleanup(port.stopListening)
        over = Deferred()

        class Client(MemoryClient):
            def connectionLost(self, reason):
                super().connectionLost(reason)
                over.callback(None)

        client = Client()
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), client)
        client.send(ask(b"/real"))
        await over
        self.assertEqual((client.answers()[0].body, service.requests[0].target), (b"real", "/real"))
