"""What a request may offer to switch to, and which answer takes it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import GatewayError
from apigateway.http.heads import CHUNKED, RequestHead
from apigateway.http.upgrade import Offer, offer, offered, proof_of, taken
from apigateway.interfaces import Fields
from apigateway.testing.exchanges import request_head

KEY, PROOF = b"dGhlIHNhbXBsZSBub25jZQ==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
ALLOWED = frozenset((b"websocket", b"chat/1"))


def asked(upgrade: bytes, connection: bytes = b"Upgrade", method: str = "GET", **more: int) -> RequestHead:
    """A request with these two fields."""
    fields = [(b"Upgrade", upgrade), (b"Connection", connection), (b"Sec-WebSocket-Key", KEY)]
    return request_head(method, "/", fields, **more)


class OfferedTests(SynchronousTestCase):
    def test_names_are_compared_without_case_and_keep_their_order(self) -> None:
        self.assertEqual(offered(asked(b"WebSocket ,Chat/1,, x")), (b"websocket", b"chat/1", b"x"))

    def test_connection_must_name_it(self) -> None:
        for connection, expected in ((b"keep-alive, UPGRADE", 1), (b"keep-alive", 0), (b"x-upgrade", 0)):
            self.assertEqual(len(offered(asked(b"x", connection))), expected)
        self.assertEqual(offered(request_head(fields=[(b"Upgrade", b"x")])), ())
        self.assertEqual(offered(request_head(fields=[(b"Connection", b"upgrade")])), ())

    def test_nothing_that_would_hide_requests_is(self) -> None:
        for name in (b"h2c", b"H2C", b"h2", b"HTTP/2.0", b"http", b"TLS/1.2", b"tls"):
            self.assertEqual(offered(asked(name)), ())

    def test_some_requests_cannot(self) -> None:
        self.assertEqual(offered(asked(b"x", length=3)), ())
        self.assertEqual(offered(asked(b"x", length=CHUNKED)), ())
        self.assertEqual(offered(asked(b"x", minor=0)), ())
        self.assertEqual(offered(asked(b"x", method="HEAD")), ())
        self.assertEqual(offered(asked(b"x", method="POST")), (b"x",))
        head = asked(b"x")
        head.keep_alive = False
        self.assertEqual(offered(head), ())


class OfferTests(SynchronousTestCase):
    def test_what_is_allowed_goes_on(self) -> None:
        made = offer(asked(b"h2c, Chat/1, other"), ALLOWED)
        assert made is not None
        self.assertEqual((made.protocols, made.proof), ((b"chat/1",), b""))
        self.assertEqual(made.lines, b"Connection: Upgrade\r\nUpgrade: chat/1\r\n")

    def test_where_that_is_nothing_there_is_no_offer(self) -> None:
        for head in (asked(b"other"), asked(b"h2c"), asked(b"chat"), request_head()):
            self.assertIsNone(offer(head, ALLOWED))

    def test_a_websocket_is_asked_for_with_get_and_proves_itself(self) -> None:
        made = offer(asked(b"websocket"), ALLOWED)
        self.assertEqual(made and made.proof, PROOF)
        self.assertIsNone(offer(asked(b"websocket", method="POST"), ALLOWED))
        both = offer(asked(b"websocket, chat/1", method="POST"), ALLOWED)
        self.assertEqual(both and both.protocols, (b"chat/1",))

    def test_the_proof_is_that_of_the_standard(self) -> None:
        self.assertEqual(proof_of(KEY), PROOF)


SWITCH: Fields = [(b"CONNECTION", b"keep-alive, upgrade"), (b"upgrade", b" Chat/1 "), (b"X", b"y")]
SOCKET: Fields = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"), (b"Sec-WebSocket-Accept", PROOF)]


class TakenTests(SynchronousTestCase):
    def refused(self, made: Offer | None, fields: Fields) -> str:
        error: GatewayError = self.assertRaises(GatewayError, taken, made, fields)
        self.assertEqual(error.cause.code, "bad-response")
        return error.detail

    def test_it_is_one_of_those_offered(self) -> None:
        made = Offer((b"websocket", b"chat/1"), PROOF)
        self.assertEqual((taken(made, SWITCH), taken(made, SOCKET)), (b"chat/1", b"websocket"))

    def test_without_an_offer_nothing_is(self) -> None:
        self.assertIn("without being asked", self.refused(None, SWITCH))

    def test_it_is_exactly_one(self) -> None:
        made = Offer((b"chat/1", b"x"))
        for name in (b"chat/2", b"chat/1, x", b"", b"h2c"):
            self.assertIn("not offered", self.refused(made, [SWITCH[0], (b"Upgrade", name)]))
        self.assertIn("not offered", self.refused(made, [*SWITCH, (b"Upgrade", b"x")]))
        self.assertIn("not offered", self.refused(made, [SWITCH[0]]))

    def test_it_is_said_in_connection(self) -> None:
        self.assertIn("Connection", self.refused(Offer((b"chat/1",)), [SWITCH[1]]))
        self.assertEqual(taken(Offer((b"chat/1",)), [(b"Connection", b"x"), *SWITCH]), b"chat/1")

    def test_there_is_no_body(self) -> None:
        made = Offer((b"chat/1",))
        self.assertIn("body", self.refused(made, [*SWITCH, (b"Content-Length", b"3")]))
        self.assertIn("body", self.refused(made, [*SWITCH, (b"Transfer-Encoding", b"chunked")]))
        self.assertEqual(taken(made, [*SWITCH, (b"Content-Length", b"0")]), b"chat/1")

    def test_a_websocket_proves_itself_once(self) -> None:
        made = Offer((b"websocket",), PROOF)
        for fields in (SOCKET[:2], [*SOCKET, SOCKET[2]], [*SOCKET[:2], (b"Sec-WebSocket-Accept", PROOF.lower())]):
            self.assertIn("not the one", self.refused(made, fields))
