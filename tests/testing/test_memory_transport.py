"""Connections in memory behave as TCP does where protocols can tell."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IHalfCloseableProtocol, IPullProducer, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from apigateway.testing.memory_transport import HIGH_WATER, PIPE, MemoryLink, address


class End(Protocol):
    """What one end sees."""

    def __init__(self):
        self.received = b""
        self.lost = None

    def dataReceived(self, data):
        self.received += data

    def connectionLost(self, reason):
        self.lost = reason.type


@implementer(IHalfCloseableProtocol)
class HalfEnd(End):
    """An end that goes on when the other has sent all."""

    closed = ()

    def readConnectionLost(self):
        self.closed += ("read",)

    def writeConnectionLost(self):
        self.closed += ("write",)


@implementer(IPushProducer)
class Streaming:
    def __init__(self):
        self.calls = []

    def pauseProducing(self):
        self.calls.append("pause")

    def resumeProducing(self):
        self.calls.append("resume")

    def stopProducing(self):
        self.calls.append("stop")


@implementer(IPullProducer)
class Pulling:
    def __init__(self, transport, times):
        self.transport = transport
        self.left = times

    def resumeProducing(self):
        self.left -= 1
        self.transport.write(b"x" * 1000)
        if not self.left:
            self.transport.unregisterProducer()

    def stopProducing(self):
        self.left = 0


class MemoryLinks(SynchronousTestCase):
    def setUp(self):
        self.join(End(), End())

    def join(self, client, server):
        self.link = MemoryLink(address("10.0.0.1", 5000), address("10.0.0.2", 80))
        self.client, self.server = client, server
        self.link.server.open(server)
        self.link.client.open(client)

    def rest(self):
        while self.link.step():
            pass

    def test_both_ends_are_what_their_interfaces_say(self):
        for interface in (ITCPTransport, IConsumer, IPushProducer):
            verifyObject(interface, self.link.client)

    def test_ends_know_their_addresses_and_what_was_set(self):
        transport = self.link.client
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(1)
        self.assertEqual(
            (transport.getHost(), transport.getPeer()), (address("10.0.0.1", 5000), address("10.0.0.2", 80))
        )
        self.assertEqual((transport.getTcpNoDelay(), transport.getTcpKeepAlive()), (True, True))
        self.assertEqual(address("::1", 80).type, "TCP")

    def test_nothing_is_delivered_inside_of_write(self):
        self.client.transport.write(b"hello")
        self.assertEqual(self.server.received, b"")
        self.rest()
        self.assertEqual(self.server.received, b"hello")

    def test_only_bytes_are_written(self):
        self.assertRaises(TypeError, self.client.transport.write, "text")
        self.assertRaises(TypeError, self.client.transport.write, bytearray(b"x"))

    def test_closing_sends_what_was_written_and_then_the_end(self):
        self.client.transport.writeSequence([b"last ", b"words"])
        self.client.transport.loseConnection()
        self.assertEqual(self.client.lost, None)
        self.rest()
        self.assertEqual((self.server.received, self.server.lost), (b"last words", ConnectionDone))
        self.assertEqual((self.client.lost, self.link.closed), (ConnectionDone, True))

    def test_aborting_sends_nothing_more_and_resets(self):
        self.client.transport.write(b"never")
        self.client.transport.abortConnection()
        self.rest()
        self.assertEqual((self.server.received, self.server.lost), (b"", ConnectionLost))
        self.assertEqual(self.client.lost, ConnectionAborted)

    def test_data_before_a_reset_is_read(self):
        self.client.transport.write(b"before")
        self.link.client.step()
        self.client.transport.abortConnection()
        self.rest()
        self.assertEqual((self.server.received, self.server.lost), (b"before", ConnectionLost))

    def test_who_writes_to_a_closed_end_reads_what_was_sent_and_is_reset(self):
        self.server.transport.write(b"goodbye")
        self.server.transport.loseConnection()
        self.link.server.step()
        self.client.transport.write(b"more")
        self.rest()
        self.assertEqual((self.client.received, self.client.lost), (b"goodbye", ConnectionLost))

    def test_closing_one_direction_ends_an_ordinary_protocol(self):
        self.client.transport.loseWriteConnection()
        self.rest()
        self.assertEqual((self.server.lost, self.client.lost), (ConnectionDone, ConnectionDone))

    def test_closing_one_direction_leaves_the_other_to_protocols_that_can(self):
        self.join(HalfEnd(), HalfEnd())
        self.client.transport.write(b"question")
        self.client.transport.loseWriteConnection()
        self.rest()
        self.assertEqual((self.client.closed, self.server.closed), (("write",), ("read",)))
        self.server.transport.write(b"answer")
        self.server.transport.loseConnection()
        self.rest()
        self.assertEqual((self.client.received, self.client.closed), (b"answer", ("write", "read")))

    def test_a_paused_reader_notices_nothing_until_it_reads_again(self):
        self.server.transport.pauseProducing()
        self.client.transport.write(b"hello")
        self.client.transport.loseConnection()
        self.rest()
        self.assertEqual((self.server.received, self.server.lost), (b"", None))
        self.server.transport.resumeProducing()
        self.rest()
        self.assertEqual((self.server.received, self.server.lost), (b"hello", ConnectionDone))

    def test_no_more_than_a_pipe_is_between_a_sender_and_a_reader_that_does_not_read(self):
        self.server.transport.pauseProducing()
        self.client.transport.write(bytes(3 * PIPE))
        self.rest()
        self.assertEqual(self.client.transport.unsent, 2 * PIPE)

    def test_a_streaming_producer_is_paused_and_resumed(self):
        producer = Streaming()
        self.server.transport.pauseProducing()
        self.client.transport.registerProducer(producer, True)
        self.client.transport.write(bytes(PIPE + HIGH_WATER))
        self.rest()
        self.assertEqual(producer.calls, ["pause"])
        self.server.transport.resumeProducing()
        self.rest()
        self.assertEqual(producer.calls, ["pause", "resume"])

    def test_a_pulled_producer_is_asked_as_the_reader_reads(self):
        producer = Pulling(self.client.transport, 500)
        self.server.transport.pauseProducing()
        self.client.transport.registerProducer(producer, False)
        self.rest()
        self.assertGreater(producer.left, 400)
        self.server.transport.resumeProducing()
        self.client.transport.loseConnection()
        self.rest()
        self.assertEqual((len(self.server.received), self.server.lost), (500_000, ConnectionDone))

    def test_there_is_one_producer_and_it_hears_of_the_end(self):
        producer = Streaming()
        self.client.transport.registerProducer(producer, True)
        self.assertRaises(RuntimeError, self.client.transport.registerProducer, Streaming(), True)
        self.link.cut()
        late = Streaming()
        self.client.transport.registerProducer(late, True)
        self.assertEqual((producer.calls, late.calls), (["stop"], ["stop"]))

    def test_a_silent_connection_moves_nothing_and_a_cut_one_is_lost_by_both(self):
        self.link.silent = True
        self.client.transport.write(b"hello")
        self.rest()
        self.assertEqual(self.server.received, b"")
        self.link.cut()
        self.assertEqual((self.client.lost, self.server.lost), (ConnectionLost, ConnectionLost))

    def test_its_repr_shows_its_state(self):
        self.server.transport.pauseProducing()
        self.client.transport.write(b"abc")
        self.assertEqual(
            repr(self.link),
            "<MemoryLink <MemoryTransport 10.0.0.1:5000 open unsent=3> "
            "<MemoryTransport 10.0.0.2:80 open paused unsent=0>>",
        )

    @settings(deadline=None)
    @given(st.lists(st.one_of(st.binary(max_size=PIPE * 2), st.sampled_from(["pause", "resume", "step"])), max_size=12))
    def test_whatever_the_reader_does_it_gets_what_was_sent_in_order(self, events):
        self.join(End(), End())
        sent = b""
        for event in events:
            if isinstance(event, bytes):
                sent += event
                self.client.transport.write(event)
            elif event == "step":
                self.link.step()
            else:
                getattr(self.server.transport, event + "Producing")()
        self.client.transport.loseConnection()
        self.server.transport.resumeProducing()
        self.rest()
        self.assertEqual((self.server.received, self.server.lost), (sent, ConnectionDone))
