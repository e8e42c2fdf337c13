"""The keys of TLS on a listener."""

from __future__ import annotations

from apigateway.config.files import FileOf
from apigateway.config.given import Given
from apigateway.config.kinds import ListOf, OrFalse, Shorthand
from apigateway.config.model.tls import Certificate, ClientCertificates, Tls
from apigateway.config.scalars import BOOLEAN, choice
from apigateway.config.tables import Table, keys_of
from apigateway.config.web import CHANGED_FIELD

AUTHORITIES = FileOf("a file of certificates in PEM")
CHAIN = FileOf("a file with a certificate in PEM, its chain, and perhaps its key")
KEY = (FileOf("a file with a private key in PEM"), "Its key, where it does not stand in the same file.")
MINIMUM = (choice("1.2", "1.3"), "The oldest version of TLS that is spoken.")

CERTIFICATE = Table(
    "certificate",
    keys_of(
        Certificate,
        certificate=(CHAIN, "With its chain."),
        key=KEY,
    ),
    Certificate,
)


def _check_fields(given: Given) -> tuple[str, str] | None:
    subject, fingerprint = given.values.get("header"), given.values.get("fingerprint_header")
    if subject and fingerprint and _spelled(subject) == _spelled(fingerprint):
        return "fingerprint_header", "is the field that `header` names already"
    return None


def _spelled(name: str) -> str:
    return name.lower().replace("_", "-")


CLIENT_CERTIFICATES = Table(
    "client_certificates",
    keys_of(
        ClientCertificates,
        ca=(AUTHORITIES, "The authorities whose certificates are accepted."),
        required=(BOOLEAN, "`false`: who shows none is served as well; who shows a bad one never is."),
        header=(OrFalse(CHANGED_FIELD), "The field that tells services the subject (RFC 4514). Clients can't send it."),
        fingerprint_header=(OrFalse(CHANGED_FIELD), "The same for the SHA-256 of the certificate, in hexadecimal."),
    ),
    ClientCertificates,
    _check_fields,
)

TLS = Table(
    "tls",
    keys_of(
        Tls,
        certificates=(
            ListOf(Shorthand("certificate", CERTIFICATE), 1),
            "Chosen by the name that the client asks for (SNI), the first where none is for it.",
        ),
        minimum=MINIMUM,
        client_certificates=(OrFalse(CLIENT_CERTIFICATES), "Clients show certificates, too."),
    ),
    Tls,
)
