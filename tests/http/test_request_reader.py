"""Requests read from bytes: in any pieces alike, within limits, and as another careful reader reads them."""

from __future__ import annotations

import h11
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.heads import CHUNKED
from apigateway.http.request_message import MOST_PIECES, RequestMessage
from apigateway.http.request_reader import (
    MOST_REMEMBERED,
    PIPELINED,
    SEGMENT,
    SLICE,
    HeadLimits,
    RequestReader,
)
from tests.http.messages import Reading, Wire, as_h11, cuts, h11_request, pieces, requests, spoiled, unordered

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKS = b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
PUT = b"PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"


def fed(*data: bytes, limits: HeadLimits | None = None) -> RequestReader:
    reader = RequestReader(limits or HeadLimits())
    for piece in data:
        reader.feed(piece)
    return reader


def body_of(message: RequestMessage) -> bytes:
    return b"".join(message.chunks)


def shown(message: RequestMessage) -> tuple[object, ...]:
    """All that a message says."""
    head = message.head
    return (
        head.method, head.target, head.minor, unordered(head.fields), head.plain, head.special, head.length,
        head.keep_alive, body_of(message), message.complete, message.trailers if message.complete else [],
    )  # fmt: skip


def cause_of(reader: RequestReader) -> str | None:
    return reader.error.cause.code if reader.error is not None else None


