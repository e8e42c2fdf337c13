"""The gateway's own events: their words, and an observer that writes them as text or JSON, one event a line.

An event is emitted where it happens, with `twisted.logger` and a field `event` that holds one of the words of `EVENTS`.
Here is only how events are written: nothing in one can break its line, and no value can make the writing fail.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure
from twisted.python.reflect import safe_repr
from zope.interface import implementer

from apigateway.telemetry.lines import rfc3339
from apigateway.telemetry.visible import visible

EVENTS: dict[str, str] = {
    "access-log-trouble": "lines of the access log were lost, or its file could not be rotated",
    "admin-token-guessed": "a client sent so many wrong admin tokens that for a while none of its tokens is looked at",
    "connections-bounded": "connections of clients made room for others, or were refused",
    "breaker-changed": "the circuit breaker of a target changed its state",
    "certificate-expires": "a certificate of a listener has expired, or soon will",
    "descriptors-exhausted": "no file descriptor was left for a new connection; accepting waits",
    "discovery-failed": "the targets of a service cannot be found; the last ones stay",
    "discovery-recovered": "the targets of a service are found again",
    "few-descriptors": "the process may open fewer files than the limits ask for; fewer connections are taken",
    "listening": "a port is open",
    "name-not-resolved": "the name of a target could not be resolved",
    "not-listening": "a port is closed, as the configuration no longer has it",
    "proxy-refused": "a connection was not from a proxy of its listener, or did not begin with the PROXY protocol",
    "reload-failed": "the configuration was read again and cannot be used; nothing has changed",
    "reloaded": "the configuration was read again, and is in use",
    "page-failed": "a mounted Resource failed; the exchange was answered with 500, or cut",
    "panic-began": "no target of a service is well, so that all are tried",
    "panic-ended": "some target of that service is well again",
    "policy-failed": "a policy failed, or did what it must not; the exchange was answered with 500",
    "shedding-began": "requests are being refused for want of room or time",
    "shedding-ended": "no more requests are refused for that",
    "stop-hurried": "a second signal: what is left of the time to stop is skipped",
    "stopped": "the gateway has stopped",
    "stopping": "the gateway begins to stop",
    "target-ejected": "a target failed more than the others of its service, and is left out for a while",
    "target-healthy": "the health checks found a target healthy again",
    "target-returned": "a target is no longer ejected",
    "target-unhealthy": "the health checks found a target unhealthy",
    "targets-changed": "discovery has found other targets of a service",
    "telemetry-failed": "a batch of exchanges could not be counted or logged; a fault in the gateway",
    "tls-failed": "TLS with a target failed, or the target could not prove who it is",
    "tls-handshake-failed": "handshakes of clients came to nothing",
    "tls-unverified": "nobody looks who the targets of a service are",
}
"""Every word that the field `event` can hold, and what it says."""

LEVELS: dict[str, Any] = {
    "debug": LogLevel.debug, "info": LogLevel.info, "warn": LogLevel.warn, "error": LogLevel.error,
}  # fmt: skip
"""The levels of a configuration; "critical", which only faults have, is above them all."""

_CHATTY = ("twisted.", "log_legacy")
"""Namespaces that tell of every factory that starts: their "info" counts as "debug"."""

# Twisted's older log adds these to an event; they repeat what is told otherwise.
_LEGACY = frozenset(("event", "failure", "format", "isError", "logLevel", "message", "system", "time", "why"))


def _fields(event: LogEvent) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in _LEGACY and not key.startswith("log_")}


def _traceback(event: LogEvent) -> str | None:
    failure = event.get("log_failure")
    if not isinstance(failure, Failure):
        return None
    try:
        return failure.getTraceback()
    except Exception:
        # Printing a traceback runs the `__repr__` and `__str__` of strangers.
        return f"{safe_repr(failure)} (its traceback could not be written)"


def _json_value(value: object) -> str:
    """A value as JSON; what JSON can't express is its `repr`."""
    try:
        return json.dumps(value, default=safe_repr, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(safe_repr(value))


def _json_object(members: dict[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in members.items()) + "}"


def json_event(event: LogEvent) -> str:
    """An event as one line of JSON."""
    level = event.get("log_level")
    members = {
        "time": rfc3339(event.get("log_time", 0.0)),
        "level": level.name if level is not None else None,
        "namespace": event.get("log_namespace"),
        "event": event.get("event"),
        "message": formatEvent(event),
    }
    texts = {name: _json_value(value) for name, value in members.items()}
    texts["fields"] = _json_object({name: _json_value(value) for name, value in _fields(event).items()})
    traceback = _traceback(event)
    if traceback is not None:
        texts["traceback"] = _json_value(traceback)
    return _json_object(texts) + "\n"


def _one_line(text: str) -> str:
    raw = text.encode("utf-8", "backslashreplace")
    return visible(raw, len(raw))


def text_event(event: LogEvent) -> str:
    """An event as one line of text; a traceback follows on lines that begin with spaces."""
    level = event.get("log_level")
    words = [
        rfc3339(event.get("log_time", 0.0)),
        level.name if level is not None else "-",
        event.get("log_namespace") or "-",
        event.get("event") or "-",
        formatEvent(event),
        *(f"{name}={_json_value(value)}" for name, value in _fields(event).items()),
    ]
    lines = [" ".join(_one_line(str(word)) for word in words)]
    lines += ["    " + _one_line(line) for line in (_traceback(event) or "").splitlines()]
    return "".join(f"{line}\n" for line in lines)


FORMATS: dict[str, Callable[[LogEvent], str]] = {"json": json_event, "text": text_event}
"""The formats of the event log by name."""


@implementer(ILogObserver)
class EventWriter:
    """Writes events of at least `level`, one of `LEVELS`, to a stream in `format`, one of `FORMATS`.

    A stream that can't be written to loses events, and no more.
    """

    def __init__(self, stream: TextIO, level: str, format: str) -> None:
        self._stream = stream
        self._least = LEVELS[level]
        self._write = FORMATS[format]

    def change(self, level: str, format: str) -> None:
        """Write from now on as another configuration says."""
        self._least = LEVELS[level]
        self._write = FORMATS[format]

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level")
        if level is LogLevel.info and str(event.get("log_namespace")).startswith(_CHATTY):
            level = LogLevel.debug
        if level is not None and level < self._least:
            return
        with suppress(OSError, ValueError):
            self._stream.write(self._write(event))
            self._stream.flush()
