"""Which answers are streams of events."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.event_stream import is_event_stream


class EventStreamTests(SynchronousTestCase):
    def test_the_media_type_alone_tells(self) -> None:
        for value in (b"text/event-stream", b"Text/Event-Stream", b"text/event-stream;charset=utf-8",
                      b" text/event-stream ; x=y "):  # fmt: skip
            self.assertTrue(is_event_stream(b"X: y\r\nContent-Type:%b\r\n" % value), value)

    def test_others_are_none(self) -> None:
        for lines in (b"", b"X: text/event-stream\r\n", b"Content-Type: text/event-streams\r\n",
                      b"Content-Type: text/plain; x=text/event-stream\r\n"):  # fmt: skip
            self.assertFalse(is_event_stream(lines), lines)
