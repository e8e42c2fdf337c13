"""Bytes of strangers as text that is safe to write into a log: printable ASCII only, everything else escaped."""

from __future__ import annotations

_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}


def shortened(raw: bytes, most: int) -> bytes:
    """What is longer than `most` bytes is cut, and ends in three dots."""
    return raw if len(raw) <= most else raw[:most] + b"..."


def visible(raw: bytes) -> str:
    """Control bytes, DEL and what is not ASCII become `\\xNN`; the rest stays as it is."""
    text = raw.decode("ascii", "backslashreplace")
    return text if text.isprintable() else text.translate(_ESCAPES)


def quoted(raw: bytes) -> str:
    """As `visible`, and `"` and `\\` are escaped too, so that the text cannot end the quotes that it stands in."""
    return visible(raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"'))
