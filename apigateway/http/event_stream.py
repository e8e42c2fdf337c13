"""Server-sent events: an answer without end, in which quiet is no fault. Pure rules, no I/O."""

from __future__ import annotations

from apigateway.http.lines import find_value

MEDIA_TYPE = b"text/event-stream"


def is_event_stream(lines: bytes) -> bool:
    """Whether an answer with these field lines is a stream of events (HTML standard, section 9.2)."""
    kind = find_value(lines, b"content-type")
    return kind is not None and kind.partition(b";")[0].strip(b" \t").lower() == MEDIA_TYPE
