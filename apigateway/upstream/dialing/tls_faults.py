"""What has gone wrong with TLS: the cause of the failed attempt, and for the log what is wrong and what to change.

Knows OpenSSL's words and numbers, and certificates; nothing of connections. Clients are told whose fault it is only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from apigateway.errors import TLS_FAILED, TLS_UNTRUSTED, Cause
from apigateway.sockets.tls import CUT, NOT_VERIFIED, TRUNCATED, TlsFailed

WRONG_NAME = "WRONG_NAME"
EXPIRED = "CERTIFICATE_EXPIRED"
"""Reasons of our own, beside those of OpenSSL and of `apigateway.sockets.tls`."""

MOST_NAMES = 5
"""So many names of a certificate are told."""

MOST_TEXT = 100
"""So much is told of each thing that a certificate says of itself."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure: its cause, a sentence for the client, and an explanation for the log."""

    cause: Cause
    detail: str
    explanation: str


def explain(failed: TlsFailed, name: str) -> Fault:
    """What has failed with the service that should be `name`."""
    if failed.reason in (WRONG_NAME, EXPIRED, NOT_VERIFIED, "CERTIFICATE_VERIFY_FAILED"):
        why = _untrusted(failed, name)
        return Fault(TLS_UNTRUSTED, "The service could not prove who it is.", f"its certificate is not trusted: {why}")
    why = _failed(failed, name)
    return Fault(TLS_FAILED, "The service and the gateway did not agree on TLS.", f"no TLS with it: {why}")


def _untrusted(failed: TlsFailed, name: str) -> str:
    found = _certificate(failed.certificate)
    if failed.reason == EXPIRED:
        return _BY_CODE[10](found)
    if failed.reason == WRONG_NAME:
        return f"it is for {_names(found)}, not for {name}; `tls.server_name` names another one"
    known = _BY_CODE.get(failed.verify_code)
    return known(found) if known else str(failed)


def _unknown_issuer(found: x509.Certificate | None) -> str:
    issuer = "an authority" if found is None else _subject(found.issuer)
    return f"it was issued by {issuer}, which is not trusted; name it in `tls.ca`, or let the service send its chain"


# By number: X509_V_ERR_… of OpenSSL's x509_vfy.h.
_BY_CODE: dict[int, Callable[[x509.Certificate | None], str]] = {
    2: _unknown_issuer,
    9: lambda found: f"it is valid only from {_start(found)} on; is the clock right?",
    10: lambda found: f"it has expired, on {_end(found)}",
    18: lambda found: "it is self-signed; if it is the right one, name its file in `tls.ca`",
    19: lambda found: "the authority that its chain leads to is not trusted; name its file in `tls.ca`",
    20: _unknown_issuer,
    21: _unknown_issuer,
    23: lambda found: "it has been revoked",
    26: lambda found: "it is not for servers",
}


# The first entry that is part of OpenSSL's word, or the other end's, counts.
_BY_WORD = (
    ("CERTIFICATE_REQUIRED", "it demands a certificate of the gateway: set `tls.certificate`"),
    ("WRONG_VERSION_NUMBER", "what it answers is not TLS: perhaps the target is `http://`"),
    ("HTTP_REQUEST", "what it answers is not TLS: perhaps the target is `http://`"),
    ("PACKET_LENGTH_TOO_LONG", "what it answers is not TLS: perhaps the target is `http://`"),
    ("RECORD_LAYER_FAILURE", "what it answers is not TLS: perhaps the target is `http://`"),
    ("ALERT_PROTOCOL_VERSION", "it speaks no version of TLS that is new enough: see `tls.minimum`"),
    ("UNSUPPORTED_PROTOCOL", "it speaks no version of TLS that is new enough: see `tls.minimum`"),
    ("UNRECOGNIZED_NAME", "it does not go by the name {name}: `tls.server_name` says another one"),
    ("NO_APPLICATION_PROTOCOL", "it does not speak HTTP/1.1"),
    ("ALERT_UNKNOWN_CA", "it does not trust who issued the gateway's certificate, `tls.certificate`"),
    ("ALERT_BAD_CERTIFICATE", "it refuses the gateway's certificate, `tls.certificate`"),
    ("ALERT_CERTIFICATE", "it refuses the gateway's certificate, `tls.certificate`"),
    ("ALERT_UNSUPPORTED_CERTIFICATE", "it refuses the gateway's certificate, `tls.certificate`"),
    ("ALERT_ACCESS_DENIED", "it refuses the gateway's certificate, `tls.certificate`"),
    (
        "ALERT_HANDSHAKE_FAILURE",
        "it refuses the handshake: it may demand a certificate (`tls.certificate`), or know no cipher of the gateway's",
    ),
    (CUT, "it closed the connection during the handshake; perhaps it does not speak TLS"),
    (TRUNCATED, "it closed the connection without an end of TLS"),
)


def _failed(failed: TlsFailed, name: str) -> str:
    for word, why in _BY_WORD:
        if word in failed.reason:
            return why.format(name=name)
    return str(failed)


def _certificate(der: bytes | None) -> x509.Certificate | None:
    try:
        return None if der is None else x509.load_der_x509_certificate(der)
    except ValueError:
        return None


def _names(found: x509.Certificate | None) -> str:
    """Whom a certificate is for."""
    try:
        if found is None:
            return "nobody"
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        told = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return "no name at all"
    more = f" and {len(told) - MOST_NAMES} more" if len(told) > MOST_NAMES else ""
    return ", ".join(map(_plain, told[:MOST_NAMES])) + more or "no name at all"


def _subject(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return _plain(str(common[0].value)) if common else _plain(name.rfc4514_string()) or "an authority without a name"


def _plain(text: str) -> str:
    """What a service says of itself, fit for a line of a log."""
    shown = "".join(one if one.isprintable() else "?" for one in text[:MOST_TEXT])
    return shown + ("…" if len(text) > MOST_TEXT else "")


def _start(found: x509.Certificate | None) -> str:
    return "a later day" if found is None else f"{found.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"


def _end(found: x509.Certificate | None) -> str:
    return "an earlier day" if found is None else f"{found.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
