"""How a connection to a target is made: its name, its addresses, and how long all of that may take."""

from __future__ import annotations

import gc
import weakref
from errno import EADDRNOTAVAIL, EHOSTUNREACH, EMFILE, ENFILE

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectBindError, ConnectError, ConnectionRefusedError, NoRouteError, TimeoutError
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import NAME_NOT_RESOLVED, GatewayError, Side
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.scripted_service import ScriptedService
from apigateway.upstream.dialing.dial import Dialer, Way


class Dialing:
    """A dialer with 5 seconds to reach `shop`:8002, whose tries end as a test says. `tries` are (address, seconds)."""

    def __init__(self, addresses=("10.0.0.1",)):
        self.clock = Clock()
        self.tries = []
        self.factory = None
        self.names = []
        self.errors = []
        self.built = []
        self.addresses = addresses
        self.dialer = Dialer("shop", 8002, 5.0, self.resolve, Way(self.connect), self.clock, self.clock.seconds)

    def resolve(self, name):
        self.names.append(name)
        return self.addresses

    def connect(self, host, port, factory, timeout_s):
        assert port == 8002
        self.tries.append((host, timeout_s))
        self.factory = factory

    def build(self):
        self.built.append(Protocol())
        return self.built[-1]

    def dial(self):
        self.dialer(self.build, self.errors.append)
        return self

    def fails(self, error, after=0.0):
        self.clock.advance(after)
        self.factory.clientConnectionFailed(None, Failure(error))
        return self

    @property
    def told(self):
        """What was told of failures."""
        return [(error.cause.code, error.detail) for error in self.errors]


class OwnFaultTests(SynchronousTestCase):
    def test_without_a_descriptor_or_a_port_of_our_own_it_is_not_the_targets_failure(self):
        for number in (EMFILE, ENFILE, EADDRNOTAVAIL):
            for error in (ConnectBindError(number, "no"), ConnectError(number, "no")):
                dialing = Dialing().dial().fails(error)
                self.assertEqual(dialing.told[0][0], "no-descriptors")
                self.assertIs(dialing.errors[0].cause.side, Side.GATEWAY)
                self.assertEqual(dialing.errors[0].retry_after_s, 1)

    def test_what_else_goes_wrong_is(self):
        dialing = Dialing().dial().fails(ConnectError(EHOSTUNREACH, "no"))
        self.assertEqual(dialing.told[0][0], "connect-failed")


class Wanting:
    """Wants a connection."""

    def build(self):
        return Protocol()

    def failed(self, error):
        """There is none."""


class EndTests(SynchronousTestCase):
    def wanting(self, end):
        """What is left of who wanted a connection, while what made it lives on."""
        gc.disable()
        self.addCleanup(gc.enable)
        dialing, wanting = Dialing(), Wanting()
        dialing.dialer(wanting.build, wanting.failed)
        end(dialing)
        self.assertIsNotNone(dialing.factory)
        gone = weakref.ref(wanting)
        del wanting
        return gone()

    def test_who_wanted_a_connection_is_not_held_by_how_it_was_made(self):
        self.assertIsNone(self.wanting(lambda dialing: dialing.factory.buildProtocol(None)))
        self.assertIsNone(self.wanting(lambda dialing: dialing.fails(ConnectionRefusedError())))

    def test_once_there_is_a_connection_no_failure_is_told(self):
        dialing = Dialing().dial()
        dialing.factory.buildProtocol(None)
        dialing.fails(ConnectionRefusedError())
        self.assertEqual((dialing.errors, len(dialing.built)), ([], 1))
        self.assertRaises(RuntimeError, dialing.factory.buildProtocol, None)


