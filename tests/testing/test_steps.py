"""What a scripted service can do, step by step."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import (
    Answer,
    Call,
    Close,
    CloseSending,
    ReadAgain,
    ReadAll,
    Reset,
    Respond,
    Send,
    Stall,
    StopReading,
    Wait,
)

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class StepTests(SynchronousTestCase):
    def setUp(self):
        self.network = MemoryNetwork()
        self.service = ScriptedService()
        self.service.listen(self.network.reactor, 80)
        self.client = self.network.client(80)

    def after(self, *steps, request=ASK):
        self.service.script(*steps)
        self.client.send(request)
        self.network.pump()
        return self.client.received

    def test_respond_sends_bytes_as_they_are(self):
        self.assertEqual(self.after(Respond(b"any"), Respond(b"thing")), b"anything")

    def test_answer_frames_by_length(self):
        self.assertEqual(
            self.after(Answer(201, b"made", [("X-A", "1"), ("X-A", "2")])),
            b"HTTP/1.1 201 Created\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 4\r\n\r\nmade",
        )

    def test_answer_frames_by_chunks(self):
        self.assertEqual(
            self.after(Answer(chunks=(b"one", b"", b"two"))),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n",
        )

    def test_answer_sends_no_body_to_head_and_no_length_with_204(self):
        head = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"
        self.assertEqual(
            self.after(Answer(200, b"body"), request=head), b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
        )
        self.assertEqual(Answer(204).head(), b"HTTP/1.1 204 No Content\r\n\r\n")
        self.assertEqual(Answer(299).head(), b"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n")

    def test_send_repeats_as_fast_as_it_is_read_and_then_goes_on(self):
        self.network.pump()
        self.client.stop_reading()
        self.after(Send(b"0123456789" * 1000, 100), Respond(b"."))
        transport = self.service.connections[0].transport
        self.assertLess(transport.unsent, 20_000)
        self.client.read_again()
        self.network.pump()
        self.assertEqual((len(self.client.received), self.client.received[-1:]), (1_000_001, b"."))

    def test_send_once_goes_on_at_once(self):
        self.assertEqual(self.after(Send(b"a"), Send(b"b")), b"ab")

    def test_wait_takes_virtual_time(self):
        self.assertEqual(self.after(Wait(2), Respond(b"late")), b"")
        self.network.advance(1.9)
        self.assertEqual(self.client.received, b"")
        self.network.advance(0.1)
        self.assertEqual(self.client.received, b"late")

    def test_read_all_waits_for_the_body(self):
        head = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab"
        self.assertEqual(self.after(ReadAll(), Respond(b"thanks"), request=head), b"")
        self.client.send(b"cd")
        self.network.pump()
        self.assertEqual(self.client.received, b"thanks")

    def test_stall_ends_all_activity_but_keeps_the_connection(self):
        self.assertEqual(self.after(Stall(), Respond(b"never")), b"")
        self.network.advance(3600)
        self.assertEqual((self.client.received, self.client.is_open), (b"", True))

    def test_reading_stops_and_goes_on(self):
        head = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
        self.after(StopReading(), Wait(5), ReadAgain(), ReadAll(), Respond(b"thanks"), request=head)
        self.client.send(b"abcd")
        self.network.advance(4)
        self.assertEqual(self.service.requests[0].size, 0)
        self.network.advance(1)
        self.assertEqual((self.service.requests[0].size, self.client.received), (4, b"thanks"))

    def test_close_sends_what_was_said_and_ends(self):
        self.assertEqual(self.after(Respond(b"bye"), Close(), Respond(b"never")), b"bye")
        self.assertFalse(self.client.is_open)

    def test_close_sending_is_an_end_to_the_client(self):
        self.assertEqual(self.after(Respond(b"bye"), CloseSending()), b"bye")
        self.assertFalse(self.client.is_open)

    def test_reset_cuts(self):
        self.assertEqual(self.after(Respond(b"lost"), Reset()), b"")
        self.assertFalse(self.client.is_open)

    def test_call_gets_the_request(self):
        seen = []
        self.after(Call(lambda request: seen.append(request.target)))
        self.assertEqual(seen, ["/"])
