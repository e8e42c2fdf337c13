"""The head of a request that was matched: what is heeded, what goes along, and when another reader has to judge."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.heads import RequestHead
from apigateway.http.ordinary import match_request
from apigateway.http.ordinary_head import ordinary_head
from apigateway.http.request_reader import HeadLimits


def head_of(*lines: bytes, target: bytes = b"/a", limits: HeadLimits | None = None) -> RequestHead | None:
    found = match_request(b"\r\n".join([b"POST %b HTTP/1.1" % target, *lines, b"", b""]))
    assert found is not None
    return ordinary_head(found.groups(), limits or HeadLimits())


class OrdinaryHeadTests(SynchronousTestCase):
    def test_it_has_the_fields_that_are_heeded_and_the_lines_of_all_others(self) -> None:
        head = head_of(b"A: 1", b"Host: h", b"B: 2", b"Connection: close", b"Content-Length: 3", b"C: 4")
        assert head is not None
        self.assertEqual((head.method, head.target, head.keep_alive, head.length), (b"POST", b"/a", False, 3))
        self.assertEqual(head.special, {b"host": b"h", b"connection": b"close", b"content-length": b"3"})
        self.assertEqual(head.lines, b"A: 1\r\nB: 2\r\nC: 4\r\n")

    def test_a_host_alone_is_enough(self) -> None:
        head = head_of(b"Host: h", b"A: 1")
        assert head is not None
        self.assertEqual(
            (head.special, head.lines, head.keep_alive, head.length), ({b"host": b"h"}, b"A: 1\r\n", True, 0)
        )

    def test_another_reader_judges_repetitions_a_missing_host_and_what_exceeds_limits(self) -> None:
        for lines in ((b"Host: a", b"Host: b"), (b"Host: a", b"Content-Length: 1", b"Content-Length: 1"),
                      (b"Connection: close",)):  # fmt: skip
            self.assertIsNone(head_of(*lines), lines)
        few = HeadLimits(fields=5, uri=10)
        self.assertIsNotNone(head_of(b"Host: h", b"A: 1", b"B: 2", limits=few))
        self.assertIsNone(head_of(b"Host: h", b"A: 1", b"B: 2", b"C: 3", limits=few))
        self.assertIsNone(head_of(b"Host: h", target=b"/1234567890", limits=few))