class ReadingTests(SynchronousTestCase):
    def the_one(self, data: bytes) -> RequestMessage:
        reader = fed(data)
        self.assertIsNone(reader.error)
        (message,) = reader.ready
        return message

    def test_a_request_is_ready_at_the_end_of_its_head(self) -> None:
        reader = fed(PUT[:-3])
        (message,) = reader.ready
        self.assertEqual((message.head.method, message.head.target, message.head.length), (b"PUT", b"/b", 3))
        self.assertFalse(message.complete)
        reader.feed(b"ab")
        self.assertEqual((body_of(message), message.complete), (b"ab", False))
        reader.feed(b"c")
        self.assertEqual((body_of(message), message.complete), (b"abc", True))

    def test_a_request_without_a_body_is_complete_at_once(self) -> None:
        self.assertTrue(self.the_one(GET).complete)

    def test_fields_keep_their_order_spelling_and_repetition(self) -> None:
        message = self.the_one(b"GET / HTTP/1.1\r\nhOSt: h\r\nX-b: 1\r\nx-A: 2\r\nX-b: 3\r\n\r\n")
        self.assertEqual(message.head.fields, [(b"hOSt", b"h"), (b"X-b", b"1"), (b"x-A", b"2"), (b"X-b", b"3")])

    def test_a_chunked_body_comes_without_its_chunks_and_extensions(self) -> None:
        message = self.the_one(
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        self.assertEqual((message.head.length, body_of(message), message.complete), (CHUNKED, b"abcde", True))

    def test_trailers_are_kept_apart_from_the_fields_of_the_head(self) -> None:
        message = self.the_one(
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n"
        )
        self.assertEqual(message.trailers, [(b"X-Sum", b"1")])
        self.assertNotIn((b"X-Sum", b"1"), message.head.fields)

    def test_a_target_in_pieces_is_joined(self) -> None:
        (message,) = fed(b"GET /on", b"e/tw", b"o HTTP/1.1\r\nHost: h\r\n\r\n").ready
        self.assertEqual(message.head.target, b"/one/two")

    def test_space_around_values_is_no_part_of_what_they_mean(self) -> None:
        message = self.the_one(b"PUT / HTTP/1.1\r\nHost: \t h \t\r\nContent-Length:  3 \r\nX-A:  b \t\r\n\r\nabc")
        self.assertEqual((message.head.length, message.head.get(b"x-a")), (3, b"b"))
        self.assertTrue(message.complete)

    def test_pipelined_requests_of_one_piece_wait_in_their_order(self) -> None:
        reader = fed(GET + PUT + GET)
        self.assertEqual([message.head.method for message in reader.ready], [b"GET", b"PUT", b"GET"])
        self.assertEqual(body_of(reader.ready[1]), b"abc")

    def test_empty_lines_before_a_request_are_passed_over(self) -> None:
        reader = fed(b"\r\n" + GET + b"\r\n\r\n" + GET)
        self.assertEqual(len(reader.ready), 2)
        self.assertIsNone(reader.error)

    def test_methods_beyond_the_usual_are_read(self) -> None:
        for method in (b"QUERY", b"PATCH", b"PROPFIND"):
            self.assertEqual(self.the_one(method + GET[3:]).head.method, method)

    def test_the_connection_stays_on_1_1_and_on_1_0_only_where_asked(self) -> None:
        for version, connection, stays in (
            (b"1.1", b"", True),
            (b"1.1", b"Connection: close\r\n", False),
            (b"1.1", b"Connection: x, Close\r\n", False),
            (b"1.0", b"", False),
            (b"1.0", b"Connection: Keep-Alive\r\n", True),
            (b"1.0", b"Connection: keep-alive, close\r\n", False),
        ):
            message = self.the_one(b"GET / HTTP/%b\r\nHost: h\r\n%b\r\n" % (version, connection))
            self.assertEqual(message.head.keep_alive, stays, (version, connection))

    def test_between_requests_is_when_nothing_of_a_next_one_is_here(self) -> None:
        reader = RequestReader(HeadLimits())
        steps = ((b"", True), (b"GET / HT", False), (b"TP/1.1\r\nHost: h\r\n\r\n", True), (PUT[:-1], False),
                 (b"c", True), (GET + b"GET", False), (b" / HTTP/1.1\r\nHost: h\r\n\r\n", True))  # fmt: skip
        for data, expected in steps:
            reader.feed(data)
            self.assertEqual(reader.between_requests, expected, data)

    def test_an_empty_line_after_a_body_begins_no_request(self) -> None:
        self.assertTrue(fed(PUT, b"\r\n").between_requests)


def taken(reader: RequestReader) -> list[RequestMessage]:
    """All that can be read of what was fed, as a connection takes it."""
    messages = []
    while reader.ready:
        messages.append(reader.ready.popleft())
        if reader.put_off and not reader.ready:
            reader.go_on()
    assert reader.error is None
    return messages


class PipelinedTests(SynchronousTestCase):
    """Of many requests that came together a few are read ahead, however they are read."""

    ORDINARY = b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n"
    OTHER = b"GET /%d HTTP/1.1\r\nhost: h\r\nte: trailers\r\n\r\n"
    CHUNKED = b"PUT /%d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    SIZED = b"PUT /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"

    def many(self, kinds: list[bytes], count: int) -> bytes:
        return b"".join(kinds[number % len(kinds)] % number for number in range(count))

    def test_ordinary_ones_are_read_up_to_the_bound(self) -> None:
        reader = fed(self.many([self.ORDINARY], 4000))
        self.assertEqual(len(reader.ready), PIPELINED)
        self.assertFalse(reader.has_room)

    def test_others_up_to_what_a_slice_holds(self) -> None:
        for kind in (self.OTHER, self.CHUNKED, b"GET /%d HTTP/1.1\nhost:h\n\n"):
            reader = fed(self.many([kind], 1 + 100_000 // len(kind)))
            self.assertLessEqual(len(reader.ready), PIPELINED + SLICE // 25, kind)
            self.assertTrue(reader.put_off or reader.error, kind)

    def test_what_is_put_off_comes_in_its_turn_and_nothing_is_lost(self) -> None:
        for kinds in ([self.ORDINARY], [self.OTHER], [self.CHUNKED], [self.SIZED], [self.ORDINARY, self.SIZED],
                      [self.ORDINARY, self.OTHER, self.CHUNKED, self.SIZED]):  # fmt: skip
            wire = self.many(kinds, 300)
            for parts in ([wire], [wire[:5000], wire[5000:]], [wire[at : at + 777] for at in range(0, len(wire), 777)]):
                messages = taken(fed(*parts))
                self.assertEqual([one.head.target for one in messages], [b"/%d" % number for number in range(300)])
                self.assertTrue(all(one.complete for one in messages))
                bodies = {b"".join(one.chunks) for one in messages if one.head.method == b"PUT"}
                self.assertLessEqual(bodies, {b"ab"})

    def test_the_body_of_the_last_that_waits_may_be_put_off_with_the_rest(self) -> None:
        body = b"x" * 50_000
        last = b"PUT /last HTTP/1.1\r\nhost: h\r\nte: trailers\r\ncontent-length: 50000\r\n\r\n" + body
        messages = taken(fed(self.many([self.OTHER], 200) + last + self.ORDINARY % 1))
        self.assertEqual((len(messages), b"".join(messages[200].chunks)), (202, body))

    def test_what_is_malformed_among_them_is_so_in_its_turn(self) -> None:
        reader = fed(self.many([self.ORDINARY], 100) + b"nonsense\r\n\r\n")
        self.assertIsNone(reader.error)
        for _ in range(100):
            reader.ready.popleft()
            if reader.put_off and not reader.ready:
                reader.go_on()
        self.assertEqual(cause_of(reader), "bad-request")

    def test_small_chunks_that_wait_are_put_together(self) -> None:
        reader = fed(b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + b"2\r\nab\r\n" * 18_000)
        chunks = reader.ready[0].chunks
        self.assertEqual((b"".join(chunks), len(chunks) <= MOST_PIECES + SLICE // 7), (b"ab" * 18_000, True))

    def test_a_body_of_known_length_is_not_cut_into_slices(self) -> None:
        head = b"PUT / HTTP/1.1\r\nhost: h\r\nte: trailers\r\ncontent-length: 131072\r\n\r\n"
        reader = fed(head, b"x" * 131072)
        self.assertEqual([len(piece) for piece in reader.ready[0].chunks], [65536, 65536])

    def test_of_long_heads_nothing_is_remembered(self) -> None:
        for size, expected in ((MOST_REMEMBERED - 10, True), (MOST_REMEMBERED, False)):
            reader = fed(b"GET /1 HTTP/1.1\r\nHost: h\r\nX: " + b"a" * size + b"\r\n\r\n")
            self.assertEqual(bool(reader._last_rest), expected)

    def test_what_nobody_takes_any_more_is_let_go_of(self) -> None:
        reader = fed(self.many([self.ORDINARY], 100))
        reader.forget()
        self.assertEqual((len(reader.ready), reader.put_off), (0, b""))


class UpgradeTests(SynchronousTestCase):
    ASK = b"GET /%d HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"

    def test_a_wish_to_upgrade_is_read_as_a_request_and_what_follows_as_the_next(self) -> None:
        reader = fed(self.ASK % 1 + PUT)
        self.assertEqual([message.head.method for message in reader.ready], [b"GET", b"PUT"])
        self.assertTrue(all(message.complete for message in reader.ready))
        self.assertIsNone(reader.error)

    def test_what_follows_one_that_could_be_taken_is_not_looked_at_before_it_is_known_what_it_is(self) -> None:
        wish = self.ASK.replace(b"h2c", b"websocket") % 1
        for sent in ((wish + PUT,), (wish, PUT), (wish + PUT[:9], PUT[9:20], PUT[20:]), (wish[:50], wish[50:] + PUT)):
            reader = fed(GET, *sent)
            self.assertEqual([message.head.target for message in reader.ready], [b"/a", b"/1"])
            self.assertEqual((reader.waits, reader.put_off, reader.has_room), (True, PUT, False))
            self.assertFalse(reader.is_quiet)
            reader.go_on()
            self.assertEqual((reader.waits, reader.put_off, len(reader.ready)), (False, b"", 3))

    def test_there_may_be_nothing_yet(self) -> None:
        reader = fed(self.ASK.replace(b"h2c", b"websocket") % 1)
        reader.ready.clear()
        self.assertEqual((reader.waits, reader.put_off, reader.has_room), (True, b"", True))

    def test_any_number_of_them_in_one_piece(self) -> None:
        self.assertEqual(len(taken(fed(b"".join(self.ASK % number for number in range(700))))), 700)

    def test_one_whose_head_ends_a_piece(self) -> None:
        reader = fed(self.ASK % 1, GET)
        self.assertEqual(len(reader.ready), 2)

    def test_its_body_is_read_as_a_body_however_it_arrives(self) -> None:
        inner = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
        chunked = b"%x\r\n%b\r\n0\r\nX-T: 1\r\n\r\n" % (len(inner), inner)
        for framing, trailers in (
            (b"Content-Length: %d\r\n\r\n%b" % (len(inner), inner), []),
            (b"Transfer-Encoding: chunked\r\n\r\n%b" % chunked, [(b"X-T", b"1")]),
        ):
            wire = (self.ASK % 1)[:-2] + framing + GET
            for parts in ([wire], [wire[:90], wire[90:]], [wire[i : i + 1] for i in range(len(wire))]):
                reader = fed(*parts)
                self.assertIsNone(reader.error)
                first, second = reader.ready
                self.assertEqual((b"".join(first.chunks), first.trailers, first.complete), (inner, trailers, True))
                self.assertEqual((first.head.target, second.head.target, second.complete), (b"/1", b"/a", True))

    def test_a_body_that_is_too_short_is_not_complete(self) -> None:
        reader = fed((self.ASK % 1)[:-2] + b"Content-Length: 4\r\n\r\nabc")
        self.assertFalse(reader.ready[0].complete)

    def test_a_broken_body_is_refused(self) -> None:
        reader = fed((self.ASK % 1)[:-2] + b"Transfer-Encoding: chunked\r\n\r\nnothing\r\n")
        self.assertEqual(cause_of(reader), "bad-request")


REFUSED = {
    "no version": b"GET /\r\n\r\n",
    "no version, bare line feeds": b"GET /\nHost: h\n\n",
    "HTTP/0.9": b"GET / HTTP/0.9\r\nHost: h\r\n\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\nHost: h\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: h\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
    "two hosts, spelled differently": b"GET / HTTP/1.1\r\nHost: h\r\nhOST: i\r\n\r\n",
    "a host that is none": b"GET / HTTP/1.1\r\nHost: h/x\r\n\r\n",
    "a list of hosts": b"GET / HTTP/1.1\r\nHost: h h\r\n\r\n",
    "user information in the host": b"GET / HTTP/1.1\r\nHost: u@h\r\n\r\n",
    "a coding before chunked": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding after chunked": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two transfer codings": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
    "another coding": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n",
    "chunked on 1.0": b"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked on 1.0 without a host": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length and chunks": PUT[:-7] + b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
    "two lengths": b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc",
    "a signed length": b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc",
    "a length with an underscore": b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1_0\r\n\r\n",
    "an empty length": b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n",
    "a length beyond counting": b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "a hexadecimal prefix": CHUNKS + b"0x1\r\na\r\n0\r\n\r\n",
    "space after a chunk size": CHUNKS + b"1 \r\na\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKS + b"1\r\nab\r\n0\r\n\r\n",
    "a line feed after a chunk size": CHUNKS + b"1\na\r\n0\r\n\r\n",
    "a line feed in a chunk extension": CHUNKS + b"1;\n\r\na\r\n0\r\n",
    "a chunk size beyond counting": CHUNKS + b"f" * 17 + b"\r\n",
    "a folded field": b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
    "space before a colon": b"GET / HTTP/1.1\r\nHost: h\r\nX : a\r\n\r\n",
    "space before the first field": b"GET / HTTP/1.1\r\n Host: h\r\n\r\n",
    "a field without a colon": b"GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n",
    "a field without a name": b"GET / HTTP/1.1\r\nHost: h\r\n: a\r\n\r\n",
    "a bare carriage return": b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
    "a bare line feed": b"GET / HTTP/1.1\nHost: h\n\n",
    "a NUL": b"GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n",
    "a method in lower case": b"get / HTTP/1.1\r\nHost: h\r\n\r\n",
    "an unknown method": b"FOO / HTTP/1.1\r\nHost: h\r\n\r\n",
    "CONNECT": b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n",
    "a target that is no path": b"GET a HTTP/1.1\r\nHost: h\r\n\r\n",
    "a star for GET": b"GET * HTTP/1.1\r\nHost: h\r\n\r\n",
    "another scheme": b"GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
    "a fragment": b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
    "a target that is not ASCII": b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
    "RTSP": b"GET / RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    "RTSP without fields": b"OPTIONS /a  RTSP/1.0\r\n\r\n",
    "RTSP with a host": b"POST / RTSP/1.1\r\nHost: h\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 32,
}  # fmt: skip


class RefusalTests(SynchronousTestCase):
    def test_what_two_readers_could_take_for_two_things_is_refused(self) -> None:
        for name, data in REFUSED.items():
            reader = fed(data)
            self.assertEqual(cause_of(reader), "bad-request", name)
            self.assertFalse(any(message.complete for message in reader.ready), name)

    def test_it_is_refused_byte_by_byte_too(self) -> None:
        for name, data in REFUSED.items():
            reader = fed(*pieces(data, list(range(len(data)))))
            self.assertEqual(cause_of(reader), "bad-request", name)
            self.assertFalse(any(message.complete for message in reader.ready), name)

    def test_another_protocol_may_be_spoken_of(self) -> None:
        reader = fed(GET[:-2] + b"User-Agent: x RTSP/1.0\r\nX_Y: / RTSP/\r\n\r\n" + GET)
        self.assertEqual((len(reader.ready), reader.error), (2, None))

    def test_an_expectation_other_than_100_continue_is_refused(self) -> None:
        self.assertEqual(cause_of(fed(GET[:-2] + b"Expect: magic\r\n\r\n")), "expectation-failed")

    def test_requests_before_a_malformed_one_stay_readable(self) -> None:
        reader = fed(GET + PUT + b"nonsense\r\n\r\n")
        self.assertEqual([message.complete for message in reader.ready], [True, True])
        self.assertEqual(cause_of(reader), "bad-request")

    def test_nothing_is_read_after_an_error(self) -> None:
        self.assertEqual(len(fed(GET + b"nonsense\r\n\r\n", GET).ready), 1)

    def test_what_was_read_of_a_refused_head_is_kept_for_the_record(self) -> None:
        head = fed(b"GET /seen HTTP/1.1\r\nAccept: text/html\r\n\r\n").error_head
        self.assertEqual((head.method, head.target, head.get(b"accept")), (b"GET", b"/seen", b"text/html"))

    def test_nothing_of_an_earlier_request_is_taken_for_the_refused_one(self) -> None:
        head = fed(b"HEAD" + GET[3:] + b"nonsense\r\n\r\n").error_head
        self.assertEqual((head.method, head.target, head.fields), (b"", b"", []))

    def test_data_after_a_last_request_spoils_only_itself(self) -> None:
        reader = fed(GET[:-2] + b"Connection: close\r\n\r\n" + GET)
        (message,) = reader.ready
        self.assertEqual((message.complete, message.head.keep_alive), (True, False))
        self.assertEqual(cause_of(reader), "bad-request")

    def test_a_broken_body_leaves_its_request_incomplete(self) -> None:
        reader = fed(REFUSED["a chunk longer than it says"])
        self.assertEqual(cause_of(reader), "bad-request")
        self.assertFalse(reader.ready[0].complete)


SMALL = HeadLimits(head=1000, fields=10, uri=100)


class LimitTests(SynchronousTestCase):
    def causes(self, data: bytes, limits: HeadLimits = SMALL) -> set[str | None]:
        """What reading in pieces of several sizes comes to."""
        splits = (pieces(data, list(range(0, len(data), step))) for step in (1, 7, 500, 5_000, 65_536))
        return {cause_of(fed(*split, limits=limits)) for split in splits}

    def head(self, size: int) -> bytes:
        """A request of about so many bytes of head in nine fields."""
        return GET[:-2] + b"".join(b"X-%d: %b\r\n" % (n, b"v" * (size // 9 - 7)) for n in range(9)) + b"\r\n"

    def test_a_target_up_to_the_limit_is_taken_and_a_longer_one_is_refused(self) -> None:
        self.assertEqual(self.causes(b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n" % (b"a" * 99)), {None})
        self.assertEqual(self.causes(b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n" % (b"a" * 100)), {"uri-too-long"})

    def test_fields_up_to_the_limit_are_taken_and_more_are_refused(self) -> None:
        self.assertEqual(self.causes(GET[:-2] + b"A: b\r\n" * 9 + b"\r\n"), {None})
        self.assertEqual(self.causes(GET[:-2] + b"A: b\r\n" * 10 + b"\r\n"), {"head-too-large"})

    def test_a_head_up_to_the_limit_is_taken_and_a_larger_one_is_refused(self) -> None:
        self.assertEqual(self.causes(self.head(950)), {None})
        self.assertEqual(self.causes(self.head(1100)), {"head-too-large"})

    def test_a_head_behind_another_request_is_measured_too(self) -> None:
        self.assertEqual(self.causes(GET + self.head(950)), {None})
        self.assertEqual(self.causes(GET + self.head(1100)), {"head-too-large"})
        self.assertEqual(self.causes(PUT + self.head(1100)), {"head-too-large"})

    def test_large_bodies_before_a_head_do_not_count_for_it(self) -> None:
        upload = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000
        self.assertEqual(self.causes(upload + self.head(950) + upload + GET), {None})

    def test_bodies_have_no_limit(self) -> None:
        reader = fed(CHUNKS, limits=SMALL)
        for _ in range(100):
            reader.feed(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
            reader.ready[0].chunks.clear()
        self.assertIsNone(reader.error)

    def test_a_head_that_never_ends_is_refused_before_it_fills_the_memory(self) -> None:
        for endless, cause in (
            (b"a", "uri-too-long"),
            (b"A: b\r\n", "head-too-large"),
            (b"a-name", "head-too-large"),
            (b"\r\n", "uri-too-long"),
        ):
            beginning = {b"a": b"GET /", b"\r\n": b""}.get(endless, b"GET / HTTP/1.1\r\n")
            for step in (16, 1000):
                reader = fed(beginning, limits=SMALL)
                taken = 0
                while reader.error is None:
                    reader.feed(endless * step)
                    taken += len(endless) * step
                    self.assertLess(taken, SMALL.head + 2 * SEGMENT, endless)
                self.assertEqual(cause_of(reader), cause, endless)

    def test_trailers_up_to_the_limits_are_taken_and_more_are_refused(self) -> None:
        upload = CHUNKS + b"1\r\na\r\n0\r\n%b\r\n"
        self.assertEqual(self.causes(upload % (b"A: b\r\n" * 10)), {None})
        self.assertEqual(self.causes(upload % (b"A: b\r\n" * 11)), {"bad-request"})
        self.assertEqual(self.causes(upload % (b"A: %b\r\n" % (b"v" * 450) * 2)), {None})
        self.assertEqual(self.causes(upload % (b"A: %b\r\n" % (b"v" * 550) * 2)), {"bad-request"})

    def test_a_request_with_too_many_trailers_never_looks_complete(self) -> None:
        upload = CHUNKS + b"0\r\n%b\r\n" % (b"A: b\r\n" * 11)
        self.assertFalse(fed(upload, limits=SMALL).ready[0].complete)

    def test_trailers_and_extensions_that_never_end_are_refused(self) -> None:
        beginning = CHUNKS
        for start, endless in ((b"0\r\n", b"A: b\r\n"), (b"1;", b"x"), (b"0\r\n", b"name")):
            reader = fed(beginning + start, limits=SMALL)
            taken = 0
            while reader.error is None:
                reader.feed(endless * 500)
                taken += len(endless) * 500
                self.assertLess(taken, SMALL.head + 2 * SEGMENT)
            self.assertEqual(cause_of(reader), "bad-request")
            self.assertFalse(reader.ready[0].complete)


class SplitTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(st.data(), st.lists(requests(), min_size=1, max_size=3))
    def test_well_formed_requests_are_read_as_they_were_written_whatever_the_pieces(
        self, data: st.DataObject, written: list[Wire]
    ) -> None:
        stream = b"".join(wire.data for wire in written)
        reader = fed(*pieces(stream, data.draw(cuts(len(stream)))))
        self.assertIsNone(reader.error)
        self.assertTrue(reader.between_requests)
        for message, wire in zip(reader.ready, written, strict=True):
            head = message.head
            self.assertEqual((head.method, head.target), wire.start)
            self.assertEqual([(name, value.strip(b" \t")) for name, value in head.plain], wire.fields)
            self.assertEqual((body_of(message), message.complete), (wire.body, True))
            self.assertEqual([(name, value.strip(b" \t")) for name, value in message.trailers], wire.trailers)

    @settings(deadline=None, max_examples=300)
    @given(st.data(), spoiled(requests()), st.booleans())
    def test_malformed_requests_come_to_the_same_whatever_the_pieces(
        self, data: st.DataObject, stream: bytes, twice: bool
    ) -> None:
        stream *= 1 + twice
        whole = fed(stream)
        split = fed(*pieces(stream, data.draw(cuts(len(stream)))))
        self.assertEqual(cause_of(split), cause_of(whole))
        self.assertEqual([shown(message) for message in split.ready], [shown(message) for message in whole.ready])

    @settings(deadline=None, max_examples=300)
    @given(st.lists(st.binary(max_size=80), max_size=4))
    def test_reading_never_raises(self, stream: list[bytes]) -> None:
        reader = fed(*stream)
        self.assertEqual(bool(reader.ready) and reader.error is None and not stream, False)


class DifferentialTests(SynchronousTestCase):
    """What is let through is read alike by h11, so that a service can't take it for something else."""

    @settings(deadline=None, max_examples=300)
    @given(st.one_of(spoiled(requests()), requests().map(lambda wire: wire.data)))
    @example(b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")
    @example(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    @example(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\n\r\n")
    def test_a_request_is_read_as_h11_reads_it_or_refused(self, data: bytes) -> None:
        reader = fed(data)
        if not reader.ready or not reader.ready[0].complete:
            return
        message = reader.ready[0]
        head = message.head
        ours = Reading(
            (head.method, head.target, b"1.%d" % head.minor),
            unordered(head.fields),
            body_of(message),
            as_h11(message.trailers),
        )
        theirs = h11_request(self.before_h11(data))
        assert theirs is not None
        self.assertEqual(ours, theirs._replace(fields=unordered(theirs.fields)))

    def before_h11(self, data: bytes) -> bytes:
        """h11 takes neither empty lines before a request nor runs of spaces in its first line; both are harmless."""
        first, end, rest = data.lstrip(b"\r\n").partition(b"\r\n")
        words = [word for word in first.split(b" ") if word]
        return (b" ".join(words) if len(words) == 3 else first) + end + rest

    def test_the_oracle_refuses_what_it_should(self) -> None:
        with self.assertRaises(h11.RemoteProtocolError):
            h11_request(REFUSED["two hosts"])
