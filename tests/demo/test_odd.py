"""The demo's odd pages: slow, failing, large, and the one that shows what arrived."""

from __future__ import annotations

import hashlib

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from apigateway.demo.product import product_site
from tests.demo.asking import Answer, Connection, ask


class OddPageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.site = product_site(self.clock)

    def ask(self, method: str, path: str, body: object = b"", **fields: str) -> Answer:
        return ask(self.site, method, path, body, **fields)

    def test_the_slow_page_answers_after_as_many_seconds_as_asked(self) -> None:
        connection = Connection(self.site, "GET", "/api/slow?seconds=3")
        self.clock.advance(2.9)
        self.assertEqual(connection.answer().status, 0)
        self.clock.advance(0.1)
        self.assertEqual(connection.answer().status, 200)

    def test_the_slow_page_forgets_a_client_that_went_away(self) -> None:
        connection = Connection(self.site, "GET", "/api/slow?seconds=3")
        connection.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_number_that_is_none_or_out_of_bounds_is_made_to_fit(self) -> None:
        for asked, slept in (("x", 2), ("-1", 0), ("1e9", 300)):
            Connection(self.site, "GET", f"/api/slow?seconds={asked}")
            (call,) = self.clock.getDelayedCalls()
            self.assertEqual(call.getTime() - self.clock.seconds(), slept)
            call.cancel()

    def test_the_failing_page_fails_as_asked(self) -> None:
        self.assertEqual(self.ask("GET", "/api/fail").status, 500)
        self.assertEqual(self.ask("POST", "/api/fail?status=503").status, 503)

    def test_a_download_of_nothing_and_the_head_of_one_have_no_body(self) -> None:
        nothing, head = self.ask("GET", "/api/download?bytes=0"), self.ask("HEAD", "/api/download?bytes=7")
        self.assertEqual((nothing.fields["content-length"], nothing.body), ("0", b""))
        self.assertEqual((head.fields["content-length"], head.body), ("7", b""))

    def test_an_upload_is_answered_with_its_length_and_checksum(self) -> None:
        body = b"x" * 300_000
        expected = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        for method in ("POST", "PUT"):
            self.assertEqual(self.ask(method, "/api/upload", body).value(), expected)

    def test_the_headers_page_shows_the_request_as_it_arrived(self) -> None:
        shown = self.ask("GET", "/api/headers?a=1", **{"X-Twice": "one"}).value()
        self.assertEqual((shown["method"], shown["uri"]), ("GET", "/api/headers?a=1"))
        self.assertIn(["X-Twice", "one"], shown["headers"])
