"""Answers as bytes: what is written is what an HTTP client reads, whatever it speaks and whatever is answered."""

from __future__ import annotations

import h11
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.http1_answer import AnswerWriter
from apigateway.http.heads import RequestHead
from apigateway.http.lines import join_lines
from tests.http.messages import Pairs, h11_response, plain_fields

STATUSES = st.sampled_from((200, 201, 204, 206, 304, 404, 500, 599))
PIECES = st.lists(st.binary(max_size=30), max_size=4)


def asked(method: bytes = b"GET", minor: int = 1, keep_alive: bool = True) -> RequestHead:
    head = RequestHead(method, b"/", minor, [], [], {})
    head.keep_alive = keep_alive
    return head


def writer(head: RequestHead | None = None, closing: bool = False) -> AnswerWriter:
    one = AnswerWriter()
    one.begin(head or asked(), True, closing)
    return one


class WritingTests(SynchronousTestCase):
    def written(
        self, head: RequestHead | None = None, status: int = 200, length: int | None = 3, closing: bool = False
    ) -> bytes:
        one = writer(head, closing)
        one.add_head(status, b"R", b"X-a: 1\r\nx-A: 2\r\n", length, close=False)
        one.add_body(b"abc")
        one.add_end([])
        return one.take()

    def test_head_and_body_leave_together_in_their_order(self) -> None:
        self.assertEqual(self.written(), b"HTTP/1.1 200 R\r\nX-a: 1\r\nx-A: 2\r\nContent-Length: 3\r\n\r\nabc")

    def test_what_was_taken_is_not_given_again(self) -> None:
        one = writer()
        one.add_head(200, b"", b"", 0, close=False)
        self.assertTrue(one.take())
        self.assertEqual(one.take(), b"")

    def test_a_head_without_fields(self) -> None:
        one = writer()
        one.add_head(204, b"", b"", None, close=False)
        self.assertEqual(one.take(), b"HTTP/1.1 204 \r\n\r\n")

    def test_an_unknown_length_is_told_in_chunks(self) -> None:
        one = writer()
        one.add_head(200, b"", b"", None, close=False)
        for piece in (b"abc", b"", b"x" * 17):
            one.add_body(piece)
        one.add_end([(b"X-Sum", b"1")])
        self.assertTrue(
            one.take().endswith(
                b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n11\r\nxxxxxxxxxxxxxxxxx\r\n0\r\nX-Sum: 1\r\n\r\n"
            )
        )

    def test_on_1_0_it_ends_with_the_connection(self) -> None:
        one = writer(asked(minor=0))
        one.add_head(200, b"", b"", None, close=False)
        one.add_body(b"abc")
        one.add_end([(b"X-Sum", b"1")])
        self.assertEqual(one.take(), b"HTTP/1.1 200 \r\nConnection: close\r\n\r\nabc")
        self.assertEqual((one.until_close, one.keep_alive), (True, False))

    def test_answers_to_head_say_the_length_and_have_no_body(self) -> None:
        self.assertTrue(self.written(asked(b"HEAD")).endswith(b"Content-Length: 3\r\n\r\n"))
        self.assertTrue(self.written(asked(b"HEAD"), length=None).endswith(b"x-A: 2\r\n\r\n"))
        self.assertTrue(self.written(asked(b"HEAD", 0), length=None).endswith(b"Connection: keep-alive\r\n\r\n"))

    def test_204_says_no_length_and_304_may(self) -> None:
        self.assertTrue(self.written(status=204).endswith(b"x-A: 2\r\n\r\n"))
        self.assertTrue(self.written(status=304).endswith(b"Content-Length: 3\r\n\r\n"))
        self.assertTrue(self.written(status=304, length=None).endswith(b"x-A: 2\r\n\r\n"))

    def test_the_client_is_told_whether_the_connection_stays(self) -> None:
        for head, closing, expected in (
            (asked(), False, b""),
            (asked(), True, b"Connection: close\r\n"),
            (asked(keep_alive=False), False, b"Connection: close\r\n"),
            (asked(minor=0), False, b"Connection: keep-alive\r\n"),
            (asked(minor=0, keep_alive=False), False, b"Connection: close\r\n"),
        ):
            lines, _, _ = self.written(head, closing=closing).partition(b"\r\n\r\n")
            self.assertTrue((lines + b"\r\n").endswith(b"Content-Length: 3\r\n" + expected), lines)

    def test_it_ends_where_the_rest_of_the_request_will_not_be_read(self) -> None:
        one = writer()
        one.add_head(413, b"", b"", 0, close=True)
        self.assertIn(b"Connection: close", one.take())
        self.assertFalse(one.keep_alive)

    def test_interim_answers_are_written_on_1_1_before_the_head_only(self) -> None:
        for minor, before, after in (
            (1, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\nLink: a\r\n\r\n", b""),
            (0, b"", b""),
        ):
            one = writer(asked(minor=minor))
            one.add_continue()
            one.add_informational(103, [(b"Link", b"a")])
            self.assertEqual(one.take(), before)
            one.add_head(200, b"", b"", 0, close=False)
            one.take()
            one.add_continue()
            one.add_informational(103, [])
            self.assertEqual(one.take(), after)

    def test_the_next_answer_begins_afresh(self) -> None:
        one = writer(asked(b"HEAD", minor=0, keep_alive=False))
        one.add_head(200, b"", b"", None, close=False)
        one.add_end([])
        one.take()
        one.begin(asked(), True, False)
        self.assertEqual((one.keep_alive, one.until_close, one.finished), (True, False, False))
        one.add_continue()
        self.assertEqual(one.take(), b"HTTP/1.1 100 Continue\r\n\r\n")


class ReadBackTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=300)
    @given(
        st.sampled_from((b"GET", b"HEAD")), st.sampled_from((0, 1)), st.booleans(), STATUSES, plain_fields, PIECES,
        st.booleans(), plain_fields,
    )  # fmt: skip
    def test_h11_reads_back_what_was_written(
        self, method: bytes, minor: int, stays: bool, status: int, fields: Pairs, pieces: list[bytes],
        length_known: bool, trailers: Pairs,
    ) -> None:  # fmt: skip
        one = writer(asked(method, minor, stays))
        body = b"".join(pieces)
        one.add_head(status, b"Some reason", join_lines(fields), len(body) if length_known else None, close=False)
        for piece in pieces:
            one.add_body(piece)
        one.add_end(trailers)
        read = h11_response(one.take(), method, at_end=one.until_close)
        assert read is not None, "the answer is incomplete"
        self.assertEqual(read.start, (b"%d" % status, b"Some reason", b"1.1"))
        self.assertEqual([field for field in read.fields if field[0].startswith(b"x-")],
                         [(name.lower(), value) for name, value in fields])  # fmt: skip
        bodiless = method == b"HEAD" or status in (204, 304)
        self.assertEqual(read.body, b"" if bodiless else body)
        in_chunks = not bodiless and not length_known and minor == 1
        self.assertEqual(read.trailers, [(name.lower(), value) for name, value in trailers] if in_chunks else [])

    @settings(deadline=None)
    @given(st.sampled_from((0, 1)), st.booleans(), STATUSES, st.sampled_from((None, 3)))
    def test_the_connection_stays_where_h11_thinks_so_too(
        self, minor: int, stays: bool, status: int, length: int | None
    ) -> None:
        one = writer(asked(b"GET", minor, stays))
        one.add_head(status, b"", b"", length, close=False)
        one.add_body(b"abc")
        one.add_end([])
        client = h11.Connection(h11.CLIENT)
        version = [(b"Host", b"h")] if stays else [(b"Host", b"h"), (b"Connection", b"close")]
        client.send(h11.Request(method=b"GET", target=b"/", headers=version))
        client.send(h11.EndOfMessage())
        client.receive_data(one.take())
        if one.until_close:
            client.receive_data(b"")
        while not isinstance(client.next_event(), h11.EndOfMessage):
            pass
        self.assertEqual(client.their_state is h11.DONE, one.keep_alive)