class AddressesTests(SynchronousTestCase):
    def test_the_protocol_to_build_is_connected_to_the_address_of_the_name(self):
        dialing = Dialing().dial()
        self.assertEqual((dialing.names, dialing.tries), (["shop"], [("10.0.0.1", 5.0)]))
        self.assertIs(dialing.factory.buildProtocol(None), dialing.built[0])
        self.assertEqual(dialing.errors, [])

    def test_the_next_address_is_tried_when_one_fails_in_the_time_that_is_left(self):
        dialing = Dialing(("10.0.0.1", "10.0.0.2", "::1")).dial()
        dialing.fails(ConnectionRefusedError(), after=1.5).fails(NoRouteError(), after=0.5)
        self.assertEqual(dialing.tries, [("10.0.0.1", 5.0), ("10.0.0.2", 3.5), ("::1", 3.0)])
        self.assertEqual(dialing.errors, [])

    def test_when_the_last_one_fails_its_reason_is_told_once(self):
        dialing = Dialing(("10.0.0.1", "10.0.0.2")).dial().fails(NoRouteError()).fails(ConnectionRefusedError())
        self.assertEqual(dialing.told, [("connect-failed", "The service refused the connection.")])

    def test_a_refusal_an_unreachable_network_and_silence_are_told_apart(self):
        told = [
            Dialing().dial().fails(one).told[0] for one in (ConnectionRefusedError(), NoRouteError(), TimeoutError())
        ]
        self.assertEqual(
            told,
            [
                ("connect-failed", "The service refused the connection."),
                ("connect-failed", "The service could not be reached."),
                ("connect-timeout", "The service did not accept a connection in time."),
            ],
        )

    def test_no_address_is_tried_when_the_time_is_up(self):
        dialing = Dialing(("10.0.0.1", "10.0.0.2")).dial().fails(TimeoutError(), after=5.0)
        self.assertEqual((len(dialing.tries), [code for code, _ in dialing.told]), (1, ["connect-timeout"]))

    @settings(deadline=None)
    @given(st.lists(st.floats(0.0, 4.0), min_size=1, max_size=6))
    def test_all_tries_together_take_no_longer_than_the_limit(self, lengths):
        dialing = Dialing(tuple(f"10.0.0.{number}" for number in range(len(lengths)))).dial()
        for length in lengths:
            if dialing.errors:
                break
            left_s = dialing.tries[-1][1]
            dialing.fails(TimeoutError(), after=min(length, left_s))
        self.assertEqual(len(dialing.errors), 1)
        self.assertTrue(all(0 < left_s <= 5.0 for _, left_s in dialing.tries))
        self.assertLessEqual(dialing.clock.seconds(), 5.0 + 1e-9)

    def test_two_calls_do_not_disturb_each_other(self):
        dialing = Dialing(("10.0.0.1", "10.0.0.2")).dial()
        first = dialing.factory
        second = dialing.dial().factory
        for factory in (first, second):
            factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.assertEqual([host for host, _ in dialing.tries], ["10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2"])


class NameTests(SynchronousTestCase):
    def test_a_name_that_is_looked_up_is_waited_for(self):
        found = Deferred()
        dialing = Dialing(found).dial()
        self.assertEqual(dialing.tries, [])
        found.callback(("10.0.0.9",))
        self.assertEqual(dialing.tries, [("10.0.0.9", 5.0)])

    def test_the_time_of_the_look_up_counts(self):
        found = Deferred()
        dialing = Dialing(found).dial()
        dialing.clock.advance(3.0)
        found.callback(("10.0.0.9",))
        self.assertEqual(dialing.tries, [("10.0.0.9", 2.0)])

    def test_a_look_up_that_takes_too_long_is_given_up(self):
        cancelled = []
        dialing = Dialing(Deferred(cancelled.append)).dial()
        dialing.clock.advance(5.0)
        self.assertEqual([code for code, _ in dialing.told], ["name-not-resolved"])
        self.assertEqual((len(cancelled), dialing.tries), (1, []))

    def test_a_name_that_cannot_be_resolved_is_told(self):
        dialing = Dialing(fail(LookupError("nobody knows"))).dial()
        self.assertEqual(dialing.told, [("name-not-resolved", "The service's name could not be resolved.")])

    def test_the_resolvers_own_words_are_kept(self):
        error = GatewayError(NAME_NOT_RESOLVED, "Its own words.")
        self.assertEqual(Dialing(fail(error)).dial().errors, [error])

    def test_no_timer_is_left_behind(self):
        dialing = Dialing(succeed(("10.0.0.9",))).dial()
        self.assertEqual(dialing.clock.getDelayedCalls(), [])


class NetworkTests(SynchronousTestCase):
    """The same with connections, in memory."""

    def setUp(self):
        self.network = MemoryNetwork()
        self.errors = []

    def dial(self, *addresses):
        reactor = self.network.reactor

        def connect(host, port, factory, timeout_s):
            return reactor.connectTCP(host, port, factory, timeout_s)

        protocol = Protocol()
        dialer = Dialer("shop", 80, 5.0, lambda name: addresses, Way(connect), reactor, self.network.now)
        dialer(lambda: protocol, self.errors.append)
        self.network.pump()
        return protocol

    def test_the_address_that_answers_is_connected_to(self):
        ScriptedService().listen(self.network.reactor, 80, "10.0.0.2")
        protocol = self.dial("10.0.0.1", "10.0.0.2")
        self.assertEqual((protocol.transport.getPeer().host, self.errors), ("10.0.0.2", []))

    def test_a_silent_address_takes_the_whole_time(self):
        self.network.silence("10.0.0.1")
        ScriptedService().listen(self.network.reactor, 80, "10.0.0.2")
        protocol = self.dial("10.0.0.1", "10.0.0.2")
        self.network.advance(4.9)
        self.assertEqual(self.errors, [])
        self.network.advance(0.1)
        self.assertEqual([error.cause.code for error in self.errors], ["connect-timeout"])
        self.assertIsNone(protocol.transport)
