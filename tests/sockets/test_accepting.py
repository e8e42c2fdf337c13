"""How connections are accepted: so many in a turn, those that are admitted, and what happens without descriptors."""

from __future__ import annotations

import os
import socket
from errno import EMFILE, ENFILE
from typing import Any

from twisted.internet import tcp
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.protocols.policies import WrappingFactory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from apigateway.sockets.accepting import MOST_ACCEPTS, PAUSE_S, ROOM, SHORT_PAUSE_S, Accepting
from apigateway.sockets.transports import Sockets
from tests.behaviour.waiting import reactor
from tests.sockets.test_transports import Given, Peer


class Handed:
    """What the kernel hands out when a connection is accepted."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Listening:
    """A listening socket with connections that wait, or with an error for each accept."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, int]] = []
        self.errors: list[int] = []
        self.handed: list[Handed] = []

    def accept(self) -> tuple[Handed, Any]:
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))
        if not self.waiting:
            raise BlockingIOError
        self.handed.append(Handed())
        return self.handed[-1], self.waiting.pop(0)


class Rooms(Factory[Protocol]):
    """Admits some addresses, and has so many connections at rest."""

    def __init__(self) -> None:
        self.at_rest = 0
        self.built: list[Any] = []

    def admits(self, address: str) -> bool:
        return address != "bad"

    def make_room(self, count: int) -> int:
        made = min(count, self.at_rest)
        self.at_rest -= made
        return made

    def buildProtocol(self, addr: Any) -> Protocol | None:
        self.built.append(addr.host)
        return None if addr.host == "none" else Protocol()


class StillPort(tcp.Port):
    """A port without a socket of the system."""

    def __init__(self, factory: Any, clock: Clock) -> None:
        self.factory = factory
        self.reactor: Any = clock
        self.socket: Any = Listening()
        self.connected, self.disconnecting = True, False
        self.reading = True

    def startReading(self) -> None:
        self.reading = True

    def stopReading(self) -> None:
        self.reading = False

    def connectionLost(self, reason: Any) -> None:
        self.connected = False


class AcceptingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.rooms = Clock(), Rooms()
        self.port = StillPort(self.rooms, self.clock)
        self.fails: list[Exception] = []
        self.made: list[Any] = []
        self.accepting = Accepting(self.port, self.transport)

    def transport(self, made: Any, *about: Any) -> Any:
        if self.fails:
            raise self.fails.pop()
        self.made.append(made)
        return made

    def come(self, *hosts: str) -> None:
        self.port.socket.waiting += [(host, 1) for host in hosts]
        self.port.doRead()


class AcceptingTests(AcceptingCase):
    def test_those_that_are_admitted_get_a_protocol_and_the_others_are_closed_before_anything_is_made(self) -> None:
        self.come("a", "bad", "b")
        self.assertEqual([one.closed for one in self.port.socket.handed], [False, True, False])
        self.assertEqual((self.rooms.built, len(self.made)), (["a", "b"], 2))

    def test_a_factory_may_still_refuse(self) -> None:
        self.come("none")
        self.assertTrue(self.port.socket.handed[0].closed)

    def test_a_factory_that_is_wrapped_is_asked_too(self) -> None:
        port = StillPort(WrappingFactory(self.rooms), self.clock)
        Accepting(port, self.transport)
        port.socket.waiting = [("bad", 1)]
        port.doRead()
        self.assertTrue(port.socket.handed[0].closed)

    def test_a_factory_that_knows_of_no_bounds_gets_all(self) -> None:
        port = StillPort(Factory.forProtocol(Protocol), self.clock)
        Accepting(port, self.transport)
        port.socket.waiting = [("bad", 1)]
        port.doRead()
        port.socket.errors = [EMFILE]
        port.doRead()
        self.assertEqual((len(self.made), port.reading), (1, False))

    def test_in_a_turn_so_many_are_accepted(self) -> None:
        self.come(*["a"] * (MOST_ACCEPTS + 5))
        self.assertEqual(len(self.made), MOST_ACCEPTS)
        self.port.doRead()
        self.assertEqual(len(self.made), MOST_ACCEPTS + 5)

    def test_what_is_wrong_with_one_does_not_concern_the_others(self) -> None:
        self.port.socket.errors = [103, 1, 71]
        self.come("a")
        self.assertEqual((len(self.made), self.port.reading), (1, True))

    def test_what_fails_unforeseen_costs_one_connection(self) -> None:
        self.fails = [ZeroDivisionError(), OSError(9, "bad descriptor")]
        self.come("a", "b", "c")
        self.assertEqual((len(self.made), [one.closed for one in self.port.socket.handed]), (1, [True, True, False]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, OSError)), 2)


class ExhaustedTests(AcceptingCase):
    def test_without_descriptors_accepting_pauses_and_goes_on(self) -> None:
        self.port.socket.errors = [EMFILE]
        self.come("a")
        self.assertEqual((self.port.reading, self.made), (False, []))
        self.assertIn("paused", repr(self.accepting))
        self.clock.advance(PAUSE_S)
        self.assertTrue(self.port.reading)
        self.port.doRead()
        self.assertEqual(len(self.made), 1)

    def test_those_at_rest_make_room_and_the_pause_is_short(self) -> None:
        self.rooms.at_rest = 100
        self.port.socket.errors = [ENFILE]
        self.come("a")
        self.assertEqual((self.rooms.at_rest, self.port.reading), (100 - ROOM, False))
        self.clock.advance(SHORT_PAUSE_S)
        self.assertTrue(self.port.reading)

    def test_where_the_poller_has_none_for_itself_it_is_the_same(self) -> None:
        self.fails = [OSError(EMFILE, "none left")]
        self.come("a", "b")
        self.assertEqual((self.port.reading, [one.closed for one in self.port.socket.handed]), (False, [True]))

    def test_it_is_told_of_once_a_second(self) -> None:
        with capturedLogs() as events:
            for _ in range(100):
                self.port.socket.errors = [EMFILE]
                self.port.doRead()
                self.clock.advance(PAUSE_S)
        self.assertLessEqual(len(events), 11)
        self.assertIn("EMFILE", str(events[0]["why"]))

    def test_asked_again_while_it_pauses_it_pauses_once(self) -> None:
        for _ in range(3):
            self.port.socket.errors = [EMFILE]
            self.port.doRead()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_a_port_that_is_closed_meanwhile_stays_closed(self) -> None:
        self.port.socket.errors = [EMFILE]
        self.port.doRead()
        lost: Any = None
        self.port.connectionLost(lost)
        self.clock.advance(1)
        self.assertEqual((self.port.reading, self.port.connected, self.clock.getDelayedCalls()), (False, False, []))

    def test_nor_does_one_that_is_about_to_close_accept_more(self) -> None:
        self.port.socket.errors = [EMFILE]
        self.port.doRead()
        self.port.disconnecting = True
        self.clock.advance(1)
        self.assertFalse(self.port.reading)


class RealTests(TestCase):
    async def test_over_ipv6_the_zone_of_an_address_is_kept(self) -> None:
        peer = Peer()
        port: Any = Sockets(reactor).take(reactor.listenTCP(0, Given(peer), interface="::1"))
        self.addCleanup(port.stopListening)
        with socket.create_connection(("::1", port.getHost().port)):
            await peer.made
            self.assertEqual(peer.transport.getPeer().host, "::1")
            peer.transport.abortConnection()
            await peer.lost
