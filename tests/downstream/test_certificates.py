"""Which certificate a client gets, and what is said of those that end."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import CertificateBuilder
from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.certificates import DAY_S, ROTATE_S, SOON_DAYS, Certificates, validity_of
from apigateway.downstream.tls_terms import ClientTerms, KeyPair, TlsTerms
from apigateway.testing.certificates import Authority, Issued
from tests.downstream.secure import pair

AUTHORITY = Authority()


def with_rsa(issued: Issued) -> KeyPair:
    """The same certificate, signed by nobody in particular, with another kind of key."""
    key, old = rsa.generate_private_key(65537, 2048), issued.certificate
    builder = CertificateBuilder(
        old.issuer, old.subject, key.public_key(), 7, old.not_valid_before_utc, old.not_valid_after_utc
    )
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    made = builder.sign(key, hashes.SHA256())
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return KeyPair("rsa.pem", made.public_bytes(Encoding.PEM), key_pem)


class ChoiceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.time = 0.0

    def certificates(self, *names: tuple[str, ...], clients: ClientTerms | None = None) -> Certificates:
        pairs = tuple(pair(AUTHORITY.server(*one), f"{number}.pem") for number, one in enumerate(names))
        return Certificates(TlsTerms(pairs, clients=clients), lambda: self.time)

    def test_the_name_decides_and_the_first_is_for_all_others(self) -> None:
        found = self.certificates(("a.example", "www.a.example"), ("*.b.example",), ("x.b.example", "B.EXAMPLE"))
        first, wild, exact = (found.choose(name) for name in ("a.example", "any.b.example", "b.example"))
        self.assertEqual(len({first, wild, exact}), 3)
        for name, context in (
            ("www.a.example", first), (None, first), ("other.example", first), ("a.b.b.example", first),
            ("x.b.example", exact), ("y.b.example", wild), ("", first), ("*.b.example", wild),
        ):  # fmt: skip
            self.assertIs(found.choose(name), context, name)

    def test_a_certificate_for_no_name_is_only_ever_the_first(self) -> None:
        found = self.certificates((), ("a.example",))
        self.assertIsNot(found.choose("nobody"), found.choose("a.example"))
        self.assertEqual(found.all[0].names, ())

    def test_two_kinds_of_keys_for_the_same_names_share_a_context(self) -> None:
        issued = AUTHORITY.server("a.example")
        found = Certificates(TlsTerms((pair(issued), with_rsa(issued), pair(issued))), lambda: 0.0)
        self.assertEqual(len(set(found._by_name.values())), 1)
        context, shown = found.choose("a.example"), set()
        for cipher in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"):
            client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
            client.maximum_version = ssl.TLSVersion.TLSv1_2
            client.set_ciphers(cipher)
            shown.add(certificate_shown(client, context))
        self.assertEqual(len(shown), 2)

    def test_keys_of_tickets_live_so_long_and_no_longer(self) -> None:
        found = self.certificates(("a.example",))
        before = found.choose("a.example")
        self.time = ROTATE_S - 1
        self.assertIs(found.choose("a.example"), before)
        self.time = ROTATE_S
        after = found.choose("a.example")
        self.assertIsNot(after, before)
        self.assertIs(found.choose(None), after)

    def test_clients_are_asked_for_certificates_as_wanted(self) -> None:
        wanted = [(None, ssl.CERT_NONE), (ClientTerms(AUTHORITY.pem), ssl.CERT_REQUIRED),
                  (ClientTerms(AUTHORITY.pem, required=False), ssl.CERT_OPTIONAL)]  # fmt: skip
        for clients, mode in wanted:
            self.assertEqual(self.certificates(("a",), clients=clients).choose(None).verify_mode, mode)

    def test_what_can_not_be_used_is_refused(self) -> None:
        mine, other = AUTHORITY.server("a"), AUTHORITY.server("a")
        with self.assertRaises(ssl.SSLError):
            Certificates(TlsTerms((KeyPair("a.pem", mine.pem, other.key_pem()),)), lambda: 0.0)


def certificate_shown(client: ssl.SSLContext, server: ssl.SSLContext) -> bytes | None:
    """The certificate that a server shows a client, in DER."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, there, False, "a.example"), server.wrap_bio(there, back, True)]
    for _ in range(3):
        for end in list(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[0].getpeercert(True)


class ValidityTests(SynchronousTestCase):
    def complaint(self, days: float) -> str | None:
        """What is said so many days before the end."""
        now = datetime.now(UTC).replace(microsecond=0)
        issued = AUTHORITY.server("a", start=now - timedelta(10), end=now + timedelta(days))
        return validity_of(pair(issued, "a.pem")).complaint(now.timestamp())

    def test_one_that_has_ended_or_soon_does_is_complained_of(self) -> None:
        self.assertEqual(self.complaint(-2), "a.pem has expired 2.0 days ago")
        self.assertEqual(self.complaint(SOON_DAYS - 1), "a.pem expires in 13.0 days")
        self.assertIsNone(self.complaint(SOON_DAYS))

    def test_one_that_has_not_begun_is_as_well(self) -> None:
        issued = AUTHORITY.not_yet_valid("a")
        found = validity_of(pair(issued, "a.pem"))
        wall = found.begins - DAY_S
        self.assertEqual(found.complaint(wall), "a.pem is not valid yet, for 1.0 days")

    def test_all_complaints_are_told_together(self) -> None:
        pairs = (pair(AUTHORITY.expired("a"), "old.pem"), pair(AUTHORITY.server("b"), "good.pem"))
        found = Certificates(TlsTerms(pairs), lambda: 0.0)
        (said,) = found.complaints(datetime.now(UTC).timestamp())
        self.assertTrue(said.startswith("old.pem has expired"))
        self.assertEqual(repr(found), "<Certificates old.pem good.pem>")
