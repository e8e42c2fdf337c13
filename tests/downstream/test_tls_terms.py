"""How TLS is to be spoken, as values."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.tls_terms import ClientTerms, KeyPair, TlsTerms


class TermsTests(SynchronousTestCase):
    def test_neither_keys_nor_certificates_are_shown(self) -> None:
        terms = TlsTerms((KeyPair("a.pem", b"CERTIFICATE", b"SECRET"),), clients=ClientTerms(b"AUTHORITIES"))
        for hidden in ("CERTIFICATE", "SECRET", "AUTHORITIES"):
            self.assertNotIn(hidden, repr(terms))

    def test_another_key_makes_other_terms(self) -> None:
        self.assertNotEqual(TlsTerms((KeyPair("a.pem", b"c", b"1"),)), TlsTerms((KeyPair("a.pem", b"c", b"2"),)))
