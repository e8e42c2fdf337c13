"""One epoll for many transports: who is told of what, who ends, and what is left when all have gone."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from apigateway.sockets import poller
from apigateway.sockets.outbox import Outbox
from apigateway.sockets.poller import Poller
from apigateway.sockets.transports import Sockets
from tests.sockets.test_transports import Given, Peer

reactor: Any = the_reactor


class Shown:
    """A reactor that knows only what it was asked to watch."""

    def __init__(self) -> None:
        self.readers: list[Any] = []
        self.room = True

    def addReader(self, reader: Any) -> None:
        if not self.room:
            raise OSError("no room")
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)

    def callLater(self, *given: Any) -> None: ...

    def resolve(self, *given: Any) -> None: ...


class End:
    """One end of a pair of sockets, as a transport; does what it is told to when it may read or write."""

    def __init__(self, polling: Poller, name: str = "") -> None:
        self.socket, self.other = socket.socketpair()
        self.socket.setblocking(False)
        self.polling = polling
        self.name = name
        self.told: list[str] = []
        self.reason: Any = None
        self.producer: Any = None
        self.on_read: Any = lambda: None
        self.on_write: Any = lambda: None

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def fileno(self) -> int:
        return self.socket.fileno()

    def doRead(self) -> Any:
        self.told.append("read")
        return self.on_read()

    def doWrite(self) -> Any:
        self.told.append("write")
        return self.on_write()

    def readConnectionLost(self, reason: Failure) -> None:
        self.told.append("half")

    def connectionLost(self, reason: Failure) -> None:
        self.told.append("lost")
        self.reason = reason.value
        if self.producer is not None:
            self.producer.stopProducing()
        self.close()

    def close(self) -> None:
        self.polling.removeReader(self)
        self.polling.removeWriter(self)
        self.socket.close()

    def dispose(self) -> None:
        self.socket.close()
        self.other.close()


class Raising:
    """A protocol or producer that can do nothing but fail."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self) -> None:
        raise self.error

    stopProducing = __call__


class PollerCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.shown = Shown()
        self.polling = Poller(self.shown, Outbox())
        self.addCleanup(self.polling.removeAll)

    def end(self, name: str = "") -> End:
        end = End(self.polling, name)
        self.addCleanup(end.dispose)
        return end

    def end_of(self, number: int) -> End:
        """The next one whose socket gets a number that has just become free."""
        end = self.end()
        while number not in (end.socket.fileno(), end.other.fileno()):
            end = self.end()
        if end.other.fileno() == number:
            end.socket, end.other = end.other, end.socket
            end.socket.setblocking(False)
        return end

    def reader(self, name: str = "", sent: bytes = b"x") -> End:
        """One that reads, and has something to read."""
        end = self.end(name)
        end.other.send(sent)
        self.polling.addReader(end)
        return end

    def turn(self) -> None:
        for shown in self.shown.readers:
            shown.doRead()


