"""Certificates and keys as text in PEM (RFC 7468): found in the content of a file, and loaded into contexts of `ssl`.

Knows neither where the text comes from nor what a context is for.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import NamedTemporaryFile

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n"


class PasswordError(ValueError):
    """A private key is protected by a password."""


def certificates_in(content: bytes) -> list[bytes]:
    """The certificates in a text, each as PEM of its own; what stands between them is left out."""
    found = []
    for part in content.split(_BEGIN)[1:]:
        body, end, _ = part.partition(_END)
        if end and not body.translate(None, _BASE64):
            found.append(_BEGIN + body + end + b"\n")
    return found


def trust(context: ssl.SSLContext, content: bytes) -> None:
    """Trust the certificates in a text: authorities of any kind, or a server's own. Raises `ssl.SSLError`."""
    context.load_verify_locations(cadata=b"".join(certificates_in(content)).decode("ascii"))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def identify(context: ssl.SSLContext, certificate: bytes, key: bytes | None = None) -> None:
    """Show a certificate with its chain, and use its key, which stands in the same text unless given.

    Raises `PasswordError`, and `ssl.SSLError` where the text can't be read or the two do not belong together.
    """
    with _as_file(certificate) as one, _as_file(key or certificate) as other:
        context.load_cert_chain(one, other, password=_refuse)


def _refuse() -> bytes:
    # Without it OpenSSL would ask whoever sits at the terminal.
    raise PasswordError("the key is protected by a password")


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path that leads to the content. A key comes to no disk where memory can be a file."""
    if not hasattr(os, "memfd_create"):
        with NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name
        return
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{descriptor}"
