"""A policy that somebody else wrote, made safe for its neighbours: whatever it does costs its own exchange only.

What it raises, and what it leaves behind that must not go over a wire, becomes a `GatewayError` and a line in the log.
Knows what heads and answers look like, not what the policy is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from apigateway.errors import CLIENT_GONE, INTERNAL_ERROR, GatewayError
from apigateway.http.answers import Answer
from apigateway.http.fields import FRAMING, HOP_BY_HOP, OWNED
from apigateway.policies.policy import Policy, RequestSide, ResponseSide, policy_failed

if TYPE_CHECKING:
    from apigateway.exchange import Exchange
    from apigateway.http.heads import ResponseHead

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ONE_LINE = re.compile(rb"[^\x00\r\n]*")
_TARGET = re.compile(rb"(?:/[!-~\x80-\xff]*|\*)")
_VISIBLE = re.compile(rb"[!-~\x80-\xff]*")
_NO_CONTROL = re.compile(rb"[\t -~\x80-\xff]*")
_NOT_WAITED = (CLIENT_GONE, INTERNAL_ERROR)
"""Why an exchange may have ended while its policy was thinking."""

_OURS = HOP_BY_HOP | FRAMING
_OURS_IN_REQUESTS = _OURS | OWNED | {b"host", b"expect"}

_log = Logger(namespace="apigateway.policies")


def guarded(policy: Policy) -> Policy:
    """The same policy, as far as it keeps to the contract."""
    ask, tell = policy.on_request, policy.on_response
    return Policy(policy.name, ask and _request_side(policy.name, ask), tell and _response_side(policy.name, tell))


def _request_side(name: str, side: RequestSide) -> RequestSide:
    def ask(exchange: Exchange) -> Any:
        checked = _Request(name, exchange, _Before(exchange))
        try:
            verdict: Any = side(exchange)
            if iscoroutine(verdict):
                verdict = Deferred.fromCoroutine(verdict)
            if isinstance(verdict, Deferred):
                return verdict.addCallback(checked.verdict).addErrback(checked.failed)
            return checked.verdict(verdict)
        except BaseException:  # what ends a program elsewhere would cut the connection here
            return checked.failed(Failure())

    return ask


class _Before:
    """What was written of an exchange, as far as it goes over a wire, before a policy had it."""

    __slots__ = ("_exchange", "_head", "_start", "_special", "_length", "_names", "_extra")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._head = head = exchange.head
        self._start = head.method, head.target
        self._length = head.length
        self._special = head.special
        self._names = exchange.request_id, exchange.peer
        self._extra = list(exchange.extra)
        head.special = dict(head.special)  # other heads may have the same

    def check(self) -> None:
        """Raises some `Exception` where what is there now can't be written."""
        exchange, head = self._exchange, self._head
        if exchange.head is not head or head.length != self._length:
            raise ValueError("neither the head of a request nor the length of its body is for policies to replace")
        start = head.method, head.target
        if start != self._start and not (_NAME.fullmatch(start[0]) and _TARGET.fullmatch(start[1])):
            raise ValueError("a method must be one word, and a target a path in one word")
        if head.special != self._special:
            _check_special(head.special)
        if not (_VISIBLE.fullmatch(exchange.request_id) and _VISIBLE.fullmatch(exchange.peer.encode())):
            raise ValueError("the id of a request and its peer must be one word each")
        check_fields(exchange.extra, _OURS)

    def restore(self) -> None:
        """All is as it was: an error must be told, and the log must have its line."""
        exchange, head = self._exchange, self._head
        exchange.head = head
        head.method, head.target = self._start
        head.length, head.special = self._length, self._special
        exchange.request_id, exchange.peer = self._names
        exchange.extra = self._extra

    def error(self, name: str, why: Failure) -> GatewayError:
        """What the exchange ends with: a policy's own refusal, if it can be written; all else is a failure, logged."""
        error = why.value
        try:
            if isinstance(error, GatewayError):
                self.check()
                check_fields(error.fields, _OURS)
                return error
        except Exception:
            why = Failure()
        self.restore()
        return policy_failed(name, self._exchange, why)