class WatchingTests(PollerCase):
    """What is watched, and what the reactor sees of it."""

    def test_is_what_reactors_and_transports_ask_for(self) -> None:
        verifyObject(IReactorFDSet, self.polling)
        verifyObject(IReadDescriptor, self.polling)

    def test_shows_in_the_reactor_only_while_it_watches_something(self) -> None:
        one, two = self.end(), self.end()
        self.assertEqual(self.shown.readers, [])
        self.polling.addReader(one)
        self.polling.addWriter(two)
        self.assertEqual(self.shown.readers, [self.polling])
        self.polling.removeReader(one)
        self.assertEqual(self.shown.readers, [self.polling])
        self.polling.removeWriter(two)
        self.assertEqual(self.shown.readers, [])

    def test_has_a_descriptor_only_while_it_watches_something(self) -> None:
        end = self.end()
        self.assertEqual(self.polling.fileno(), -1)
        for _ in range(2):
            self.polling.addReader(end)
            number = self.polling.fileno()
            os.fstat(number)
            self.polling.removeReader(end)
            self.assertRaises(OSError, os.fstat, number)

    def test_readers_are_told_that_they_may_read_and_writers_that_they_may_write(self) -> None:
        reads, waits, writes, both = self.reader(), self.end(), self.end(), self.reader()
        self.polling.addReader(waits)
        self.polling.addWriter(writes)
        self.polling.addWriter(both)
        self.turn()
        self.assertEqual(
            [one.told for one in (reads, waits, writes, both)], [["read"], [], ["write"], ["read", "write"]]
        )

    def test_who_stopped_one_of_both_is_told_of_the_other(self) -> None:
        reads, writes = self.reader(), self.reader()
        for end in (reads, writes):
            self.polling.addWriter(end)
        self.polling.removeWriter(reads)
        self.polling.removeReader(writes)
        self.turn()
        self.assertEqual((reads.told, writes.told), (["read"], ["write"]))

    def test_asking_twice_is_asking_once(self) -> None:
        end = self.reader()
        self.polling.addReader(end)
        self.polling.removeReader(end)
        self.polling.removeReader(end)
        self.assertEqual((self.polling.getReaders(), self.shown.readers), ([], []))

    def test_names_who_reads_and_who_writes_and_counts_each_once(self) -> None:
        reads, writes, both = self.end("reads"), self.end("writes"), self.end("both")
        for end in (reads, both):
            self.polling.addReader(end)
        for end in (writes, both):
            self.polling.addWriter(end)
        self.assertEqual(self.polling.getReaders(), [reads, both])
        self.assertEqual(self.polling.getWriters(), [writes, both])
        self.assertEqual(repr(self.polling), "<Poller of 3>")

    def test_all_can_be_removed_at_once_and_come_back(self) -> None:
        reads, writes = self.reader(), self.end()
        self.polling.addWriter(writes)
        self.assertEqual(self.polling.removeAll(), [reads, writes])
        self.assertEqual((self.polling.getReaders(), self.polling.getWriters(), self.shown.readers), ([], [], []))
        self.polling.addReader(reads)
        self.turn()
        self.assertEqual((reads.told, writes.told), (["read"], []))

    def test_what_epoll_refuses_is_not_watched(self) -> None:
        class File:
            fileno = staticmethod(open(__file__).fileno)  # noqa: SIM115  # regular files can't be polled

        self.assertRaises(PermissionError, self.polling.addReader, File())
        self.assertEqual((self.polling.getReaders(), self.shown.readers, self.polling.fileno()), ([], [], -1))

    def test_what_the_reactor_refuses_is_not_watched_and_may_be_tried_again(self) -> None:
        self.shown.room = False
        end = self.end()
        end.other.send(b"x")
        self.assertRaises(OSError, self.polling.addReader, end)
        self.assertEqual((self.polling.getReaders(), self.polling.fileno()), ([], -1))
        self.shown.room = True
        self.polling.addReader(end)
        self.turn()
        self.assertEqual(end.told, ["read"])

    def test_a_socket_closed_behind_its_transports_back_does_not_hide_the_next_of_its_number(self) -> None:
        gone = self.end()
        self.polling.addReader(gone)
        self.polling.addWriter(gone)
        number = gone.fileno()
        gone.socket.close()
        after = self.end_of(number)
        self.polling.addReader(after)
        after.other.send(b"x")
        self.turn()
        self.assertEqual((gone.told, after.told), ([], ["read"]))

    def test_a_number_that_was_closed_behind_a_transports_back_can_be_removed(self) -> None:
        end = self.end()
        number = end.fileno()
        end.fileno = lambda: number
        self.polling.addReader(end)
        self.polling.addWriter(end)
        end.socket.close()
        self.polling.removeReader(end)
        self.polling.removeWriter(end)
        self.assertEqual((self.polling.getReaders(), self.shown.readers), ([], []))


