"""Certificates for tests are ones that OpenSSL and service-identity judge as a test expects."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from service_identity.exceptions import CertificateError, VerificationError
from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.certificates import Authority, Issued, self_signed


def shake(server: Issued, trusted: Authority, client: Issued | None = None, folder: str = "") -> bytes:
    """A handshake in memory with OpenSSL's own verification; the client's certificate as the server saw it."""
    accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    accepting.load_cert_chain(*server.write(folder))
    connecting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    connecting.load_verify_locations(cadata=trusted.pem.decode())
    connecting.verify_flags |= ssl.VERIFY_X509_STRICT
    if client is not None:
        accepting.verify_mode = ssl.CERT_REQUIRED
        accepting.load_verify_locations(cadata=trusted.pem.decode())
        connecting.load_cert_chain(*client.write(folder, "client"))
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [connecting.wrap_bio(down, up, server_hostname="orders"), accepting.wrap_bio(up, down, server_side=True)]
    for _ in range(3):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[1].getpeercert(binary_form=True) or b""


class AuthorityTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authority = Authority()
        self.folder = self.mktemp()
        Path(self.folder).mkdir()

    def test_what_it_issues_is_trusted_by_those_who_trust_it(self) -> None:
        shake(self.authority.server("orders"), self.authority, folder=self.folder)

    def test_and_by_nobody_else(self) -> None:
        with self.assertRaises(ssl.SSLCertVerificationError) as caught:
            shake(self.authority.server("orders"), Authority("Another"), folder=self.folder)
        self.assertIn("unable to get local issuer", str(caught.exception))

    def test_an_authority_in_between_comes_with_the_chain(self) -> None:
        below = self.authority.intermediate().intermediate("Lower Still")
        server = below.server("orders")
        self.assertEqual(len(server.chain), 2)
        self.assertEqual(len(load_pem_x509_certificates(server.pem)), 3)
        shake(server, self.authority, folder=self.folder)

    def test_a_client_has_a_certificate_of_its_own(self) -> None:
        client = self.authority.client("gateway")
        self.assertEqual(shake(self.authority.server("orders"), self.authority, client, folder=self.folder), client.der)

    def test_the_certificate_of_a_client_is_none_for_a_server(self) -> None:
        with self.assertRaises(ssl.SSLCertVerificationError) as caught:
            shake(self.authority.client("orders", "orders"), self.authority, folder=self.folder)
        self.assertIn("unsuitable certificate purpose", str(caught.exception))

    def test_times_are_what_a_test_asks_for(self) -> None:
        now = datetime.now(UTC)
        expired = self.authority.expired("orders").certificate
        self.assertLess(expired.not_valid_before_utc, expired.not_valid_after_utc)
        self.assertLess(expired.not_valid_after_utc, now)
        self.assertGreater(self.authority.not_yet_valid("orders").certificate.not_valid_before_utc, now)
        soon = now.replace(microsecond=0) + timedelta(hours=2)
        self.assertEqual(self.authority.server("orders", end=soon).certificate.not_valid_after_utc, soon)

    def test_openssl_says_which_is_wrong(self) -> None:
        for server, said in (
            (self.authority.expired("orders"), "has expired"),
            (self.authority.not_yet_valid("orders"), "is not yet valid"),
            (self.authority.server("users"), "Hostname mismatch"),
            (self_signed("orders"), "self-signed"),
        ):
            with self.assertRaises(ssl.SSLCertVerificationError) as caught:
                shake(server, self.authority, folder=self.folder)
            self.assertIn(said, str(caught.exception))

    def test_names_may_have_a_wildcard_or_be_addresses(self) -> None:
        certificate = self.authority.server("*.shop.internal", "orders", "127.0.0.1", "::1").certificate
        verify_certificate_hostname(certificate, "api.shop.internal")
        verify_certificate_hostname(certificate, "orders")
        verify_certificate_ip_address(certificate, "::1")
        self.assertRaises(VerificationError, verify_certificate_hostname, certificate, "a.b.shop.internal")
        self.assertRaises(VerificationError, verify_certificate_ip_address, certificate, "127.0.0.2")

    def test_without_a_name_it_names_nobody(self) -> None:
        self.assertRaises(CertificateError, verify_certificate_hostname, self.authority.server().certificate, "nobody")

    def test_reprs_say_whose_they_are(self) -> None:
        self.assertEqual(repr(self.authority), "<Authority CN=Test Authority>")
        self.assertEqual(repr(self.authority.server("orders")), "<Issued CN=orders>")


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.authority = Authority()
        self.issued = self.authority.server("orders")

    def test_certificate_and_key_are_written_side_by_side_or_together(self) -> None:
        files = self.issued.write(self.folder, "orders")
        self.assertEqual(files, (str(self.folder / "orders.pem"), str(self.folder / "orders.key")))
        together = self.issued.write_together(self.folder)
        for loaded in (files, (together, None)):
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*loaded)

    def test_the_authority_is_written_as_a_bundle(self) -> None:
        path = self.authority.write(self.folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(path)
        self.assertEqual(context.cert_store_stats()["x509_ca"], 1)

    def test_a_key_may_have_a_password(self) -> None:
        secret = self.issued.key_pem("secret")
        self.assertRaises(TypeError, load_pem_private_key, secret, None)
        load_pem_private_key(secret, b"secret")
