"""The small parser of the doubles, against messages as they should be and against h11."""

from __future__ import annotations

from itertools import pairwise

import h11
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.steps import Answer
from apigateway.testing.wire import WireReader


def read(data, is_response=False, **kwargs):
    reader = WireReader(is_response, **kwargs)
    reader.feed(data)
    return reader.messages


class WireRequests(SynchronousTestCase):
    def test_a_request_and_its_fields(self):
        [message] = read(b"POST /a?b HTTP/1.1\r\nHost: x\r\nX-A:  1 \r\nx-a: 2\r\nContent-Length: 3\r\n\r\nabc")
        self.assertEqual((message.method, message.target, message.body), ("POST", "/a?b", b"abc"))
        self.assertEqual(
            (message.get(b"x-a"), message.get_all(b"X-A"), message.get(b"x-b")), (b"1", [b"1", b"2"], None)
        )
        self.assertEqual(repr(message), "<Message POST /a?b body=3 complete>")

    def test_requests_one_after_the_other(self):
        chunked = b"PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n1\r\nd\r\n0\r\nX-T: 1\r\n\r\n"
        first, second = read(b"GET /a HTTP/1.1\r\n\r\n" + chunked + b"GET /c HTTP/1.1\r\nHost: x\r\n")
        self.assertEqual((first.target, second.body, second.trailers), ("/a", b"abcd", [(b"X-T", b"1")]))

    def test_a_message_is_told_when_its_head_and_when_its_body_is_there(self):
        told = []
        reader = WireReader(False, changed=lambda message: told.append(message.is_complete))
        reader.feed(b"PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\na")
        self.assertEqual(told, [False])
        reader.feed(b"b")
        self.assertEqual(told, [False, True])

    def test_of_a_long_body_the_beginning_is_kept_and_all_is_counted(self):
        [message] = read(b"PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789", keep=4)
        self.assertEqual((message.body, message.size), (b"1234", 9))

    def test_what_is_malformed_is_an_error(self):
        head = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        for data in (
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nno field\r\n\r\n",
            head + b"2\r\nabc\r\n",
            head + b"z\r\n",
        ):
            self.assertRaises(ValueError, read, data)


class WireAnswers(SynchronousTestCase):
    def test_answers_without_bodies(self):
        data = (
            b"HTTP/1.1 103 Early Hints\r\n\r\n" + b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" + b"HTTP/1.1 204\r\n\r\n"
        )
        messages = read(data, is_response=True, methods=["HEAD", "GET", "GET"])
        self.assertEqual([message.status for message in messages], [103, 200, 304, 204])
        self.assertEqual((messages[1].reason, messages[3].reason), (b"OK", b""))
        self.assertTrue(all(message.is_complete for message in messages))

    def test_a_body_without_framing_ends_with_the_connection(self):
        reader = WireReader(is_response=True)
        reader.feed(b"HTTP/1.1 200 OK\r\n\r\nsome")
        reader.feed(b" more")
        self.assertEqual((reader.messages[0].body, reader.messages[0].is_complete), (b"some more", False))
        reader.end()
        self.assertTrue(reader.messages[0].is_complete)

    def test_the_end_completes_no_other_body(self):
        reader = WireReader(is_response=True)
        reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsome")
        reader.end()
        self.assertFalse(reader.messages[0].is_complete)

    @settings(deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=50), max_size=5), st.booleans(), st.lists(st.integers(0, 400)))
    def test_it_reads_what_h11_reads_wherever_it_is_split(self, pieces, chunked, cuts):
        answer = Answer(200, b"" if chunked else b"".join(pieces), {"X-A": "1"}, tuple(pieces) if chunked else None)
        raw = answer.head() + answer.payload()
        reader = WireReader(is_response=True)
        edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
        for begin, end in pairwise(edges):
            reader.feed(raw[begin:end])
        oracle = h11.Connection(h11.CLIENT)
        oracle.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        oracle.send(h11.EndOfMessage())
        oracle.receive_data(raw)
        head = oracle.next_event()
        body = b""
        while isinstance(event := oracle.next_event(), h11.Data):
            body += event.data
        [message] = reader.messages
        self.assertIsInstance(event, h11.EndOfMessage)
        self.assertEqual((message.status, message.body, message.is_complete), (head.status_code, body, True))
        self.assertEqual([(name.lower(), value) for name, value in message.fields], list(head.headers))
