"""Certificates and keys in PEM, found in text and loaded into contexts."""

from __future__ import annotations

import gc
import os
import ssl

from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets import pem
from apigateway.sockets.pem import PasswordError, certificates_in, identify, trust
from apigateway.testing.certificates import Authority


def context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class PemTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authority = Authority()
        self.issued = self.authority.intermediate().server("orders")

    def test_certificates_are_found_between_other_text(self) -> None:
        text = b"# Ein B\xc3\xbcndel\n" + self.issued.pem + b"\xff" + self.authority.pem + self.issued.key_pem()
        found = certificates_in(text)
        self.assertEqual(b"".join(found), self.issued.pem + self.authority.pem)
        self.assertEqual(certificates_in(b"no certificate"), [])

    def test_a_bundle_with_text_in_it_is_trusted(self) -> None:
        trusting = context()
        trust(trusting, b"# \xff\n" + self.authority.pem + Authority("Two").pem)
        self.assertEqual(trusting.cert_store_stats()["x509"], 2)

    def test_what_only_looks_like_a_certificate_is_refused(self) -> None:
        broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        self.assertRaises(ssl.SSLError, trust, context(), broken)

    def test_certificate_and_key_in_one_text_or_in_two(self) -> None:
        identify(context(), self.issued.pem, self.issued.key_pem())
        identify(context(), self.issued.pem + self.issued.key_pem())

    def test_where_memory_can_be_no_file_it_is_one_on_disk_for_a_moment(self) -> None:
        self.patch(pem, "os", object())
        identify(context(), self.issued.pem, self.issued.key_pem())

    def test_nobody_is_asked_for_a_password(self) -> None:
        self.assertRaises(PasswordError, identify, context(), self.issued.pem, self.issued.key_pem("secret"))

    def test_what_does_not_belong_together_is_refused(self) -> None:
        other = self.authority.server("orders")
        error = self.assertRaises(ssl.SSLError, identify, context(), self.issued.pem, other.key_pem())
        self.assertEqual(error.reason, "KEY_VALUES_MISMATCH")

    def test_nothing_stays_open(self) -> None:
        gc.collect()  # what other tests left must not go between
        before = os.listdir("/proc/self/fd")
        identify(context(), self.issued.pem, self.issued.key_pem())
        self.assertRaises(ssl.SSLError, identify, context(), self.issued.pem, b"no key")
        self.assertEqual(os.listdir("/proc/self/fd"), before)

    def test_what_is_cut_off_or_holds_something_else_is_left_out(self) -> None:
        begin, end = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"
        text = begin + b"AAAA" + begin + b"B(B" + end + self.authority.pem + begin + b"CC"
        self.assertEqual(certificates_in(text), [self.authority.pem])