def _check_special(special: dict[bytes, bytes]) -> None:
    for name, value in special.items():
        if not _NAME.fullmatch(name) or not _NO_CONTROL.fullmatch(value):
            raise ValueError("special fields must have proper names, and values without control bytes")
    if not _VISIBLE.fullmatch(special.get(b"host", b"").strip(b" \t")):
        raise ValueError("a host must be one word")


class _Request:
    """One exchange in one policy: what it was before, and whether it may go on as it is now."""

    __slots__ = ("_name", "_exchange", "_lines", "_before")

    def __init__(self, name: str, exchange: Exchange, before: _Before) -> None:
        self._name = name
        self._exchange = exchange
        self._lines = exchange.head.lines
        self._before = before

    def verdict(self, verdict: object) -> Any:
        """The verdict, if it is one. Raises `TypeError` or `ValueError` where something is wrong with it."""
        exchange = self._exchange
        if exchange.status:
            return self._answered()
        self._before.check()
        if verdict is None:
            if exchange.head.lines is not self._lines:
                check_fields(exchange.head.plain, _OURS_IN_REQUESTS)
        else:
            check_answer(verdict)
        return verdict

    def failed(self, why: Failure) -> Any:
        """Log what was not foreseen. Raises a `GatewayError`, or what came where nobody waits any more."""
        if why.check(CancelledError):
            self._before.restore()
            why.raiseException()
        if self._exchange.status:
            return self._answered()
        raise self._before.error(self._name, why) from None

    def _answered(self) -> Answer:
        """An answer stops the exchange; one that is answered already takes no other."""
        exchange = self._exchange
        if exchange.cause not in _NOT_WAITED:
            _log.error(
                "policy {policy} answered by itself; it must return its answer, or raise",
                event="policy-failed", policy=self._name, route=exchange.route,
                request_id=exchange.request_id.decode("latin-1"),
            )  # fmt: skip
        return Answer(exchange.status, [])


def _response_side(name: str, side: ResponseSide) -> ResponseSide:
    def tell(exchange: Exchange, head: ResponseHead) -> None:
        lines, length, before = head.lines, head.length, _Before(exchange)
        try:
            returned: Any = side(exchange, head)  # type: ignore[func-returns-value]  # others' may
            if returned is not None:
                raise _returned(returned, "nothing")
            if exchange.status:
                raise RuntimeError("a policy that sees an answer must not give another")
            check_status(head.status, head.reason)
            if head.length != length:
                raise ValueError("the length of an answer is not for policies to change")
            if head.lines is not lines:
                check_fields(head.fields, _OURS)
                # Lines may have been set as they are: then nothing may be lost where they are taken apart.
                head.fields = head.fields
            before.check()
        except BaseException:
            raise before.error(name, Failure()) from None

    return tell


def check_answer(verdict: object) -> None:
    """Raises `TypeError` or `ValueError` where a verdict is no answer that can be sent."""
    if not isinstance(verdict, Answer):
        raise _returned(verdict, "an Answer, or nothing")
    check_status(verdict.status, verdict.reason)
    check_fields(verdict.fields, _OURS)
    if not isinstance(verdict.body, bytes):
        raise TypeError(f"the body of an answer must be bytes, not {type(verdict.body).__name__}")


def check_status(status: object, reason: object) -> None:
    """Raises `TypeError` or `ValueError` where the first line of an answer can't be written so."""
    if type(status) is not int or not 200 <= status <= 599:
        raise ValueError("the status of an answer must be a number from 200 to 599")
    if not isinstance(reason, bytes) or not _ONE_LINE.fullmatch(reason):
        raise ValueError("the reason of an answer must be bytes in one line")


def check_fields(fields: Iterable[tuple[bytes, bytes]], ours: frozenset[bytes]) -> None:
    """Raises `TypeError` or `ValueError` where fields can't be written, or are some that the gateway itself writes.

    Each is looked at by itself: joined, one with line breaks in it looks like several.
    """
    for name, value in fields:
        if not _NAME.fullmatch(name) or not _ONE_LINE.fullmatch(value):
            raise ValueError("header fields must have proper names, and values in one line")
        if name.lower() in ours:
            raise ValueError(f"the header field {name.decode()} is not for policies to set")


def _returned(what: object, instead: str) -> TypeError:
    """An error that names a type: a value may hold what is nobody's business."""
    if iscoroutine(what):
        what.close()
    return TypeError(f"a policy must return {instead}, not {type(what).__name__}")
