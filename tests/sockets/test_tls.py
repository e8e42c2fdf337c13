"""What is told of the other end and of failures."""

from __future__ import annotations

import ssl

from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets.tls import CUT, NOT_VERIFIED, ClientTls, TlsFailed
from apigateway.testing.certificates import Authority
from tests.sockets.secure import trusting


class FailureTests(SynchronousTestCase):
    def test_it_is_a_lost_connection_with_a_reason(self) -> None:
        why = TlsFailed(CUT)
        self.assertIsInstance(why, ConnectionLost)
        self.assertEqual((why.reason, str(why), str(TlsFailed(CUT, "gone"))), (CUT, "connection cut", "gone"))

    def test_what_openssl_says_is_kept(self) -> None:
        error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
        error.reason = "WRONG_VERSION_NUMBER"
        self.assertEqual(TlsFailed.because(error).reason, "WRONG_VERSION_NUMBER")
        self.assertEqual(str(TlsFailed.because(ssl.SSLError("odd"))), str(ssl.SSLError("odd")))

    def test_whatever_verify_raises_is_a_failure_to_verify(self) -> None:
        why = TlsFailed.because(ValueError("not my friend"))
        self.assertEqual((why.reason, str(why)), (NOT_VERIFIED, "not my friend"))
        self.assertIs(TlsFailed.because(why), why)


class ClientTests(SynchronousTestCase):
    def test_it_shows_what_came_of_it(self) -> None:
        tls = ClientTls(trusting(Authority()), "shop")
        self.assertEqual(repr(tls), "<ClientTls shop handshakes=0 resumed=0>")

    def test_no_session_is_kept_where_there_is_none(self) -> None:
        tls = ClientTls(trusting(Authority()), "shop")
        tls.keep_session(None)
        tls.forget_session()
        self.assertIsInstance(tls.begin(ssl.MemoryBIO(), ssl.MemoryBIO()), ssl.SSLObject)
