"""Listeners: opened and closed one by one, what stays is not touched, and clients are asked to leave."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.listeners import Listener, Listeners
from apigateway.downstream.opening import Opening
from apigateway.downstream.redirect import Redirection
from tests.downstream.stand import Stand, ask, echo, wait


class ListenersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stand = Stand(echo)
        self.reactor = self.stand.network.reactor
        self.listeners = Listeners(self.stand.site, self.reactor, lambda port: port)

    def add(self, *texts: str) -> tuple[list[str], list[str]]:
        """The texts of those that were opened, and the problems."""
        added, problems = self.successResultOf(
            Deferred.fromCoroutine(self.listeners.add([Opening(text, "there") for text in texts]))
        )
        return [one.text for one in added], problems

    def close(self, *texts: str) -> list[Listener]:
        """Close all but those of `texts`; returns them."""
        left = self.listeners.use(map(Opening, texts))
        closing = Deferred.fromCoroutine(self.listeners.close(left))
        self.stand.network.advance(0.01)
        self.successResultOf(closing)
        return left

    def open_ports(self) -> list[int]:
        return sorted(port for _, port in self.stand.network.ports if port != 8000)

    def test_only_what_is_not_open_yet_is_opened(self) -> None:
        self.assertEqual(self.add("tcp:1", "tcp:2"), (["tcp:1", "tcp:2"], []))
        first = self.listeners.ports[0]
        self.assertEqual(self.add("tcp:2", "tcp:3", "tcp:1"), (["tcp:3"], []))
        self.assertIs(self.listeners.ports[0], first)
        self.assertEqual(self.open_ports(), [1, 2, 3])

    def test_every_problem_is_told_and_the_others_are_opened(self) -> None:
        self.add("tcp:1")
        added, problems = self.add("tcp:1:interface=", "tpc:7", "tcp:2")
        self.assertEqual(added, ["tcp:2"])
        self.assertEqual(len(problems), 2)
        for problem, text in zip(problems, ("tcp:1:interface=", "tpc:7"), strict=True):
            self.assertTrue(problem.startswith(f"there: {text!r} cannot be opened: "), problem)

    def test_what_is_left_out_is_closed_and_the_rest_stays(self) -> None:
        self.add("tcp:1", "tcp:2", "tcp:3")
        kept = self.listeners.ports[1]
        self.assertEqual([one.text for one in self.close("tcp:2")], ["tcp:1", "tcp:3"])
        self.assertEqual((self.listeners.ports, self.open_ports()), ([kept], [2]))

    def test_what_holds_for_an_open_one_changes_without_closing_it(self) -> None:
        self.add("tcp:1", "tcp:2")
        before = self.listeners.ports
        client = self.stand.network.client(2)
        self.stand.network.pump()
        left = self.listeners.use([Opening("tcp:1"), Opening("tcp:2", redirect=Redirection("https", None, 308))])
        self.assertEqual((left, self.listeners.ports), ([], before))
        client.send(ask())
        self.stand.network.pump()
        self.listeners.use([Opening("tcp:1"), Opening("tcp:2")])
        client.send(ask())
        self.stand.network.pump()
        self.assertEqual([one.status for one in client.answers()], [308, 200])

    def test_of_several_with_the_same_text_each_gets_its_own_way(self) -> None:
        self.add("tcp:0", "tcp:0")
        wanted = [Opening("tcp:0", "first"), Opening("tcp:0", "second")]
        self.listeners.use(wanted)
        self.assertEqual([one.opening for one in self.listeners.open], wanted)

    def test_the_same_text_twice_is_two_listeners(self) -> None:
        self.add("tcp:0", "tcp:0")
        first = self.listeners.ports[0]
        self.close("tcp:0")
        self.assertEqual(self.listeners.ports, [first])

    def test_the_site_starts_with_its_first_port_and_ends_with_its_last(self) -> None:
        before = self.stand.site.numPorts
        self.add("tcp:1", "tcp:2")
        self.assertEqual(self.stand.site.numPorts, before + 2)
        self.close()
        self.assertEqual(self.stand.site.numPorts, before)

    def test_clients_of_a_closed_listener_leave_with_their_next_answer_and_the_others_stay(self) -> None:
        self.add("tcp:1", "tcp:2")
        clients = [self.stand.network.client(port) for port in (1, 2)]
        for client in clients:
            self.stand.network.pump()
            client.send(ask())
        self.close("tcp:2")
        self.assertEqual([client.is_open for client in clients], [True, True])
        for client in clients:
            client.send(ask())
        self.stand.network.pump()
        self.assertEqual([client.answers()[-1].get(b"connection") for client in clients], [b"close", None])
        self.assertEqual([client.is_open for client in clients], [False, True])

    def test_an_answer_that_has_not_begun_asks_already(self) -> None:
        self.stand.does = wait
        self.add("tcp:1")
        client = self.stand.network.client(1)
        self.stand.network.pump()
        client.send(ask())
        self.stand.network.pump()
        self.listeners.leave()
        self.stand.last.answer(b"x")
        self.stand.network.pump()
        self.assertEqual(client.answers()[0].get(b"connection"), b"close")

    def test_one_that_cannot_be_opened_fails_as_the_endpoint_does(self) -> None:
        self.add("tcp:1")
        self.failureResultOf(self.listeners.begin(Opening("tcp:1")), CannotListenError)
        self.failureResultOf(self.listeners.begin(Opening("tpc:1")), ValueError)

    def test_repr_tells_where(self) -> None:
        listener = self.successResultOf(self.listeners.begin(Opening("tcp:1:interface=127.0.0.1")))
        self.assertEqual(repr(listener), "<Listener tcp:1:interface=127.0.0.1 127.0.0.1:1>")
        self.close()
        self.assertEqual(repr(listener), "<Listener tcp:1:interface=127.0.0.1 closed>")
        self.assertEqual(listener.acceptableProtocols(), [b"http/1.1"])
