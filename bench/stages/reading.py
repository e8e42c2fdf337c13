"""The stages that read and write heads: requests in and out, answers in and out."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from apigateway.downstream.http1_answer import AnswerWriter
from apigateway.exchange import Exchange
from apigateway.http.request_reader import HeadLimits, RequestReader
from apigateway.http.response_reader import ResponseReader
from apigateway.upstream.steps.plan import ForwardPlan
from bench.stages.messages import (
    ANSWER,
    BODY,
    CHUNKED_ANSWER,
    CLIENT,
    DOWNSTREAM,
    LINES,
    OTHERS,
    REQUEST,
    UNUSUAL,
    UNUSUAL_ANSWER,
    Heads,
    exchange_of,
    ignore,
)
from bench.stages.stage import Now, Stage, Work


def _request(*requests: bytes) -> Work:
    reader, several = RequestReader(HeadLimits()), cycle(requests)

    def read(data: bytes) -> None:
        reader.feed(data)
        reader.ready.popleft()

    return Work(read, lambda: next(several))


def _begin(now: Now) -> Work:
    return Work(lambda head: Exchange(head, DOWNSTREAM, CLIENT, False, now(), ignore), Heads())


def _answer(answer: bytes) -> Work:
    reader = ResponseReader()

    def read(_: Any) -> None:
        reader.expect(is_head=False)
        reader.feed(answer)

    return Work(read)


def _write_answer(now: Now) -> Work:
    plan, writer = ForwardPlan(), AnswerWriter()

    def write(exchange: Exchange) -> None:
        writer.begin(exchange.head, True, False)
        status, reason, lines, _ = plan.answer(exchange, 200, b"OK", LINES, len(BODY), exchange.started)
        writer.ordinary(status, reason, lines, BODY)

    head = Heads()()
    return Work(write, lambda: exchange_of(head))


READING = (
    Stage("read a request head: as the one before", "read", lambda now: _request(REQUEST), counts=True),
    Stage("read a request head: ordinary", "read", lambda now: _request(*OTHERS)),
    Stage("read a request head: by llhttp", "read", lambda now: _request(UNUSUAL)),
    Stage("make the exchange", "read", _begin, counts=True),
)
ANSWERING = (
    Stage("read an answer: ordinary", "answer", lambda now: _answer(ANSWER), counts=True),
    Stage("read an answer: by llhttp", "answer", lambda now: _answer(UNUSUAL_ANSWER)),
    Stage("read an answer: chunked", "answer", lambda now: _answer(CHUNKED_ANSWER)),
    Stage("write the answer", "answer", _write_answer, counts=True),
)
