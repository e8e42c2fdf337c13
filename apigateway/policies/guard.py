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
        checked = _Request(name, exchange)
        try:
            verdict: Any = side(exchange)
            if iscoroutine(verdict):
                verdict = Deferred.fromCoroutine(verdict)
            if isinstance(verdict, Deferred):
                return verdict.addCallback(checked.verdict).addErrback(checked.failed)
            return checked.verdict(verdict)
        except Exception:
            return checked.failed(Failure())

    return ask


class _Request:
    """One exchange in one policy: what it was before, and whether it may go on as it is now."""

    __slots__ = ("_name", "_exchange", "_lines", "_extra")

    def __init__(self, name: str, exchange: Exchange) -> None:
        self._name = name
        self._exchange = exchange
        self._lines = exchange.head.lines
        self._extra = list(exchange.extra)

    def verdict(self, verdict: object) -> Any:
        """The verdict, if it is one. Raises `TypeError` or `ValueError` where something is wrong with it."""
        exchange = self._exchange
        if exchange.status:
            return self._answered()
        if verdict is None:
            if exchange.head.lines is not self._lines:
                check_fields(exchange.head.plain, _OURS_IN_REQUESTS)
        else:
            check_answer(verdict)
        check_fields(exchange.extra, _OURS)
        return verdict

    def failed(self, why: Failure) -> Any:
        """Log what was not foreseen. Raises a `GatewayError`, or what came where nobody waits any more."""
        exchange = self._exchange
        if why.check(CancelledError):
            why.raiseException()
        if exchange.status:
            return self._answered()
        if why.check(GatewayError):
            why.raiseException()
        exchange.extra = self._extra
        raise policy_failed(self._name, exchange, why) from None

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
        lines, length, extra = head.lines, head.length, list(exchange.extra)
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
            check_fields(exchange.extra, _OURS)
        except GatewayError:
            raise
        except Exception:
            exchange.extra = extra
            raise policy_failed(name, exchange, Failure()) from None

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
