"""The cookies of a request, in its `Cookie` fields (RFC 6265 §4.2). Knows no `Set-Cookie`."""

from __future__ import annotations

from collections.abc import Iterable

from apigateway.http.fields import Fields
from apigateway.http.heads import RequestHead


def cookie(head: RequestHead, name: bytes) -> bytes | None:
    """The value of a cookie as it came, the first of that name; None where there is none."""
    for field, value in head.fields:
        if field.lower() == b"cookie":
            for pair in value.split(b";"):
                key, sign, text = pair.partition(b"=")
                if sign and key.strip() == name:
                    return text.strip()
    return None


def without_cookie(fields: Iterable[tuple[bytes, bytes]], name: bytes) -> Fields:
    """The fields without any cookie of that name; a `Cookie` field that held no other is left out."""
    kept: Fields = []
    for field, value in fields:
        if field.lower() != b"cookie":
            kept.append((field, value))
            continue
        others = [pair.strip() for pair in value.split(b";") if pair.partition(b"=")[0].strip() != name]
        if any(others):
            kept.append((field, b"; ".join(others)))
    return kept
