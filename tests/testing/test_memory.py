"""A memory network: time, rest, silence and cuts."""

from __future__ import annotations

from twisted.internet.task import LoopingCall
from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing import memory
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Respond, Wait

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class MemoryNetworkTests(SynchronousTestCase):
    def setUp(self):
        self.network = MemoryNetwork()
        self.service = ScriptedService()
        self.service.listen(self.network.reactor, 80, "10.0.0.5")

    def client(self):
        return self.network.client(80, "10.0.0.5")

    def test_a_client_and_a_service_meet(self):
        self.service.answers(200, b"hi")
        client = self.client().send(ASK)
        self.network.pump()
        self.assertEqual(client.answers()[0].body, b"hi")

    def test_timers_fire_at_their_own_times_with_all_that_follows(self):
        seen = []
        reactor = self.network.reactor
        reactor.callLater(1, lambda: reactor.callLater(1, lambda: seen.append(self.network.now())))
        looping = LoopingCall(lambda: seen.append(self.network.now()))
        looping.clock = reactor
        looping.start(0.75, now=False)
        self.network.advance(2.5)
        self.assertEqual((seen, self.network.now()), ([0.75, 1.5, 2.0, 2.25], 2.5))

    def test_data_moves_between_two_timers(self):
        self.service.does(Wait(1), Respond(b"a"), Wait(1), Respond(b"b"))
        client = self.client().send(ASK)
        self.network.advance(1)
        self.assertEqual(client.received, b"a")
        self.network.advance(1)
        self.assertEqual(client.received, b"ab")

    def test_what_never_comes_to_rest_is_an_error(self):
        self.patch(memory, "MOST_STEPS", 50)

        def again():
            self.network.reactor.callLater(0, again)

        again()
        self.assertRaises(AssertionError, self.network.pump)

    def test_a_silent_address_gets_and_gives_nothing_until_it_is_restored(self):
        for port in (None, 80):
            client = self.client()
            self.network.pump()
            self.network.silence("10.0.0.5", port)
            client.send(ASK)
            self.network.advance(60)
            self.assertEqual((client.received, client.is_open), (b"", True))
            self.network.restore("10.0.0.5", port)
            self.network.pump()
            self.assertEqual(client.answers()[0].status, 200)

    def test_one_end_may_close_or_abort_on_its_own_and_the_other_learns_it_later(self):
        for end in ("close", "reset"):
            client = self.client().send(ASK)
            self.network.pump()
            self.network.silence("10.0.0.5")
            getattr(client, end)()
            self.network.pump()
            self.assertEqual((client.is_open, len(self.service.open_connections)), (False, 1))
            self.network.restore("10.0.0.5")
            self.network.pump()
            self.assertEqual(self.service.open_connections, [])

    def test_only_the_address_that_was_named_is_silent(self):
        self.network.silence("10.0.0.5", 81)
        self.network.silence("10.0.0.6")
        client = self.client().send(ASK)
        self.network.pump()
        self.assertEqual(client.answers()[0].status, 200)

    def test_a_cut_ends_the_connections_of_an_address(self):
        client, other = self.client(), self.network.client(80, "10.0.0.5")
        self.network.pump()
        self.network.cut("10.0.0.6")
        self.network.cut("10.0.0.5", 81)
        self.assertTrue(client.is_open)
        self.network.cut("10.0.0.5")
        self.network.pump()
        self.assertEqual((client.is_open, other.is_open, self.network.links), (False, False, []))

    def test_its_repr_shows_who_is_there(self):
        self.client()
        self.network.advance(1.5)
        self.assertEqual(repr(self.network), "<MemoryNetwork at 1.5 s, 1 links, <MemoryPort 10.0.0.5:80>>")
        self.assertEqual(repr(MemoryNetwork()), "<MemoryNetwork at 0 s, 0 links, nobody listens>")
