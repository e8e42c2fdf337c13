"""What services are told of a client's certificate, as fields, and when it ends.

Knows certificates as DER, and names of fields. Times of day are seconds since 1970.
"""

from __future__ import annotations

import re
from hashlib import sha256

from cryptography import x509

from apigateway.downstream.tls_terms import ClientTerms
from apigateway.http.fields import Fields

_NOT_PLAIN = re.compile(rb"[^\x20-\x7e]")


def subject_of(certificate: bytes) -> bytes:
    """The subject as text (RFC 4514), in ASCII: all else is escaped (§2.4), as an authority may sign any bytes."""
    text = x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
    return _NOT_PLAIN.sub(lambda found: b"\\%02X" % found[0][0], text.encode("utf-8", "surrogatepass"))


def client_fields(clients: ClientTerms | None, certificate: bytes | None) -> Fields:
    """The fields for each request of a client that showed `certificate`; none where it showed none."""
    fields: Fields = []
    if clients is None or certificate is None:
        return fields
    if clients.subject_field is not None:
        fields.append((clients.subject_field, subject_of(certificate)))
    if clients.fingerprint_field is not None:
        fields.append((clients.fingerprint_field, sha256(certificate).hexdigest().encode()))
    return fields


def has_ended(certificate: bytes | None, wall: float) -> bool:
    """Whether a certificate is good no more; none at all is as good as ever."""
    return (
        certificate is not None and x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp() < wall
    )
