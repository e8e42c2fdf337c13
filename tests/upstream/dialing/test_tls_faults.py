"""What is said of a failure of TLS: to the client whose fault it is, in the log what to change."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets.tls import CUT, NOT_VERIFIED, TRUNCATED, TlsFailed
from apigateway.testing.certificates import Authority, self_signed
from apigateway.upstream.dialing.tls_faults import EXPIRED, MOST_NAMES, WRONG_NAME, explain


class UntrustedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authority = Authority("Some Authority")

    def why(self, code: int, issued: object = None, reason: str = "CERTIFICATE_VERIFY_FAILED") -> str:
        der = None if issued is None else issued.der  # type: ignore[attr-defined]  # an Issued
        fault = explain(TlsFailed(reason, "in OpenSSL's words", code, der), "shop")
        self.assertEqual((fault.cause.code, fault.cause.status), ("tls-untrusted", 502))
        self.assertEqual(fault.detail, "The service could not prove who it is.")
        return fault.explanation

    def test_times_are_told(self) -> None:
        expired = self.authority.expired("shop")
        end = f"{expired.certificate.not_valid_after_utc:%Y-%m-%d %H:%M}"
        self.assertIn(f"has expired, on {end} UTC", self.why(10, expired))
        self.assertIn(f"has expired, on {end} UTC", self.why(0, expired, EXPIRED))
        later = self.authority.not_yet_valid("shop")
        self.assertIn(f"{later.certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC", self.why(9, later))

    def test_who_has_issued_it_is_told(self) -> None:
        for code in (2, 20, 21):
            self.assertIn("issued by Some Authority", self.why(code, self.authority.server("shop")))

    def test_for_whom_it_is_is_told_but_not_without_end(self) -> None:
        many = self.authority.server(*(f"name{number}.internal" for number in range(MOST_NAMES + 3)))
        why = self.why(0, many, WRONG_NAME)
        self.assertIn("name0.internal", why)
        self.assertIn("and 3 more, not for shop", why)
        self.assertIn("no name at all", self.why(0, self.authority.server(), WRONG_NAME))

    def test_other_faults_have_their_words_or_openssls(self) -> None:
        for code, words in ((18, "self-signed"), (19, "authority"), (23, "revoked"), (26, "not for servers")):
            self.assertIn(words, self.why(code, self_signed("shop")))
        self.assertIn("in OpenSSL's words", self.why(66))
        self.assertIn("in OpenSSL's words", self.why(0, None, NOT_VERIFIED))

    def test_without_the_certificate_less_is_told(self) -> None:
        for code in (2, 9, 10, 18, 19, 20, 21, 23, 26):
            self.assertTrue(self.why(code))
        self.assertIn("for nobody", self.why(0, None, WRONG_NAME))

    def test_what_is_no_certificate_does_no_harm(self) -> None:
        fault = explain(TlsFailed(WRONG_NAME, "", 0, b"no certificate"), "shop")
        self.assertIn("for nobody", fault.explanation)

    @settings(deadline=None, max_examples=30)
    @given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=64).filter(lambda name: len(name.encode()) <= 64))
    def test_whatever_it_says_of_itself_is_fit_for_one_line(self, name: str) -> None:
        issued = Authority(name).server("shop")
        why = explain(TlsFailed("CERTIFICATE_VERIFY_FAILED", "", 20, issued.der), "shop").explanation
        self.assertTrue(why.isprintable())


class FailedTests(SynchronousTestCase):
    def why(self, reason: str, detail: str = "") -> str:
        fault = explain(TlsFailed(reason, detail), "shop")
        self.assertEqual((fault.cause.code, fault.cause.status), ("tls-failed", 502))
        self.assertEqual(fault.detail, "The service and the gateway did not agree on TLS.")
        return fault.explanation

    def test_what_to_change_is_told(self) -> None:
        for reason, words in (
            ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "tls.certificate"),
            ("SSLV3_ALERT_BAD_CERTIFICATE", "refuses the gateway's certificate"),
            ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "refuses the gateway's certificate"),
            ("TLSV1_ALERT_UNKNOWN_CA", "does not trust who issued"),
            ("SSLV3_ALERT_HANDSHAKE_FAILURE", "cipher"),
            ("TLSV1_ALERT_PROTOCOL_VERSION", "tls.minimum"),
            ("UNSUPPORTED_PROTOCOL", "tls.minimum"),
            ("TLSV1_UNRECOGNIZED_NAME", "tls.server_name"),
            ("TLSV1_ALERT_UNRECOGNIZED_NAME", "the name shop"),
            ("TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "HTTP/1.1"),
            ("WRONG_VERSION_NUMBER", "http://"),
            ("HTTP_REQUEST", "http://"),
            (CUT, "during the handshake"),
            (TRUNCATED, "without an end"),
        ):
            self.assertIn(words, self.why(reason), reason)

    def test_what_nobody_foresaw_is_told_in_openssls_words(self) -> None:
        self.assertIn("bad record type", self.why("BAD_RECORD_TYPE"))
        self.assertIn("a detail", self.why("SSL", "a detail"))
