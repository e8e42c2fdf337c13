"""Whether certificates and keys can be what they are given for: asked once their files have been read.

Knows what a certificate, its key and a bundle of authorities must be; no service and no listener.
"""

from __future__ import annotations

import ssl

from apigateway.config.model.files import GivenFile
from apigateway.config.problems import Problems
from apigateway.sockets.pem import PasswordError, certificates_in, identify, trust


def check_authorities(file: GivenFile | None, problems: Problems) -> None:
    """A bundle holds certificates, and nothing that only looks like one."""
    if file is None or not _has_certificates(file, problems):
        return
    try:
        trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), file.content or b"")
    except (ssl.SSLError, ValueError):
        problems.add(file.where, f"{file.path} holds something that is no certificate")


def check_identity(certificate: GivenFile | None, key: GivenFile | None, problems: Problems) -> None:
    """A certificate and its key belong together; without `key` it stands in the certificate's file."""
    if certificate is None or not _has_certificates(certificate, problems):
        return
    if key is not None and key.content is None:
        return
    own = key or certificate
    if b"PRIVATE KEY-----" not in (own.content or b""):
        problems.add(own.where, f"{own.path} holds no private key in PEM")
        return
    try:
        identify(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate.content or b"", own.content)
    except PasswordError:
        problems.add(own.where, f"the key in {own.path} is protected by a password, which nobody is there to give")
    except ssl.SSLError as error:
        problems.add(own.where, _mismatch(error, certificate, own))


def _mismatch(error: ssl.SSLError, certificate: GivenFile, key: GivenFile) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the key in {key.path} is not that of the certificate in {certificate.path}"
    return f"certificate and key can't be used: {(error.reason or str(error)).lower().replace('_', ' ')}"


def _has_certificates(file: GivenFile, problems: Problems) -> bool:
    """False where it has none, which is noted, or where it could not be read, which has been."""
    if file.content is None:
        return False
    if not certificates_in(file.content):
        problems.add(file.where, f"{file.path} holds no certificate in PEM")
        return False
    return True
