"""The recording receiver of attempts."""

from __future__ import annotations

from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.errors import CONNECTION_LOST, GatewayError
from apigateway.interfaces import IAttemptReceiver
from apigateway.testing.receiver import RecordingReceiver

ATTEMPT = object()


class RecordingReceiverTests(SynchronousTestCase):
    def test_it_is_what_its_interface_says(self):
        verifyObject(IAttemptReceiver, RecordingReceiver())

    def test_one_that_is_stopped_gives_up_its_attempt_and_hears_no_more(self):
        cancelled = []
        receiver = RecordingReceiver()
        receiver.leased(SimpleNamespace(cancel=lambda: cancelled.append(True)))
        receiver.stop(GatewayError(CONNECTION_LOST))
        self.assertEqual((receiver.stopped.cause, cancelled), (CONNECTION_LOST, [True]))
        self.assertRaises(AssertionError, receiver.failed, GatewayError(CONNECTION_LOST))

    def test_it_records_an_answer(self):
        started = []
        receiver = RecordingReceiver(started.append)
        self.assertEqual(repr(receiver), "<RecordingReceiver waiting 0 body=0>")
        receiver.leased(ATTEMPT)
        receiver.writable(False)
        receiver.writable(True)
        receiver.informational(103, [(b"Link", b"x")])
        receiver.head(200, b"OK", b"X-A: 1\r\n", None)
        self.assertEqual(repr(receiver), "<RecordingReceiver running 200 body=0>")
        receiver.data(b"a")
        receiver.data(b"b")
        receiver.end([(b"X-T", b"2")])
        receiver.flush()
        self.assertEqual((started, receiver.attempt), ([ATTEMPT], ATTEMPT))
        self.assertEqual((receiver.status, receiver.reason, receiver.length), (200, b"OK", None))
        self.assertEqual((receiver.body, receiver.trailers, receiver.get(b"x-a")), (b"ab", [(b"X-T", b"2")], b"1"))
        self.assertEqual((receiver.interim, receiver.cause), ([(103, [(b"Link", b"x")])], None))
        self.assertEqual(
            receiver.events,
            ["leased", "not writable", "writable", "informational", "head", "data", "end", "flush"],
        )
        self.assertEqual(repr(receiver), "<RecordingReceiver ended 200 body=2>")

    def test_it_records_a_failure(self):
        receiver = RecordingReceiver()
        receiver.failed(GatewayError(CONNECTION_LOST))
        self.assertEqual(
            (receiver.cause, repr(receiver)), ("connection-lost", "<RecordingReceiver failed connection-lost 0 body=0>")
        )

    def test_what_a_transport_must_not_tell_is_refused(self):
        for calls in (
            lambda r: (r.leased(ATTEMPT), r.leased(ATTEMPT)),
            lambda r: r.head(200, b"", b"", 0),
            lambda r: (r.leased(ATTEMPT), r.data(b"x")),
            lambda r: (r.leased(ATTEMPT), r.end([])),
            lambda r: (r.leased(ATTEMPT), r.head(200, b"", b"", 0), r.head(200, b"", b"", 0)),
            lambda r: (r.leased(ATTEMPT), r.head(200, b"", b"", 0), r.informational(103, [])),
            lambda r: (r.leased(ATTEMPT), r.head(200, b"", b"", 0), r.end([]), r.data(b"x")),
            lambda r: (r.failed(GatewayError(CONNECTION_LOST)), r.leased(ATTEMPT)),
            lambda r: r.failed(ValueError("raw")),
        ):
            self.assertRaises(AssertionError, calls, RecordingReceiver())
