"""Answers read from bytes: in any pieces alike, within limits, and as another careful reader reads them."""

from __future__ import annotations

import h11
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.fields import response_fields
from apigateway.http.lines import split_lines
from apigateway.http.response_reader import MAX_FIELDS, MAX_HEAD_BYTES, MAX_INTERIM, ResponseReader
from apigateway.http.upgrade import Offer
from tests.circles import circles
from tests.http.messages import Reading, Wire, as_h11, cuts, h11_response, pieces, responses, spoiled

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
SEGMENT = 64 * 1024


def fed(*data: bytes, is_head: bool = False) -> ResponseReader:
    reader = ResponseReader()
    reader.expect(is_head)
    for piece in data:
        reader.feed(piece)
    return reader


def body_of(reader: ResponseReader) -> bytes:
    return b"".join(reader.chunks)


def shown(reader: ResponseReader) -> tuple[object, ...]:
    """All that an answer says."""
    return (
        reader.interim, reader.status, reader.reason, reader.lines, reader.length, reader.keep_alive, body_of(reader),
        reader.complete, reader.trailers if reader.complete else [], reader.until_close, reader.error is None,
    )  # fmt: skip


def cause_of(reader: ResponseReader) -> str | None:
    return reader.error.cause.code if reader.error is not None else None


