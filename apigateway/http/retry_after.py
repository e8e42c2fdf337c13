"""`Retry-After` of an answer (RFC 9110 §10.2.3), as seconds. Pure; knows no clock but the dates that heads hold."""

from __future__ import annotations

from email.utils import mktime_tz, parsedate_tz

from apigateway.http.dates import current_date
from apigateway.http.lines import find_value

_MOST_DIGITS = 9


def retry_after_s(lines: bytes, now: float) -> float:
    """How many seconds the field lines of an answer ask to wait; 0.0 where they ask for nothing that can be read.

    A date is taken relative to the answer's own `Date`, or to the present one. `now` is monotonic seconds.
    """
    value = find_value(lines, b"retry-after")
    if not value:
        return 0.0
    if value.isdigit():
        return float(int(value[:_MOST_DIGITS]))
    at, sent = _seconds(value), _seconds(find_value(lines, b"date") or current_date(now))
    return 0.0 if at is None or sent is None else max(0.0, at - sent)


def _seconds(date: bytes) -> float | None:
    parts = parsedate_tz(date.decode("latin-1"))
    try:
        return None if parts is None else float(mktime_tz(parts))
    except (OverflowError, ValueError):
        return None
