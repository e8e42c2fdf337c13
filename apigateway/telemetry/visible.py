"""Bytes of strangers as text that is safe to write into a log: printable ASCII only, everything else escaped."""

from __future__ import annotations

MOST_TEXT = 1024
"""So many bytes of a text are told where nothing else is said."""

_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}


def visible(raw: bytes, most: int = MOST_TEXT) -> str:
    """Control bytes, DEL and what is not ASCII become `\\xNN`; the rest stays as it is.

    What is longer than `most` bytes is cut, and ends in three dots.
    """
    if len(raw) > most:
        raw = raw[:most] + b"..."
    text = raw.decode("ascii", "backslashreplace")
    return text if text.isprintable() else text.translate(_ESCAPES)


def quoted(raw: bytes, most: int = MOST_TEXT) -> str:
    """As `visible`, and `"` and `\\` are escaped too, so that the text cannot end the quotes that it stands in."""
    if len(raw) > most:
        raw = raw[:most] + b"..."
    return visible(raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"'), 2 * len(raw))
