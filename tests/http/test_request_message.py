"""A request as far as it has arrived."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.heads import RequestHead
from apigateway.http.request_message import CRUMB, MOST_PIECES, RequestMessage


def message(*chunks: bytes) -> RequestMessage:
    """One with these pieces of a body."""
    made = RequestMessage(RequestHead(b"PUT", b"/", 1, [], [], {}))
    made.chunks += chunks
    made.gather()
    return made


class GatherTests(SynchronousTestCase):
    def test_a_few_pieces_stay_as_they_came(self) -> None:
        self.assertEqual(message(*[b"a"] * MOST_PIECES).chunks, [b"a"] * MOST_PIECES)

    def test_many_become_one(self) -> None:
        self.assertEqual(message(*[b"ab"] * (MOST_PIECES + 1)).chunks, [b"ab" * (MOST_PIECES + 1)])

    def test_whether_they_were_crumbs_is_remembered(self) -> None:
        few = message(*[b"a" * CRUMB] * MOST_PIECES)
        small = message(*[b"a" * (CRUMB - 1)] * (MOST_PIECES + 1))
        large = message(*[b"a" * CRUMB] * (MOST_PIECES + 1))
        self.assertEqual([few.is_crumbs, small.is_crumbs, large.is_crumbs], [False, True, False])
