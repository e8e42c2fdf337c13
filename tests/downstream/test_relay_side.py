"""One end of a relay: what passes, what is held back, and its last words."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer, ISSLTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides
from zope.interface.verify import verifyObject

from apigateway.downstream.relay_side import RelaySide
from apigateway.http.websocket import Frames, close_frame


class Noted:
    """A transport that notes what it is asked."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *given: self.calls.append((name, *given) if given else name)


class SideCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.changes: list[RelaySide] = []
        self.make(None)

    def make(self, frames: Frames | None) -> None:
        self.side, self.other = (
            RelaySide(frames, self.changes.append),
            RelaySide(frames and Frames(), self.changes.append),
        )
        self.side.other, self.other.other = self.other, self.side
        self.mine, self.theirs = Noted(), Noted()
        self.side.makeConnection(self.mine)
        self.other.makeConnection(self.theirs)
        self.mine.calls.clear()
        self.theirs.calls.clear()


class PassingTests(SideCase):
    def test_it_is_what_a_transport_needs(self) -> None:
        for interface in (IProtocol, IHalfCloseableProtocol, IPushProducer):
            self.assertTrue(verifyObject(interface, self.side))

    def test_what_arrives_goes_to_the_other_end_as_it_is(self) -> None:
        for data in (b"a", b"bc"):
            self.side.dataReceived(data)
        self.assertEqual((self.theirs.calls, self.side.moved), ([("write", b"a"), ("write", b"bc")], 3))

    def test_who_reads_slowly_holds_the_other_end_back(self) -> None:
        self.side.pauseProducing()
        self.side.resumeProducing()
        self.assertEqual(self.theirs.calls, ["pauseProducing", "resumeProducing"])

    def test_ends_are_told(self) -> None:
        self.side.readConnectionLost()
        self.assertEqual((self.side.is_over, self.side.is_lost, self.changes), (True, False, [self.side]))
        self.side.connectionLost(Failure(ConnectionLost()))
        self.other.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.side.is_broken, self.other.is_broken), (True, False))
        self.assertEqual(self.changes, [self.side, self.side, self.other])


class EndTests(SideCase):
    def test_one_half_may_end(self) -> None:
        self.side.end_sending()
        self.assertEqual(self.mine.calls, ["unregisterProducer", "loseWriteConnection"])

    def test_tls_has_no_halves(self) -> None:
        directlyProvides(self.mine, ISSLTransport)
        self.side.end_sending()
        self.assertEqual(self.mine.calls, ["unregisterProducer", "loseConnection"])

    def test_nor_has_a_connection_whose_other_half_is_over(self) -> None:
        self.side.readConnectionLost()
        self.side.end_sending()
        self.assertEqual(self.mine.calls, ["unregisterProducer", "loseConnection"])

    def test_once_it_is_closed_nothing_is_written_to_it(self) -> None:
        self.side.close()
        self.other.dataReceived(b"late")
        self.assertEqual(self.mine.calls, ["unregisterProducer", "loseConnection"])
        self.assertEqual(self.theirs.calls, ["resumeProducing"])  # what is left there must be read to its end

    def test_one_that_is_lost_is_left_alone(self) -> None:
        self.side.connectionLost(Failure(ConnectionDone()))
        self.side.close()
        self.side.end_sending()
        self.side.cut()
        self.assertEqual(self.mine.calls, [])

    def test_a_cut_is_a_reset(self) -> None:
        self.side.cut()
        self.assertEqual(self.mine.calls, ["abortConnection"])


class LastWordsTests(SideCase):
    WORDS = close_frame(1001)

    def setUp(self) -> None:
        super().setUp()
        self.make(Frames())

    def written(self) -> bytes:
        return b"".join(call[1] for call in self.theirs.calls if call[0] == "write")

    def test_between_frames_they_are_said_at_once(self) -> None:
        self.side.dataReceived(b"\x82\x01x")
        self.side.say_last(self.WORDS)
        self.side.say_last(b"again")
        self.assertEqual(self.written(), b"\x82\x01x" + self.WORDS)

    def test_a_frame_that_has_begun_comes_first_and_nothing_follows(self) -> None:
        frame = b"\x82\x03abc"
        for cut in range(1, len(frame)):
            self.make(Frames())
            self.side.dataReceived(frame[:cut])
            self.side.say_last(self.WORDS)
            self.assertEqual((self.written(), self.side.has_said), (frame[:cut], False))
            self.side.dataReceived(frame[cut:] + b"\x82\x05never")
            self.side.dataReceived(b"\x82\x05never")
            self.assertEqual((self.written(), self.side.has_said), (frame + self.WORDS, True))

    def test_byte_by_byte(self) -> None:
        frame = b"\x82\x7e\x00\x80" + b"x" * 128
        self.side.dataReceived(frame[:1])
        self.side.say_last(self.WORDS)
        for at in range(1, len(frame)):
            self.side.dataReceived(frame[at : at + 1])
        self.assertEqual(self.written(), frame + self.WORDS)

    def test_who_has_a_close_frame_gets_no_other(self) -> None:
        for data in (close_frame(1000), b"\x82\x01x" + close_frame(1000)):
            self.make(Frames())
            self.side.dataReceived(data)
            self.side.say_last(self.WORDS)
            self.assertEqual(self.written(), data)

    def test_nor_one_whose_close_frame_is_on_its_way(self) -> None:
        frame = close_frame(4000)
        self.side.dataReceived(frame[:3])
        self.side.say_last(self.WORDS)
        self.side.dataReceived(frame[3:])
        self.assertEqual(self.written(), frame)

    def test_the_answer_is_told_and_goes_nowhere(self) -> None:
        self.side.say_last(self.WORDS)
        self.side.dataReceived(b"\x82\x01x")
        self.assertEqual(self.changes, [])
        self.side.dataReceived(close_frame(1001))
        self.assertEqual((self.changes, self.written()), ([self.side], self.WORDS))
