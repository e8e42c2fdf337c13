"""What clients send by the names of the gateway's own fields nobody sees."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.heads import RequestHead
from apigateway.http.lines import join_lines
from apigateway.routing.certified import Certified
from apigateway.routing.identity import Identity
from apigateway.testing.exchanges import exchange_for

NAMES = frozenset((b"x-client-subject", b"x-print"))
OWN = [(b"X-Client-Subject", b"CN=alice")]

spellings = st.lists(st.booleans(), min_size=16, max_size=16)


def spelled(name: bytes, choices: list[bool]) -> bytes:
    """The name, with other cases and underscores."""
    pieces = [bytes([byte]) for byte in name]
    turned = [piece.replace(b"-", b"_") if piece == b"-" else piece.upper() for piece in pieces]
    return b"".join(new if choice else old for new, old, choice in zip(turned, pieces, choices, strict=False))


class CertifiedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.certified = Certified(Identity([], lambda bits: 1), NAMES)

    def judged(self, fields: list[tuple[bytes, bytes]], own: Any = ()) -> RequestHead:
        exchange = exchange_for("GET", "/", fields)
        exchange.downstream.certificate_fields = own  # type: ignore[attr-defined]  # as a channel has them
        self.certified(exchange)
        self.assertTrue(exchange.request_id)
        return exchange.head

    @settings(deadline=None)
    @given(spellings, st.booleans())
    def test_no_spelling_of_them_gets_through(self, choices: list[bool], is_looked_at: bool) -> None:
        forged = (spelled(b"x-client-subject", choices), b"CN=root")
        exchange = exchange_for("GET", "/", [forged, (b"Accept", b"*/*")])
        if is_looked_at:
            exchange.head.get(b"accept")
        self.certified(exchange)
        for seen in (exchange.head.plain, exchange.head.fields):
            self.assertNotIn(b"CN=root", [value for _, value in seen])
        self.assertNotIn(b"root", exchange.head.lines)
        self.assertIsNone(exchange.head.get(b"x-client-subject"))
        self.assertEqual(exchange.head.get(b"accept"), b"*/*")

    def test_the_clients_own_take_their_place_and_policies_see_them(self) -> None:
        head = self.judged([(b"x_client_subject", b"CN=root"), (b"X-Print", b"0"), (b"Accept", b"*/*")], OWN)
        self.assertEqual(head.lines, b"Accept: */*\r\nX-Client-Subject: CN=alice\r\n")
        self.assertEqual((head.get(b"x-client-subject"), head.get(b"x-print")), (b"CN=alice", None))

    def test_once_more_changes_nothing(self) -> None:
        exchange = exchange_for("GET", "/", [(b"Accept", b"*/*")])
        exchange.downstream.certificate_fields = OWN  # type: ignore[attr-defined]  # as a channel has them
        for _ in range(2):
            self.certified(exchange)
        self.assertEqual(exchange.head.lines, b"Accept: */*\r\nX-Client-Subject: CN=alice\r\n")

    def test_a_head_that_is_made_of_lines_is_judged_as_well(self) -> None:
        lines = join_lines([(b"Accept", b"*/*"), (b"X_Client-SUBJECT", b"CN=root")])
        head = RequestHead(b"GET", b"/", 1, None, None, {b"host": b"h", b"x-print": b"0"}, lines)
        shared = head.special
        head.own(NAMES, OWN)
        self.assertEqual(head.lines, b"Accept: */*\r\nX-Client-Subject: CN=alice\r\n")
        self.assertEqual((head.get(b"x-print"), head.get(b"host"), shared[b"x-print"]), (None, b"h", b"0"))

    def test_it_trusts_whom_the_identity_trusts(self) -> None:
        self.assertFalse(self.certified.trusts("10.0.0.1"))
