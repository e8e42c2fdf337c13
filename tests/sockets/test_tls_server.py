"""The server's end: what it agrees to, and what it says to who speaks something else."""

from __future__ import annotations

import ssl
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets.tls import TlsFailed
from apigateway.sockets.tls_server import IN_CLEAR, NO_PROTOCOL, NOT_TLS, ServerTls, server_context
from apigateway.sockets.tls_wire import OUTGOING
from tests.sockets.test_client_hello import hello


class BeginTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[str | None] = []
        self.tls = ServerTls(self.choose, b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def choose(self, name: str | None) -> ssl.SSLContext:
        self.asked.append(name)
        return server_context(ssl.TLSVersion.TLSv1_2)

    def refused(self, data: bytes) -> tuple[str, bytes]:
        """Why, and what is said about it."""
        why = self.assertRaises(TlsFailed, self.tls.arriving(), data)
        return why.reason, OUTGOING.read()

    def test_the_context_is_that_of_the_name_that_is_wanted(self) -> None:
        for name in ("a.example", None):
            self.assertIsInstance(self.tls.arriving()(hello(name)), ssl.SSLObject)
        self.assertEqual(self.asked, ["a.example", None])

    def test_nothing_is_begun_before_the_hello_is_whole(self) -> None:
        self.assertIsNone(self.tls.arriving()(hello("a.example")[:-1]))
        self.assertEqual(self.asked, [])

    def test_who_speaks_only_other_protocols_is_told_so(self) -> None:
        self.assertEqual(self.refused(hello("a", ("h2",))), (NO_PROTOCOL, b"\x15\x03\x03\0\2\2\x78"))
        for protocols in ((), ("http/1.1",), ("h2", "http/1.1")):
            self.assertIsInstance(self.tls.arriving()(hello("a", protocols)), ssl.SSLObject)

    def test_who_speaks_http_without_tls_is_answered_in_http(self) -> None:
        self.assertEqual(self.refused(b"GET / HTTP/1.1\r\n"), (IN_CLEAR, b"HTTP/1.1 400 Bad Request\r\n\r\n"))

    def test_who_speaks_something_else_is_told_nothing(self) -> None:
        for data in (b"\0\1", b"\x80\x2e\x01\x03\x01", b"ssh-2.0", b"\x16\x03\x01\0\x04\2\0\0\0"):
            self.assertEqual(self.refused(data), (NOT_TLS, b""))


class ContextTests(SynchronousTestCase):
    def test_every_cipher_has_forward_secrecy_and_authenticates_what_it_encrypts(self) -> None:
        ciphers: list[Any] = server_context(ssl.TLSVersion.TLSv1_2).get_ciphers()
        self.assertTrue(all(one["aead"] for one in ciphers))
        older = [one["name"] for one in ciphers if one["protocol"] == "TLSv1.2"]
        self.assertTrue(older and all(name.startswith("ECDHE-") for name in older), older)

    def test_neither_old_versions_nor_renegotiation_nor_compression(self) -> None:
        context = server_context(ssl.TLSVersion.TLSv1_2)
        self.assertEqual(context.minimum_version, ssl.TLSVersion.TLSv1_2)
        self.assertEqual(context.maximum_version, ssl.TLSVersion.TLSv1_3)
        for option in (ssl.OP_NO_RENEGOTIATION, ssl.OP_NO_COMPRESSION):
            self.assertTrue(context.options & option)
