"""What is matched and what is parsed is read alike: no bytes mean one thing by the patterns and another by llhttp."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.python.monkey import MonkeyPatcher
from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import GatewayError
from apigateway.http import request_reader, response_reader
from apigateway.http.fields import connection_options
from apigateway.http.heads import RequestHead
from apigateway.http.lines import split_lines
from apigateway.http.ordinary import match_request, match_response
from apigateway.http.request_message import RequestMessage
from apigateway.http.request_reader import HeadLimits, RequestReader
from apigateway.http.response_reader import MAX_FIELDS, ResponseReader
from tests.http.messages import Pairs, as_h11, unordered
from tests.http.near import HEEDED, Answers, almost, request_streams, response_streams

T = TypeVar("T")

POST = b"POST /a?b HTTP/1.1\r\nHost: h:80\r\nA: b\r\n%bC: d\r\nContent-Length: 3\r\nE: \r\n\r\nabc"
CHUNKS = b"POST /a HTTP/1.1\r\nHost: h\r\nA: b\r\n%b\r\n3\r\nabc\r\n0\r\n\r\n"
GET = b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nA: b\r\n%bC: d\r\nContent-Length: 3\r\nE: \r\n\r\nabc"
OK_CHUNKS = b"HTTP/1.1 200 OK\r\nA: b\r\n%b\r\n3\r\nabc\r\n0\r\n\r\n"
KEPT = b"Connection: keep-alive\r\n"
SMALL = HeadLimits(head=400, fields=8, uri=60)

TWO_WAYS = {
    "a length and chunks": b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    "chunks and a length": b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
    "chunks after a tab": b"Transfer-Encoding:\tchunked\r\n",
    "chunks without a space": b"Transfer-Encoding:chunked\r\n",
    "chunks, and a space before the colon": b"Transfer-Encoding : chunked\r\n",
    "chunks after a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
    "chunks by another name": b"Transfer_Encoding: chunked\r\n",
    "chunks in a folded line": b"X: y\r\n Transfer-Encoding: chunked\r\n",
    "chunks after a bare carriage return": b"X: y\rTransfer-Encoding: chunked\r\n",
    "chunks after a bare line feed": b"X: y\nTransfer-Encoding: chunked\r\n",
    "chunks, folded": b"Transfer-Encoding:\r\n chunked\r\n",
    "chunks in upper case": b"TRANSFER-ENCODING: CHUNKED\r\n",
    "a signed length": b"Content-Length: +5\r\n",
    "a length, and a space before the colon": b"Content-Length : 5\r\n",
    "a length without a space": b"Content-Length:5\r\n",
    "a length in a folded line": b"X: y\r\n Content-Length: 5\r\n",
    "a length, folded": b"Content-Length:\r\n 5\r\n",
    "a length after a NUL": b"\0Content-Length: 5\r\n",
    "a length by another name": b"Content_Length: 5\r\n",
    "a name that ends like that of the length": b"X-Content-Length: 5\r\n",
    "a name that begins like that of the length": b"Content-Length-X: 5\r\n",
    "two lengths": b"Content-Length: 3\r\nContent-Length: 3\r\n",
    "a list of lengths": b"Content-Length: 3, 3\r\n",
    "a length with zeros before it": b"Content-Length: 0003\r\n",
    "a length of zero": b"Content-Length: 0\r\n",
    "a length that nothing can have": b"Content-Length: 99999999999999999999\r\n",
    "an end of the head that is none": b"X: y\r\r\n",
    "a line without a name": b": y\r\n",
    "a line without a colon": b"Content-Length\r\n",
    "another host": b"Host: i\r\n",
    "the length named for one hop": b"Connection: content-length\r\n",
    "a field named for one hop": b"Connection: a\r\n",
    "a wish to upgrade": b"Connection: upgrade\r\nUpgrade: h2c\r\n",
    "the end of the connection": b"Connection: close\r\n",
    "an end that is taken back": b"Connection: close\r\nConnection: keep-alive\r\n",
}
"""Lines of a head that have been read in two ways by somebody."""


def parsed(read: Callable[[], T]) -> T:
    """What the readers make of it where nothing is ordinary, so that all of it is parsed."""
    patcher = MonkeyPatcher((request_reader, "match_request", _never), (response_reader, "match_response", _never))
    return patcher.runWithPatches(read)  # type: ignore[no-any-return]


def _never(data: bytes, start: int, end: int) -> None:
    """Matches nothing."""


def said(error: GatewayError | None) -> tuple[str, str] | None:
    return None if error is None else (error.cause.code, error.detail)


def without_keep_alive(fields: Iterable[tuple[bytes, bytes]]) -> Pairs:
    """On HTTP/1.1 it says what holds anyway, and who matches it may forget it."""
    return [
        (name, value) for name, value in fields
        if name.lower() != b"connection" or connection_options(value) != {b"keep-alive"}
    ]  # fmt: skip


def head_told(head: RequestHead) -> tuple[object, ...]:
    """All that a head says, in a form that does not depend on where `Host` and its like stood."""
    fields = without_keep_alive(head.fields)
    special = {name: value.strip(b" \t") for name, value in head.special.items()}
    options = connection_options(special.pop(b"connection", b"keep-alive")) - {b"keep-alive"}
    names = {name.lower() for name, _ in fields} - {b"connection"}
    return (
        head.method, head.target, head.path, head.query, head.minor, head.length, head.keep_alive, unordered(fields),
        [(name, value.strip(b" \t")) for name, value in head.plain],
        [(name, value.strip(b" \t")) for name, value in split_lines(head.lines)],
        special, options, {name: head.get(name) for name in names},
    )  # fmt: skip


def request_told(message: RequestMessage) -> tuple[object, ...]:
    trailers = message.trailers if message.complete else []
    return (*head_told(message.head), b"".join(message.chunks), message.complete, trailers)


def requests_told(segments: Iterable[bytes], limits: HeadLimits | None = None) -> list[tuple[object, ...]]:
    """What a connection has said after each of its segments."""
    reader = RequestReader(limits or HeadLimits())
    told: list[tuple[object, ...]] = []
    for segment in segments:
        reader.feed(segment)
        messages = [request_told(message) for message in reader.ready]
        told.append(
            (messages, said(reader.error), head_told(reader.error_head), reader.between_requests, reader.has_room)
        )
    return told


def answer_told(reader: ResponseReader) -> tuple[object, ...]:
    return (
        list(reader.interim), reader.status, reader.reason, as_h11(split_lines(reader.lines)), reader.length,
        reader.keep_alive, b"".join(reader.chunks), reader.complete, list(reader.trailers), reader.until_close,
        reader.excess, said(reader.error),
    )  # fmt: skip


def answers_told(answers: Answers) -> list[tuple[object, ...]]:
    """What a connection has said after each segment of each of its answers."""
    reader = ResponseReader()
    told: list[tuple[object, ...]] = []
    for is_head, segments in answers:
        reader.expect(is_head)
        for segment in segments:
            reader.feed(segment)
            told.append(answer_told(reader))
        if not reader.complete or not reader.keep_alive or reader.excess or reader.error:
            break
    return told


class Cases(SynchronousTestCase):
    """Compares what is matched with what is parsed."""

    def alike(self, *segments: bytes, limits: HeadLimits | None = None) -> None:
        self.assertEqual(requests_told(segments, limits), parsed(lambda: requests_told(segments, limits)), segments)

    def answers_alike(self, *answers: tuple[bool, list[bytes]]) -> None:
        self.assertEqual(answers_told(answers), parsed(lambda: answers_told(answers)), answers)

    def every_line_alike(self, line: bytes) -> None:
        """This line within a head with a length, at its end where chunks or nothing follow, and in answers."""
        self.alike(POST % line + GET)
        self.alike(POST % (KEPT + line), GET)
        self.alike(CHUNKS % line + GET)
        for answer in (OK % line, OK % (KEPT + line), OK_CHUNKS % line):
            self.answers_alike((False, [answer]), (False, [OK % b""]))


class RequestTests(Cases):
    @settings(deadline=None, max_examples=400)
    @given(request_streams(), st.sampled_from((None, SMALL)))
    def test_whatever_arrives_is_read_as_the_parser_reads_it(
        self, segments: list[bytes], limits: HeadLimits | None
    ) -> None:
        self.alike(*segments, limits=limits)

    def test_the_same_fields_again_mean_the_same_again(self) -> None:
        get = b"GET /%d HTTP/1.1\r\nHost: h\r\n%b\r\n"
        for first in (
            b"A: b\r\n",
            KEPT,
            b"Content-Length: 0\r\n",
            b"Content-Length: 3\r\n",
            b"Connection: close\r\n",
            b"Host: i\r\n",
        ):
            for then in (first, b"", b"A: c\r\n", b"A: b\r\nA: b\r\n", b"A: b\r\n ", b"\r\n"):
                self.alike(get % (1, first), get % (2, then), get % (34, first), get % (5, first) + get % (6, first))
                self.alike(
                    get % (1, first), b"HEAD" + (get % (2, then))[3:] + b"abc", get % (3, first), b"\r\n", GET, GET
                )
        for size in range(300, 400):
            rest = b"A: %b\r\n" % (b"v" * size)
            self.alike(get % (1, rest), get % (10**30, rest), limits=SMALL)
        for size in range(50, 70):
            self.alike(GET, b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n" % (b"a" * size), limits=SMALL)

    def test_what_becomes_of_a_head_changes_no_other(self) -> None:
        reader = RequestReader(HeadLimits())
        for _ in range(2):
            reader.feed(GET[:-2] + b"A: b\r\n\r\n")
        one, other = (message.head for message in reader.ready)
        one.plain = [(b"X", b"y")]
        self.assertEqual((one.lines, other.lines, other.plain), (b"X: y\r\n", b"A: b\r\n", [(b"A", b"b")]))
        self.assertEqual((one.get(b"a"), other.get(b"host")), (b"b", b"h"))

    def test_an_ordinary_request_is_matched(self) -> None:
        for data in (GET, POST % b"", POST % KEPT, GET[:-2] + KEPT + b"\r\n", POST % b"Cookie: \xe9=1;\tb\r\n"):
            self.assertIsNotNone(match_request(data, 0, len(data)), data)

    def test_wherever_it_is_split(self) -> None:
        stream = POST % KEPT + GET + POST % b"" + GET
        for at in range(len(stream)):
            self.alike(stream[:at], stream[at:])
        for size in (1, 2, 3, 7, 50):
            self.alike(*(stream[at : at + size] for at in range(0, len(stream), size)))

    def test_one_byte_more_or_less_or_another(self) -> None:
        stream = POST % KEPT + GET
        for at in range(len(stream)):
            self.alike(stream[:at] + stream[at + 1 :])
            for byte in b'\0\t\n\x0b\r !"#,-/019:;ACHT_acht\x7f\x80\xff':
                self.alike(stream[:at] + bytes((byte,)) + stream[at:])
                self.alike(stream[:at] + bytes((byte,)) + stream[at + 1 :])

    def test_limits_hold_at_the_very_byte_and_field(self) -> None:
        for size in range(20, 80):
            self.alike(b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n" % (b"a" * size), limits=SMALL)
        for count, more in product(range(11), (b"", KEPT, b"Content-Length: 0\r\n", KEPT + b"Content-Length: 0\r\n")):
            self.alike(GET[:-2] + b"A: b\r\n" * count + more + b"\r\n", limits=SMALL)
        for size in range(300, 420):
            self.alike(GET[:-2] + b"A: %b\r\n\r\n" % (b"v" * size), limits=SMALL)

    def test_nothing_is_read_after_the_last_request_of_a_connection(self) -> None:
        for last in (
            GET[:-2] + b"Connection: close\r\n\r\n", POST % b"Connection: close\r\n", GET.replace(b"1.1", b"1.0"),
        ):  # fmt: skip
            self.alike(last + GET)
            self.alike(last, GET)
            self.alike(last, b"\r\n", GET)

    def test_empty_lines_before_requests_do_not_add_up(self) -> None:
        segments = [b"\r\n" * 100, GET] * 10
        self.alike(*segments, limits=HeadLimits(head=400))
        reader = RequestReader(SMALL)
        for _ in range(1000):
            reader.feed(b"\r\n" * 100)
            reader.feed(GET)
            self.assertIsNone(reader.error)
            reader.ready.clear()


class ResponseTests(Cases):
    @settings(deadline=None, max_examples=400)
    @given(response_streams())
    def test_whatever_arrives_is_read_as_the_parser_reads_it(self, answers: Answers) -> None:
        self.answers_alike(*answers)

    def test_an_ordinary_answer_is_matched(self) -> None:
        for data in (OK % b"", OK % KEPT, OK % (KEPT + b"Keep-Alive: timeout=5\r\n"), OK % b"Set-Cookie: \xe9=1\r\n"):
            self.assertIsNotNone(match_response(data, 0, len(data)), data)

    def test_wherever_it_is_split(self) -> None:
        answer = OK % KEPT
        for at in range(len(answer)):
            self.answers_alike(*[(False, [answer[:at], answer[at:]])] * 2)

    def test_one_byte_more_or_less_or_another(self) -> None:
        answer = OK % (KEPT + b"Keep-Alive: x\r\n")
        for at in range(len(answer)):
            self.answers_alike((False, [answer[:at] + answer[at + 1 :]]))
            for byte in b'\0\t\n\x0b\r !"#,-/019:;ACHT_acht\x7f\x80\xff':
                self.answers_alike((False, [answer[:at] + bytes((byte,)) + answer[at:]]))
                self.answers_alike((False, [answer[:at] + bytes((byte,)) + answer[at + 1 :]]))

    def test_every_status(self) -> None:
        for status in range(1000):
            self.answers_alike((False, [OK.replace(b"200", b"%03d" % status) % b""]))

    def test_fields_have_the_same_bound(self) -> None:
        for count in range(MAX_FIELDS - 10, MAX_FIELDS + 3):
            self.answers_alike((False, [OK % (b"A: b\r\n" * count)]), (False, [OK % (KEPT + b"A: b\r\n" * count)]))

    def test_nothing_of_an_answer_is_left_for_the_next(self) -> None:
        chunked = b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\n" + OK_CHUNKS % b"Transfer-Encoding: chunked\r\n"
        chunked = chunked[:-2] + b"X-Sum: 1\r\n\r\n"
        whole = OK % b""
        for segments in ([whole], [whole[:-1], whole[-1:]], [whole[:9], whole[9:]]):
            reader = ResponseReader()
            reader.feed(chunked)
            self.assertEqual((reader.complete, reader.trailers), (True, [(b"X-Sum", b"1")]))
            reader.interim = []
            reader.expect(is_head=False)
            for segment in segments:
                reader.feed(segment)
            self.assertEqual((reader.complete, reader.interim, reader.trailers), (True, [], []))

    def test_empty_lines_after_an_answer_are_nothing_that_was_not_asked_for(self) -> None:
        self.answers_alike((False, [OK % b"" + b"\r\n"]))
        self.answers_alike((False, [OK % b"" + b"\r\nHTTP"]))


class LineTests(Cases):
    def test_lines_that_somebody_reads_in_two_ways(self) -> None:
        for line in TWO_WAYS.values():
            self.every_line_alike(line)

    def test_pairs_of_them(self) -> None:
        for one, other in product(TWO_WAYS.values(), repeat=2):
            self.every_line_alike(one + other)

    def test_every_name_that_is_heeded_in_every_spelling(self) -> None:
        for name, value in product(HEEDED, (b"3", b"chunked", b"keep-alive", b"trailers", b"100-continue", b"h")):
            for spelling in (name, name.lower(), name.upper(), name.swapcase(), name[:1].lower() + name[1:]):
                self.every_line_alike(b"%b: %b\r\n" % (spelling, value))

    def test_every_name_that_only_looks_like_one(self) -> None:
        for close, value in product((close for name in HEEDED for close in almost(name)), (b"3", b"chunked")):
            self.every_line_alike(b"%b: %b\r\n" % (close, value))


class LongHeadTests(SynchronousTestCase):
    """Each byte of a head is looked at a few times only, or this would not end: what is long comes to what is short."""

    SIZE = 64 * 1024

    def test_no_head_takes_long(self) -> None:
        ends = (
            b"",
            b"\r",
            b"\n",
            b"\0\r\n\r\n",
            b"Connection: close\r\n\r\n",
            b" \r\n\r\n",
            b"Content-Length: x\r\n\r\n",
        )
        units = (
            b"A: b\r\n", b"a", b": ", b"A: ", b"A:", b"A: b\r", b"\r\n", KEPT, b"Content-Length: 3\r\n",
            b"C: d\r\n" * 50 + KEPT,
            b"Connectio: n\r\n", b"A: b\r\nContent-Length: 3\r\n", b"Keep-Alive: a\r\n", KEPT + b"Keep-Alive: a\r\n",
            b"A: \t \r\n",
            b"X-Forwarded: a\r\n", b"Proxy: a\r\n", b"\xff", b"A: b: c\r\n", b"/", b"0", b".",
        )  # fmt: skip
        starts = (
            b"GET / HTTP/1.1\r\nHost: h\r\n",
            b"GET /",
            b"GET / HTTP/1.1\r\nHost: ",
            GET[:-2] + b"Content-Length: 3\r\n",
        )
        answers = (b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n")
        for unit, end in product(units, ends):
            for start, match in (
                *((start, match_request) for start in starts),
                *((one, match_response) for one in answers),
            ):
                long, short = (start + unit * times + end for times in (self.SIZE // len(unit), 4))
                self.assertEqual(
                    match(long, 0, len(long)) is None, match(short, 0, len(short)) is None, (start, unit, end)
                )
