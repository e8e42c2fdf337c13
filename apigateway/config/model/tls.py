"""How TLS is spoken with clients on one address."""

from __future__ import annotations

from dataclasses import dataclass

from apigateway.config.model.files import GivenFile


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its chain; `key` is None where it stands in the same file."""

    certificate: GivenFile
    key: GivenFile | None = None


@dataclass(frozen=True, slots=True)
class ClientCertificates:
    """Clients show certificates of the authorities in `ca`: all of them, or with `required` false those that have one.

    `header` carries the subject to services, `fingerprint_header` the SHA-256 of the certificate.
    """

    ca: GivenFile
    required: bool = True
    header: str | None = None
    fingerprint_header: str | None = None


@dataclass(frozen=True, slots=True)
class Tls:
    """`certificates` are chosen by the name that a client wants, the first where none is for it.

    `minimum` is "1.2" or "1.3".
    """

    certificates: tuple[Certificate, ...]
    minimum: str = "1.2"
    client_certificates: ClientCertificates | None = None
