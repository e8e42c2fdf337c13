"""Heads and exchanges made by hand are like those that a listener makes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import GatewayError
from apigateway.http.heads import CHUNKED
from apigateway.testing.downstream import RecordingDownstream
from apigateway.testing.exchanges import exchange_for, request_head


class RequestHeads(SynchronousTestCase):
    def test_a_plain_request(self):
        head = request_head("GET", "/a?b", [(b"Accept", b"*/*")])
        self.assertEqual((head.method, head.path, head.query, head.minor, head.length), (b"GET", b"/a", b"b", 1, 0))
        self.assertEqual(head.fields, [(b"Host", b"gateway.example"), (b"Accept", b"*/*")])
        self.assertEqual(head.plain, [(b"Accept", b"*/*")])

    def test_framing_follows_the_length(self):
        self.assertEqual(request_head("PUT", length=5).special[b"content-length"], b"5")
        self.assertEqual(request_head("PUT", length=CHUNKED).special[b"transfer-encoding"], b"chunked")
        given = request_head("PUT", fields=[(b"host", b"h"), (b"content-length", b"7")])
        self.assertEqual((given.length, given.fields), (7, [(b"host", b"h"), (b"content-length", b"7")]))

    def test_http_1_0(self):
        head = request_head(minor=0)
        self.assertEqual((head.minor, head.keep_alive), (0, False))

    def test_what_a_listener_refuses_is_refused(self):
        self.assertRaises(GatewayError, request_head, "GET", "no-path")


class Exchanges(SynchronousTestCase):
    def test_an_exchange_has_begun_and_is_connected_to_its_client(self):
        exchange = exchange_for("POST", "/x", client="192.0.2.9", body=b"abc", secure=True, now=lambda: 3.0)
        self.assertEqual((exchange.peer, exchange.client, exchange.secure), ("192.0.2.9", "192.0.2.9", True))
        self.assertEqual((exchange.started, exchange.head.length), (3.0, 3))
        self.assertIs(exchange.downstream.exchange, exchange)

    def test_a_chunked_body_has_no_length(self):
        self.assertEqual(exchange_for("POST", chunked=True).head.length, CHUNKED)

    def test_the_client_side_may_be_given(self):
        downstream = RecordingDownstream()
        self.assertIs(exchange_for(downstream=downstream).downstream, downstream)
