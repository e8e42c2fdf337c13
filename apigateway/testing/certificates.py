"""Certificates for tests, made on the spot: an authority, and what it issues to servers and clients.

Real X.509 with keys on P-256, good for OpenSSL and `service-identity`; the keys guard nothing. Knows no sockets and no
TLS. What a test wants to be wrong with a certificate it asks for: names, times, an authority that nobody trusts, an
authority in between, or none at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FOR_SERVERS = ExtendedKeyUsageOID.SERVER_AUTH
FOR_CLIENTS = ExtendedKeyUsageOID.CLIENT_AUTH

DAY = timedelta(days=1)


class Files(NamedTuple):
    """Where a certificate and its key were written."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Issued:
    """A certificate with its key. `chain` are the authorities between it and the root, the nearest first."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    def __repr__(self) -> str:
        return f"<Issued {self.certificate.subject.rfc4514_string()}>"

    @property
    def pem(self) -> bytes:
        """The certificate and the chain, as a server's file has them."""
        return b"".join(one.public_bytes(Encoding.PEM) for one in (self.certificate, *self.chain))

    @property
    def der(self) -> bytes:
        """The certificate alone, as it stands on the wire."""
        return self.certificate.public_bytes(Encoding.DER)

    def key_pem(self, password: str = "") -> bytes:
        """The key in PKCS #8, encrypted where there is a password."""
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)

    def write(self, folder: str | Path, stem: str = "server") -> Files:
        """Write `STEM.pem` (with the chain) and `STEM.key` into a folder, over what is there; their paths."""
        place = Path(folder)
        (place / f"{stem}.pem").write_bytes(self.pem)
        (place / f"{stem}.key").write_bytes(self.key_pem())
        return Files(str(place / f"{stem}.pem"), str(place / f"{stem}.key"))

    def write_together(self, folder: str | Path, name: str = "server-and-key.pem") -> str:
        """Write certificate, chain and key into one file; its path."""
        path = Path(folder, name)
        path.write_bytes(self.pem + self.key_pem())
        return str(path)


class Authority:
    """Issues certificates. They are valid from a day ago for thirty days, unless `start` and `end` say otherwise."""

    def __init__(self, name: str = "Test Authority", issued: Issued | None = None) -> None:
        self._issued = issued or _make(name, _authority_extensions)

    def __repr__(self) -> str:
        return f"<Authority {self.certificate.subject.rfc4514_string()}>"

    @property
    def certificate(self) -> x509.Certificate:
        """Its own certificate."""
        return self._issued.certificate

    @property
    def pem(self) -> bytes:
        """Its own certificate, as a bundle of authorities has it."""
        return self.certificate.public_bytes(Encoding.PEM)

    def write(self, folder: str | Path, name: str = "ca.pem") -> str:
        """Write a bundle with this authority alone; its path."""
        path = Path(folder, name)
        path.write_bytes(self.pem)
        return str(path)

    def server(self, *names: str, start: datetime | None = None, end: datetime | None = None) -> Issued:
        """A server's certificate for names, `*.` names and addresses; without any it names nobody."""
        return self._issue(names[0] if names else "nobody", partial(_leaf_extensions, names, FOR_SERVERS), start, end)

    def expired(self, *names: str) -> Issued:
        """A server's certificate that ended an hour ago."""
        return self.server(*names, end=_now() - timedelta(hours=1))

    def not_yet_valid(self, *names: str) -> Issued:
        """A server's certificate that begins tomorrow."""
        return self.server(*names, start=_now() + DAY)

    def client(self, subject: str, *names: str, start: datetime | None = None, end: datetime | None = None) -> Issued:
        """A client's certificate with `subject` as its common name, and with alternative names where some are given."""
        return self._issue(subject, partial(_leaf_extensions, names, FOR_CLIENTS), start, end)

    def intermediate(self, name: str = "Test Intermediate") -> Authority:
        """An authority below this one; what it issues carries its certificate as chain."""
        return Authority(name, self._issue(name, _authority_extensions, None, None))

    def _issue(self, name: str, extend: _Extend, start: datetime | None, end: datetime | None) -> Issued:
        above = self._issued
        is_root = above.certificate.issuer == above.certificate.subject
        issued = _make(name, extend, above, start, end)
        return Issued(issued.certificate, issued.key, () if is_root else (above.certificate, *above.chain))


def self_signed(*names: str, start: datetime | None = None, end: datetime | None = None) -> Issued:
    """A server's certificate that no authority has issued."""
    return _make(names[0] if names else "nobody", partial(_leaf_extensions, names, FOR_SERVERS), None, start, end)


_Extensions = Sequence[tuple[x509.ExtensionType, bool]]
_Extend = Callable[[], _Extensions]


def _make(
    name: str,
    extend: _Extend,
    issuer: Issued | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Issued:
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signing, above = (key, subject) if issuer is None else (issuer.key, issuer.certificate.subject)
    begin = start or min(_now(), end or _now()) - DAY
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end or begin + 31 * DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), False)
    )
    for extension, critical in extend():
        builder = builder.add_extension(extension, critical)
    return Issued(builder.sign(signing, SHA256()), key)


def _authority_extensions() -> _Extensions:
    return ((x509.BasicConstraints(ca=True, path_length=None), True), (_usage(signs_certificates=True), True))


def _leaf_extensions(names: Sequence[str], purpose: x509.ObjectIdentifier) -> _Extensions:
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([purpose]), False),
    ]
    if names:
        found.append((x509.SubjectAlternativeName([_general_name(name) for name in names]), False))
    return found


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