class ReadingTests(SynchronousTestCase):
    def test_the_head_is_there_before_the_body(self) -> None:
        reader = fed(OK[:-3])
        self.assertEqual((reader.status, reader.reason, reader.length), (200, b"OK", 3))
        self.assertEqual(reader.lines, b"")
        self.assertFalse(reader.complete)
        reader.feed(b"abc")
        self.assertEqual((body_of(reader), reader.complete, reader.keep_alive), (b"abc", True, True))

    def test_one_that_has_forgotten_its_parser_does_not_wait_for_the_collector(self) -> None:
        def read() -> None:
            reader = fed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            reader.forget()
            self.assertEqual((reader.status, body_of(reader), reader.complete), (200, b"abc", True))

        with circles() as found:
            read()
        self.assertEqual(found, {})

    def test_chunks_and_trailers(self) -> None:
        reader = fed(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n1\r\nd\r\n0\r\nX-Sum: 4\r\n\r\n"
        )
        self.assertEqual((body_of(reader), reader.length, reader.complete), (b"abcd", None, True))
        self.assertEqual(reader.trailers, [(b"X-Sum", b"4")])
        self.assertEqual(reader.lines, b"")
        self.assertTrue(reader.keep_alive)

    def test_the_fields_that_are_passed_on_keep_order_spelling_and_repetition(self) -> None:
        passed = b"X-b: 1\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nx-B: \xe9 :\r\nvia: 1.1 a\r\nE: \r\n"
        for head in (
            b"%bContent-Length: 0\r\n", b"Content-Length: 0\r\n%b",
            b"Connection: Keep-Alive\r\n%bcontent-length: 0\r\n",
            b"content-length: 0\r\nconnection: keep-alive\r\nKeep-Alive: timeout=5\r\n%b",
        ):  # fmt: skip
            reader = fed(b"HTTP/1.1 200 OK\r\n" + head % passed + b"\r\n")
            self.assertEqual((reader.lines, reader.complete, reader.keep_alive), (passed, True, True), head)

    def test_what_is_for_this_hop_alone_is_not_passed_on(self) -> None:
        hop = (b"Connection: x-mine", b"X-Mine: 1", b"keep-alive: timeout=5", b"Proxy-Connection: a", b"TE: trailers",
               b"Proxy-Authenticate: Basic", b"uPGRADE: h2", b"X-Request-ID: theirs")  # fmt: skip
        for framing in (b"Content-Length: 0", b"Transfer-Encoding: chunked"):
            lines = b"".join(b"%b\r\n" % line for line in (b"A: b", *hop, framing, b"C: d"))
            for data in ((lines,), [lines[at : at + 1] for at in range(len(lines))]):
                reader = fed(b"HTTP/1.1 200 OK\r\n", *data, b"\r\n")
                self.assertEqual((reader.lines, reader.error), (b"A: b\r\nC: d\r\n", None))
            for line in hop[2:]:
                reader = fed(b"HTTP/1.1 200 OK\r\nA: b\r\n%b\r\n%b\r\nC: d\r\n\r\n" % (framing, line))
                self.assertEqual((reader.lines, reader.error), (b"A: b\r\nC: d\r\n", None), line)

    def test_a_body_without_framing_ends_with_the_connection(self) -> None:
        reader = fed(b"HTTP/1.1 200 OK\r\n\r\nabc", b"def")
        self.assertEqual((body_of(reader), reader.length), (b"abcdef", None))
        self.assertEqual((reader.until_close, reader.complete, reader.keep_alive), (True, False, False))

    def test_a_reason_may_be_missing(self) -> None:
        for line in (b"HTTP/1.1 200", b"HTTP/1.1 200 "):
            reader = fed(line + b"\r\nContent-Length: 0\r\n\r\n")
            self.assertEqual((reader.status, reader.reason, reader.complete), (200, b"", True))

    def test_204_and_304_have_no_body_whatever_their_fields_say(self) -> None:
        for status in (b"204", b"304"):
            for framing in (b"", b"Content-Length: 3\r\n"):
                reader = fed(b"HTTP/1.1 %b Nothing\r\n%b\r\n" % (status, framing))
                self.assertTrue(reader.complete, (status, framing))
                # A service that announces a body may send it after all, and it must answer nobody.
                self.assertEqual(reader.excess, bool(framing), (status, framing))

    def test_an_interim_answer_that_announces_a_body_is_refused(self) -> None:
        for framing in (b"Content-Length: 3", b"Transfer-Encoding: chunked"):
            reader = fed(b"HTTP/1.1 150 X\r\n%b\r\n\r\nabc" % framing)
            self.assertEqual((reader.error.cause.code if reader.error else None, reader.chunks), ("bad-response", []))

    def test_the_answer_to_head_has_no_body_whatever_its_fields_say(self) -> None:
        for framing, may_follow in (
            (b"Content-Length: 3\r\n", True),
            (b"Transfer-Encoding: chunked\r\n", True),
            (b"Content-Length: 0\r\n", False),
            (b"", False),
        ):
            reader = fed(b"HTTP/1.1 200 OK\r\n%b\r\n" % framing, is_head=True)
            self.assertEqual((reader.complete, reader.excess, reader.until_close), (True, may_follow, False), framing)

    def test_after_the_answer_to_head_the_next_one_is_read_from_its_start(self) -> None:
        reader = fed(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", is_head=True)
        self.assertTrue(reader.keep_alive)
        reader.expect(is_head=False)
        reader.feed(OK)
        self.assertEqual((body_of(reader), reader.complete, reader.excess), (b"abc", True, False))

    def test_interim_answers_come_apart_from_the_final_one(self) -> None:
        reader = fed(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
        self.assertEqual(reader.interim, [(100, []), (103, [(b"Link", b"</a>")])])
        self.assertEqual((reader.status, reader.lines, reader.length), (200, b"", 3))

    def test_one_answer_after_the_other(self) -> None:
        reader = ResponseReader()
        for _ in range(3):
            reader.expect(is_head=False)
            self.assertEqual((reader.status, reader.complete), (0, False))
            reader.feed(OK)
            self.assertEqual((reader.status, body_of(reader), reader.complete), (200, b"abc", True))

    def test_whether_the_connection_stays(self) -> None:
        for version, connection, stays in (
            (b"1.1", b"", True),
            (b"1.1", b"Connection: Close\r\n", False),
            (b"1.1", b"Connection: x, close\r\n", False),
            (b"1.0", b"", False),
            (b"1.0", b"Connection: keep-alive\r\n", True),
            (b"1.0", b"Connection: x\r\nconnection: Keep-Alive\r\n", True),
            (b"1.0", b"Connection: keep-alive, close\r\n", False),
            (b"1.0", b"Proxy-Connection: keep-alive\r\n", False),
        ):
            reader = fed(b"HTTP/%b 200 OK\r\n%bContent-Length: 0\r\n\r\n" % (version, connection))
            self.assertEqual((reader.complete, reader.keep_alive), (True, stays), (version, connection))

    def test_an_offer_to_upgrade_changes_nothing(self) -> None:
        reader = fed(b"HTTP/1.1 200 OK\r\nUpgrade: h2\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\nabc")
        self.assertEqual((body_of(reader), reader.complete, reader.error), (b"abc", True, None))


REFUSED = {
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a protocol switch": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "a protocol switch to nothing": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "a status below 100": b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
    "a status of zero": b"HTTP/1.1 000 None\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "a status that is no number": b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
    "a length beyond counting": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "a tab behind a transfer coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n",
    "another transfer coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    "a coding before chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length behind chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n",
    "a coding behind chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: x\r\n\r\n",
    "an answer of RTSP": b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "an answer of ICE": b"\r\nICE/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "chunked on 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk longer than it says": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "a folded field": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "space before a colon": b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n",
    "a bare carriage return": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
    "a carriage return in the reason": b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n",
    "a NUL in an interim reason": b"HTTP/1.1 103 Hi\0nts\r\n\r\n",
    "a NUL in the reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n",
    "line feeds only": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "a NUL": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
}


class RefusalTests(SynchronousTestCase):
    def test_nothing_is_read_after_an_error(self) -> None:
        reader = fed(REFUSED["no HTTP"], OK)
        self.assertEqual((cause_of(reader), reader.status), ("bad-response", 0))

    def test_what_is_no_answer_is_a_bad_response(self) -> None:
        for name, data in REFUSED.items():
            reader = fed(data)
            self.assertEqual((cause_of(reader), reader.interim), ("bad-response", []), name)
            self.assertFalse(reader.complete, name)

    def test_byte_by_byte_too(self) -> None:
        for name, data in REFUSED.items():
            reader = fed(*pieces(data, list(range(len(data)))))
            self.assertEqual((cause_of(reader), reader.interim), ("bad-response", []), name)
            self.assertFalse(reader.complete, name)

    def test_more_than_was_asked_for_leaves_the_answer_whole_and_says_so(self) -> None:
        for more in (OK, b"HTTP/1.1 500 Sorry\r\nContent-Length: 0\r\n\r\n", b"nonsense", b"HTT"):
            for split in ((OK + more,), (OK, more)):
                reader = fed(*split)
                self.assertEqual((reader.status, body_of(reader), reader.complete), (200, b"abc", True), more)
                self.assertEqual((reader.lines, reader.length), (b"", 3))
                self.assertTrue(reader.excess, more)
                self.assertIsNone(reader.error)

    def test_a_body_after_the_answer_to_head_is_more_than_was_asked_for(self) -> None:
        for split in ((OK,), (OK[:-3], OK[-3:])):
            reader = fed(*split, is_head=True)
            self.assertEqual((reader.complete, reader.excess, body_of(reader), reader.error), (True, True, b"", None))


class LimitTests(SynchronousTestCase):
    def head(self, size: int) -> bytes:
        """An answer with about so many bytes of head."""
        return b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" + b"X: %b\r\n" % (b"v" * 995) * (size // 1000) + b"\r\nabc"

    def readers(self, data: bytes) -> list[ResponseReader]:
        return [fed(*pieces(data, list(range(0, len(data), step)))) for step in (999, 10_000, SEGMENT)]

    def test_heads_up_to_the_bound_are_taken_whatever_the_pieces(self) -> None:
        for reader in self.readers(self.head(MAX_HEAD_BYTES - 100)):
            self.assertEqual((reader.error, reader.complete), (None, True))

    def test_heads_far_above_it_are_not(self) -> None:
        for data in (self.head(200_000), b"HTTP/1.1 200 " + b"r" * 200_000, b"HTTP/1.1 200 OK\r\n" + b"X" * 200_000):
            for reader in self.readers(data):
                self.assertEqual(cause_of(reader), "bad-response")

    def test_fields_have_a_bound(self) -> None:
        for count, cause in ((MAX_FIELDS, None), (MAX_FIELDS + 1, "bad-response")):
            reader = fed(b"HTTP/1.1 204 OK\r\n" + b"A: b\r\n" * count + b"\r\n")
            self.assertEqual(cause_of(reader), cause)

    def test_interim_answers_that_never_end_are_refused(self) -> None:
        self.assertEqual(cause_of(fed(b"HTTP/1.1 102 Wait\r\n\r\n" * 300)), "bad-response")

    def test_interim_answers_are_counted_for_each_answer_however_they_are_taken(self) -> None:
        wait = b"HTTP/1.1 102 Wait\r\n\r\n"
        reader = ResponseReader()
        for _ in range(3):
            reader.expect(is_head=False)
            for _ in range(MAX_INTERIM):
                reader.feed(wait)
                reader.interim.clear()
            reader.feed(OK)
            self.assertEqual((reader.error, reader.complete), (None, True))
        reader.expect(is_head=False)
        for _ in range(MAX_INTERIM + 1):
            reader.feed(wait)
            reader.interim.clear()
        self.assertEqual(cause_of(reader), "bad-response")

    def test_trailers_and_chunk_extensions_that_never_end_are_refused(self) -> None:
        for start, endless in ((b"0\r\n", b"A: b\r\n"), (b"1;", b"xxxx"), (b"0\r\n", b"name")):
            reader = fed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + start)
            taken = 0
            while reader.error is None:
                reader.feed(endless * 500)
                taken += len(endless) * 500
                self.assertLess(taken, MAX_HEAD_BYTES + 2 * SEGMENT)
            self.assertFalse(reader.complete)

    def test_bodies_have_no_limit(self) -> None:
        reader = fed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            reader.feed(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
            reader.chunks.clear()
        self.assertIsNone(reader.error)

    def test_many_answers_on_one_connection_do_not_add_up(self) -> None:
        reader = ResponseReader()
        for is_head in (True, False) * 100:
            reader.expect(is_head)
            data = self.head(10_000)
            reader.feed(data[:-3] if is_head else data)
            self.assertEqual((reader.error, reader.complete), (None, True))


class SwitchTests(SynchronousTestCase):
    OFFER = Offer((b"chat/1",))
    HEAD = b"HTTP/1.1 101 Now\r\nConnection: upgrade\r\nUpgrade: chat/1\r\nX: y\r\n\r\n"

    def reader(self, *data: bytes) -> ResponseReader:
        reader = ResponseReader()
        reader.expect(False)
        reader.offer = self.OFFER
        for piece in data:
            reader.feed(piece)
        return reader

    def test_one_that_was_offered_is_told_with_what_follows(self) -> None:
        for rest in (b"", b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 300_000):
            reader = self.reader(self.HEAD + rest)
            self.assertEqual((reader.switched, reader.reason, reader.lines), (b"chat/1", b"Now", b"X: y\r\n"))
            self.assertEqual((reader.rest == rest, reader.error, reader.status), (True, None, 0))

    def test_it_may_come_in_pieces_and_after_interim_answers(self) -> None:
        early = b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
        reader = self.reader(*(bytes((byte,)) for byte in early + self.HEAD))
        self.assertEqual((reader.switched, reader.rest, len(reader.interim)), (b"chat/1", b"", 1))

    def test_one_that_was_not_is_a_bad_response(self) -> None:
        for head in (self.HEAD.replace(b"chat/1", b"chat/2"), self.HEAD.replace(b"Connection: upgrade\r\n", b"")):
            reader = self.reader(head)
            assert reader.error is not None
            self.assertEqual((reader.switched, reader.error.cause.code), (b"", "bad-response"))

    def test_an_ordinary_answer_is_read_as_ever(self) -> None:
        reader = self.reader(b"HTTP/1.1 200 OK\r\nUpgrade: chat/1\r\nContent-Length: 3\r\n\r\nabc")
        self.assertEqual((reader.switched, reader.status, body_of(reader)), (b"", 200, b"abc"))


class SplitTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(st.data(), responses())
    def test_well_formed_answers_are_read_as_they_were_written_whatever_the_pieces(
        self, data: st.DataObject, wire: Wire
    ) -> None:
        reader = fed(*pieces(wire.data, data.draw(cuts(len(wire.data)))))
        self.assertIsNone(reader.error)
        self.assertEqual((b"%d" % reader.status, reader.reason), wire.start)
        fields = [(name, value.strip(b" \t")) for name, value in split_lines(reader.lines)]
        self.assertEqual(fields, response_fields(wire.fields))
        self.assertEqual((body_of(reader), reader.complete, reader.excess), (wire.body, True, False))
        self.assertEqual([(name, value.strip(b" \t")) for name, value in reader.trailers], wire.trailers)

    @settings(deadline=None, max_examples=300)
    @given(st.data(), spoiled(responses()), st.booleans())
    def test_malformed_answers_come_to_the_same_whatever_the_pieces(
        self, data: st.DataObject, stream: bytes, is_head: bool
    ) -> None:
        whole = fed(stream, is_head=is_head)
        split = fed(*pieces(stream, data.draw(cuts(len(stream)))), is_head=is_head)
        self.assertEqual(shown(split), shown(whole))
        # What follows the head of an answer to HEAD may look like the end of its body.
        self.assertEqual(split.excess or is_head, whole.excess or is_head)

    @settings(deadline=None, max_examples=300)
    @given(st.lists(st.binary(max_size=80)), st.booleans())
    def test_reading_never_raises(self, stream: list[bytes], is_head: bool) -> None:
        reader = fed(*stream, is_head=is_head)
        self.assertFalse(reader.complete and reader.error is not None)


class DifferentialTests(SynchronousTestCase):
    """What is let through is read alike by h11."""

    @settings(deadline=None, max_examples=300)
    @given(st.one_of(spoiled(responses()), responses().map(lambda wire: wire.data)), st.booleans())
    @example(b"HTTP/1.1 200 OK\r\n\r\nabc", False)
    def test_an_answer_is_read_as_h11_reads_it_or_refused(self, data: bytes, is_head: bool) -> None:
        reader = fed(data, is_head=is_head)
        at_end = reader.until_close
        if reader.error is not None or not (reader.complete or at_end) or reader.status >= 1000:
            return
        status = b"%d" % reader.status
        ours = Reading(
            (status, reader.reason, b""), as_h11(split_lines(reader.lines)), body_of(reader), as_h11(reader.trailers)
        )
        theirs = h11_response(self.before_h11(data), b"HEAD" if is_head else b"GET", at_end)
        assert theirs is not None
        self.assertEqual(ours, theirs._replace(start=(*theirs.start[:2], b""), fields=response_fields(theirs.fields)))

    def before_h11(self, data: bytes) -> bytes:
        """h11 takes no empty lines before an answer; they are harmless."""
        return data.lstrip(b"\r\n")

    def test_the_oracle_refuses_what_it_should(self) -> None:
        with self.assertRaises(h11.RemoteProtocolError):
            h11_response(REFUSED["two lengths"])