class PausedTests(PollerCase):
    """Who reads no more for now is not told of what comes, but is ended by a reset."""

    def paused(self) -> End:
        end = self.reader()
        self.polling.pause_reader(end)
        return end

    def test_what_comes_waits_until_it_reads_again(self) -> None:
        end = self.paused()
        self.turn()
        self.assertEqual((end.told, self.polling.getReaders()), ([], []))
        self.polling.addReader(end)
        self.turn()
        self.assertEqual(end.told, ["read"])

    def test_it_is_still_watched(self) -> None:
        end = self.paused()
        self.assertEqual((repr(self.polling), self.shown.readers), ("<Poller of 1>", [self.polling]))
        self.polling.removeReader(end)
        self.assertEqual((repr(self.polling), self.shown.readers), ("<Poller of 0>", []))
        self.polling.removeReader(end)

    def test_one_that_is_gone_for_certain_ends_it(self) -> None:
        end = self.paused()
        end.other.close()
        self.turn()
        self.assertEqual((end.told, end.reason), (["lost"], CONNECTION_LOST))
        self.assertEqual(self.shown.readers, [])

    def test_half_an_end_does_not(self) -> None:
        end = self.paused()
        end.other.shutdown(socket.SHUT_WR)
        self.turn()
        self.assertEqual(end.told, [])

    def test_it_may_write_meanwhile(self) -> None:
        end = self.paused()
        self.polling.addWriter(end)
        self.turn()
        self.assertEqual(end.told, ["write"])
        self.polling.removeWriter(end)
        self.turn()
        self.assertEqual(end.told, ["write"])
        self.polling.addReader(end)
        self.turn()
        self.assertEqual(end.told, ["write", "read"])

    def test_one_that_writes_may_pause_and_read_again(self) -> None:
        end = self.reader()
        self.polling.addWriter(end)
        self.polling.pause_reader(end)
        self.turn()
        self.polling.addReader(end)
        self.turn()
        self.assertEqual(end.told, ["write", "read", "write"])

    def test_who_does_not_read_does_not_pause(self) -> None:
        end = self.end()
        self.polling.pause_reader(end)
        self.assertEqual(repr(self.polling), "<Poller of 0>")

    def test_a_number_that_has_become_another_ones_is_that_ones(self) -> None:
        gone = self.paused()
        number = gone.fileno()
        gone.socket.close()
        end = self.end_of(number)
        end.other.send(b"x")
        self.polling.addReader(end)
        self.turn()
        self.assertEqual((end.told, gone.told), (["read"], []))

    def test_all_that_pause_are_named_with_the_rest_when_all_ends(self) -> None:
        end = self.paused()
        self.assertEqual(self.polling.removeAll(), [end])


class BatchTests(PollerCase):
    """Many are ready at once, and what one does concerns others."""

    def pair(self, does: Any) -> tuple[End, End]:
        """Two that are ready in the same turn; the first that is told does something to the other."""
        one, two = self.reader("one"), self.reader("two")
        one.on_read = lambda: None if two.told else does(two)
        two.on_read = lambda: None if one.told else does(one)
        return one, two

    def told(self, *ends: End) -> list[list[str]]:
        return sorted(end.told for end in ends)

    def test_more_than_fit_into_a_turn_are_served_in_the_next_ones(self) -> None:
        self.patch(poller, "MOST_EVENTS", 3)
        ends = [self.reader() for _ in range(8)]
        for _ in range(3):
            self.turn()
        self.assertEqual([end.told[:1] for end in ends], [["read"]] * 8)

    def test_one_that_has_always_more_to_read_is_told_once_a_turn(self) -> None:
        loud, quiet = self.reader(sent=bytes(1000)), self.reader()
        for _ in range(3):
            self.turn()
        self.assertEqual((loud.told, quiet.told), (["read"] * 3, ["read"] * 3))

    def test_one_closed_by_another_is_not_read_from(self) -> None:
        one, two = self.pair(End.close)
        self.turn()
        self.assertEqual(self.told(one, two), [[], ["read"]])

    def test_one_paused_by_another_is_not_read_from(self) -> None:
        one, two = self.pair(self.polling.removeReader)
        self.turn()
        self.assertEqual(self.told(one, two), [[], ["read"]])

    def test_one_paused_by_another_while_it_writes_is_not_read_from(self) -> None:
        one, two = self.pair(self.polling.removeReader)
        for end in (one, two):
            self.polling.addWriter(end)
        self.turn()
        self.assertEqual(self.told(one, two), [["read", "write"], ["write"]])

    def test_one_paused_and_resumed_by_another_is_read_from(self) -> None:
        def pause_and_resume(end: End) -> None:
            self.polling.removeReader(end)
            self.polling.addReader(end)

        one, two = self.pair(pause_and_resume)
        self.turn()
        self.assertEqual(self.told(one, two), [["read"], ["read"]])

    def test_what_happened_to_a_closed_socket_is_not_held_against_the_next_of_its_number(self) -> None:
        made: list[End] = []

        def replace(end: End) -> None:
            if not made:
                number = end.fileno()
                end.close()
                made.append(self.end_of(number))
                self.polling.addReader(made[0])
                self.polling.addWriter(made[0])

        one, two = self.pair(replace)
        for end in (one, two):
            self.polling.addWriter(end)
            end.other.close()  # a hang-up
        self.turn()
        self.assertEqual(made[0].told, [])
        self.turn()
        self.assertEqual(made[0].told, ["write"])

    def test_one_that_closed_itself_while_reading_is_not_asked_to_write(self) -> None:
        end = self.reader()
        self.polling.addWriter(end)
        end.on_read = end.close
        self.turn()
        self.assertEqual(end.told, ["read"])

    def test_all_may_go_and_others_come_in_one_turn(self) -> None:
        came: list[End] = []

        def exchange(_: End) -> None:
            self.polling.removeAll()
            came.append(self.reader())

        one, two = self.pair(exchange)
        self.turn()
        self.assertEqual((self.told(one, two), came[0].told, self.shown.readers), ([[], ["read"]], [], [self.polling]))
        self.turn()
        self.assertEqual(came[0].told, ["read"])


