"""The scripted service: which script runs when, and what it keeps."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
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


class GoingAwayTests(SynchronousTestCase):
    """A service refuses, dies, hangs, closes what rests, and comes back."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.service = ScriptedService()
        self.service.listen(self.network.reactor, 80)

    def ask(self) -> MemoryClient:
        client = self.network.client(80).send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.network.pump()
        return client

    def test_it_refuses_new_connections_and_keeps_the_old(self) -> None:
        old = self.ask()
        self.service.refuse()
        self.assertFalse(self.service.is_listening)
        self.assertEqual(self.ask().lost.type, ConnectionRefusedError)  # type: ignore[union-attr]  # lost it is
        old.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.network.pump()
        self.assertEqual(len(old.answers()), 2)
        self.service.refuse()

    def test_it_comes_back_where_it_was(self) -> None:
        port = self.service.port
        self.service.refuse()
        self.service.come_back()
        self.assertEqual((self.service.port, self.service.is_listening), (port, True))
        self.assertEqual(len(self.ask().answers()), 1)
        self.assertRaises(AssertionError, self.service.come_back)

    def test_it_dies_with_all_its_connections(self) -> None:
        old = self.ask()
        self.service.die()
        self.network.pump()
        self.assertEqual((old.is_open, self.ask().is_open), (False, False))

    def test_it_hangs_and_goes_on(self) -> None:
        self.service.stop_accepting()
        waiting = self.ask()
        self.network.advance(10)
        self.assertEqual((waiting.is_open, waiting.received), (True, b""))
        self.service.accept_again()
        self.network.pump()
        self.assertEqual(len(waiting.answers()), 1)
        self.service.refuse()
        self.assertRaises(AssertionError, self.service.stop_accepting)

    def test_it_closes_or_resets_what_rests_and_nothing_else(self) -> None:
        resting = self.ask()
        self.service.script(Stall())
        busy = self.ask()
        half = self.network.client(80).send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12")
        self.network.pump()
        self.assertEqual(self.service.close_idle(), 1)
        self.network.pump()
        self.assertEqual([one.is_open for one in (resting, busy, half)], [False, True, True])
        resting = self.ask()
        self.assertEqual(self.service.close_idle(reset=True), 1)
        self.network.pump()
        self.assertEqual(resting.lost.type, ConnectionLost)  # type: ignore[union-attr]  # lost it is

    def test_scripts_can_be_forgotten(self) -> None:
        self.service.script(Stall()).forget_scripts()
        self.assertEqual(len(self.ask().answers()), 1)