class EndTests(PollerCase):
    """How connections end."""

    def test_who_has_read_all_may_still_write(self) -> None:
        end = self.reader()
        end.on_read = lambda: CONNECTION_DONE
        self.polling.addWriter(end)
        self.turn()
        self.assertEqual(end.told, ["read", "half"])
        self.assertEqual((self.polling.getReaders(), self.polling.getWriters()), ([], [end]))

    def test_a_failure_to_read_ends_both_ways(self) -> None:
        end = self.reader()
        end.on_read = lambda: CONNECTION_LOST
        self.polling.addWriter(end)
        self.turn()
        self.assertEqual((end.told, end.reason, self.shown.readers), (["read", "lost"], CONNECTION_LOST, []))

    def test_an_end_of_writing_ends_both_ways(self) -> None:
        end = self.end()
        end.on_write = lambda: CONNECTION_DONE
        self.polling.addReader(end)
        self.polling.addWriter(end)
        self.turn()
        self.assertEqual((end.told, end.reason, self.shown.readers), (["write", "lost"], CONNECTION_DONE, []))

    def test_a_hang_up_is_a_loss_to_who_only_writes(self) -> None:
        end = self.end()
        self.polling.addWriter(end)
        end.other.close()
        self.turn()
        self.assertEqual((end.told, type(end.reason)), (["lost"], ConnectionLost))

    def test_a_hang_up_with_nothing_left_is_an_end_to_who_reads(self) -> None:
        end = self.end()
        pipe, self.feed = os.pipe()  # pipes report a hang-up alone, where sockets say that there is an end to read
        self.addCleanup(os.close, pipe)
        end.fileno = lambda: pipe
        self.polling.addReader(end)
        os.close(self.feed)
        self.turn()
        self.assertEqual((end.told, self.shown.readers), (["half"], []))

    def test_a_hang_up_is_not_told_to_who_is_paused_until_it_resumes(self) -> None:
        paused, other = self.reader(), self.reader()
        self.polling.removeReader(paused)
        paused.other.close()
        self.turn()
        self.assertEqual((paused.told, other.told), ([], ["read"]))
        self.polling.addReader(paused)
        self.turn()
        self.assertEqual(paused.told, ["read"])

    def test_when_the_reactor_ends_so_do_all_whatever_they_do(self) -> None:
        ends = [self.reader() for _ in range(3)]
        ends[0].producer = ends[1].producer = Raising(ValueError("no end"))
        self.polling.connectionLost(Failure(CONNECTION_LOST))
        self.assertEqual([end.told[-1] for end in ends], ["lost"] * 3)
        self.assertEqual([end.fileno() for end in ends], [-1] * 3)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)


class FailureTests(PollerCase):
    """Whatever a transport raises is logged and costs only itself."""

    def check(self, end: End, *errors: type[BaseException]) -> None:
        other = self.reader()
        self.turn()
        self.assertEqual([one.type for one in self.flushLoggedErrors()], list(errors))
        self.assertEqual((end.told[-1], end.fileno(), other.told), ("lost", -1, ["read"]))
        self.assertEqual(self.polling.getReaders(), [other])
        self.assertEqual(self.polling.getWriters(), [])

    def test_in_reading(self) -> None:
        for error in (ValueError("no"), SystemExit(3), KeyboardInterrupt(), MemoryError()):
            end = self.reader()
            end.on_read = Raising(error)
            self.check(end, type(error))
            self.assertIs(end.reason, error)
            self.polling.removeAll()

    def test_in_reading_while_it_waits_to_write(self) -> None:
        end = self.reader()
        self.polling.addWriter(end)
        end.on_read = Raising(ValueError("no"))
        self.check(end, ValueError)
        self.assertNotIn("write", end.told)

    def test_in_writing(self) -> None:
        end = self.end()
        self.polling.addWriter(end)
        end.on_write = Raising(SystemExit(3))
        self.check(end, SystemExit)

    def test_in_its_producer_while_it_ends(self) -> None:
        end = self.reader()
        end.on_read = lambda: CONNECTION_LOST
        end.producer = Raising(ValueError("no"))
        self.check(end, ValueError, ValueError)


class Failing(Peer):
    """Raises what it is given to raise, in the place that it is given."""

    def __init__(self, place: str, error: BaseException) -> None:
        super().__init__()
        self.place = place
        self.error = error

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if self.place == "dataReceived":
            raise self.error
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.reason = reason
        if self.place == "connectionLost":
            raise self.error


class ReactorTests(TestCase):
    """With the real reactor, over real connections."""

    def setUp(self) -> None:
        self.sockets = Sockets(reactor)

    async def pair(self, server: Any, client: Any) -> None:
        port = self.sockets.take(reactor.listenTCP(0, Given(server), interface="127.0.0.1"))
        self.addCleanup(port.stopListening)
        self.sockets.connect("127.0.0.1", port.getHost().port, Given(client), 5)
        await server.made
        await client.made

    def shown(self) -> list[Any]:
        return [one for one in reactor.getReaders() if isinstance(one, Poller)]

    async def test_pollers_show_in_the_reactor_while_there_are_connections(self) -> None:
        server, client = Peer(), Peer()
        await self.pair(server, client)
        self.assertEqual([repr(one) for one in self.shown()], ["<Poller of 1>"] * 2)
        client.transport.loseConnection()
        await server.lost
        await client.lost
        self.assertEqual(self.shown(), [])

    async def test_a_protocol_that_raises_costs_its_own_connection_only(self) -> None:
        kept, other = Peer(), Peer()
        await self.pair(kept, other)
        for place in ("dataReceived", "connectionLost"):
            for error in (ValueError("no"), SystemExit(3)):
                server, client = Failing(place, error), Peer()
                await self.pair(server, client)
                client.transport.write(b"x")
                await client.lost
                self.assertEqual([one.value for one in self.flushLoggedErrors()], [error])
                self.assertEqual(server.reason.type, type(error) if place == "dataReceived" else ConnectionDone)
        kept.transport.write(b"still here")
        kept.transport.loseConnection()
        await other.lost
        self.assertEqual(other.received, b"still here")

    async def test_timers_and_names_are_the_reactors(self) -> None:
        fired: Deferred[None] = Deferred()
        Poller(reactor, Outbox()).callLater(0, fired.callback, None)
        await fired
        self.assertEqual(await Poller(reactor, Outbox()).resolve("127.0.0.1"), "127.0.0.1")
