"""Every way in which a service fails, and what follows: the table of docs/failures.md.

What is said here is held by `test_cases` over both transports, for every request named, with one target and with two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from apigateway.testing.names import NEVER
from apigateway.testing.parts import Chunk, Garbage, Head, LastChunk, ReadSome, Trickle
from apigateway.testing.steps import (
    Answer,
    Close,
    CloseSending,
    ReadAll,
    Reset,
    Respond,
    Stall,
    Step,
    StopReading,
    Wait,
)

if TYPE_CHECKING:
    from apigateway.testing.scripted_service import ScriptedConnection
    from apigateway.testing.wire import Message
    from tests.failures.world import World

Arrange = Callable[["World"], None]

SMALL = ("GET", "POST", "PUT, length", "PUT, chunks")
"""Requests that are there at once."""

LARGE = ("large, length",)
"""A request that is there at once, and does not fit into what the two kernels hold."""

UPLOADS = ("upload, length", "upload, chunks")
"""Requests of which half is there."""

REPEATABLE = ("GET", "PUT, length", "PUT, chunks")
"""Those of them that may be sent twice: idempotent, and with a body that is small enough to be kept."""

FAILURE, ANSWER = "failure", "answer"
"""What the breaker counts: a failure, or an answer, which starts the count afresh."""

HEALTHY = ""


@dataclass(frozen=True)
class Case:
    """One way of failing.

    `part` is the heading it stands under, `what` what the service does. `arrange` makes it do so, in a world where
    each request in `requests` is sent. The client sees `status`, with `cause` where the answer is the gateway's own;
    `cut` is the cause for which an answer that had begun is cut. `breaker` is what the breaker counts. `spared` are
    the requests that another target answers, where there is one. `health` is how the reason begins for which the health
    check finds a target bad that does so with every request. With `warm` a connection rests in the pool before the
    request comes. `attempts` are those at the same target. `takes_rest`: the service takes all of a request
    though it answers early.
    """

    part: str
    what: str
    arrange: Arrange
    status: int
    cause: str = ""
    cut: str = ""
    breaker: str = FAILURE
    requests: tuple[str, ...] = SMALL
    spared: tuple[str, ...] = ()
    health: str = HEALTHY
    warm: bool = False
    attempts: int = 1
    takes_rest: bool = False

    @property
    def leaves_body(self) -> bool:
        """Of an upload the rest is not taken any more."""
        return self.part in ("taking the request", "an answer while the request is coming") and not self.takes_rest

    @property
    def logged(self) -> tuple[int, str]:
        """Status and cause in the access log and the statistics."""
        return self.status, self.cause or self.cut


def does(*steps: Step) -> Arrange:
    """The service does these steps with each request."""
    return lambda world: world.does(*steps)


@dataclass(frozen=True)
class OnUsed:
    """Do this on a connection that has carried a request before, and answer on a fresh one."""

    step: Step

    def run(self, connection: ScriptedConnection, request: Message | None) -> bool:
        """See `Step.run`."""
        one = self.step if len(connection.requests) > 1 else Answer(200, b"fresh")
        return one.run(connection, request)


def greets(*steps: Step) -> Arrange:
    """The service does these steps when a connection is made."""

    def arrange(world: World) -> None:
        world.bad.greeting = steps

    return arrange


def _forget_name(world: World) -> None:
    del world.network.hosts["bad"]


def _never_resolve(world: World) -> None:
    world.network.reactor.names.delays["bad"] = NEVER


def _refuse(world: World) -> None:
    world.bad.refuse()


def _silence(world: World) -> None:
    world.network.silence("10.0.0.1")


def _hang(world: World) -> None:
    world.bad.stop_accepting()


def _another_address(world: World) -> None:
    world.network.hosts["bad"] = ["10.0.0.9", "10.0.0.1"]
    world.bad.answers(200, b"here")


def _close_idle(world: World) -> None:
    world.bad.answers(200, b"here")
    world.bad.close_idle()
    world.network.pump()


UNKNOWN, REFUSED = "the service's name could not be resolved", "the service refused the connection"
UNCONNECTED, LOST = (
    "the service did not accept a connection in time",
    "the service closed the connection before it answered",
)
TOO_LATE, BROKEN, NO_HTTP = "no answer within 2 s", "the answer broke off", "the answer is not HTTP"

_CONNECTING = (
    Case("connecting", "its name is not in DNS", _forget_name, 502, "name-not-resolved", spared=SMALL, health=UNKNOWN),
    Case(
        "connecting", "its DNS does not answer", _never_resolve, 502, "name-not-resolved", spared=SMALL, health=UNKNOWN
    ),
    Case(
        "connecting", "refuses connections", _refuse, 502, "connect-failed", spared=SMALL, health=REFUSED, attempts=2
    ),
    Case("connecting", "its host is silent", _silence, 504, "connect-timeout", spared=SMALL, health=UNCONNECTED),
    Case("connecting", "accepts no connection", _hang, 504, "connect-timeout", spared=SMALL, health=UNCONNECTED),
    Case("connecting", "the first of its addresses refuses", _another_address, 200, breaker=ANSWER),
    Case("connecting", "accepts, and closes", greets(Close()), 502, "connection-lost", spared=REPEATABLE, health=LOST),
    Case("connecting", "accepts, and resets", greets(Reset()), 502, "connection-lost", spared=REPEATABLE, health=LOST),
    Case("connecting", "accepts, and stalls", greets(Stall()), 504, "response-timeout", health=TOO_LATE),
    Case(
        "connecting", "talks before it is asked", greets(Respond(b"220 mail\r\n")), 502, "bad-response", health=NO_HTTP
    ),
)  # fmt: skip

_IDLE = (
    Case("a connection at rest", "closes it before the request", _close_idle, 200, breaker=ANSWER, warm=True),
    Case("a connection at rest", "its host goes silent", _silence, 504, "response-timeout", warm=True,
         health=UNCONNECTED),
    *(
        Case(
            "a connection at rest", f"{verb} it just when a request comes", does(OnUsed(step)), 200, breaker=ANSWER,
            requests=REPEATABLE, warm=True, attempts=2,
        )
        for verb, step in (("closes", Close()), ("resets", Reset()))
    ),
    *(
        Case(
            "a connection at rest", f"{verb} it just when a request comes that must not be sent twice",
            does(OnUsed(step)), 502, "connection-lost", requests=("POST",), warm=True,
        )
        for verb, step in (("closes", Close()), ("resets", Reset()))
    ),
)  # fmt: skip

_REQUEST = (
    Case(
        "taking the request", "stops reading", does(ReadSome(1000), StopReading()), 504, "idle-timeout",
        requests=UPLOADS, health=TOO_LATE,
    ),
    *(
        Case(
            "taking the request", f"{verb} in the middle of the body", does(ReadSome(1000), step), 502,
            "connection-lost", requests=UPLOADS, health=LOST,
        )
        for verb, step in (("closes", Close()), ("resets", Reset()))
    ),
)  # fmt: skip

_NO_HEAD = (
    Case(
        "before the answer", "stalls", does(ReadAll(), Stall()), 504, "response-timeout",
        requests=SMALL + UPLOADS, health=TOO_LATE,
    ),
    *(
        Case("before the answer", what, does(ReadAll(), step), 502, "connection-lost", spared=REPEATABLE, health=LOST)
        for what, step in (("closes", Close()), ("resets", Reset()), ("closes its sending side", CloseSending()))
    ),
    Case(
        "before the answer", "sends interim answers without end",
        does(ReadAll(), Trickle(b"HTTP/1.1 102 Processing\r\n\r\n" * 60, 0.5, 27)), 504, "response-timeout",
        health=TOO_LATE,
    ),
)  # fmt: skip

_PART_OF_HEAD = Respond(b"HTTP/1.1 200 OK\r\nContent-Le")
_HEAD = (
    Case("the head of the answer", "stalls in it", does(ReadAll(), _PART_OF_HEAD), 504, "response-timeout",
         health=TOO_LATE),
    Case("the head of the answer", "closes in it", does(ReadAll(), _PART_OF_HEAD, Close()), 502, "connection-lost",
         health=LOST),
    # A reset takes away what is on its way: nothing of the answer arrives.
    Case("the head of the answer", "resets before any of it arrives", does(ReadAll(), _PART_OF_HEAD, Reset()), 502,
         "connection-lost", spared=REPEATABLE, health=LOST),
    Case("the head of the answer", "sends one byte a second", does(ReadAll(), Trickle(Answer(200).head())), 504,
         "response-timeout", health=TOO_LATE),
    *(
        Case("the head of the answer", what, does(ReadAll(), step), 502, "bad-response", health=health)
        for what, step, health in (
            ("answers in another protocol", Respond(b"SSH-2.0-OpenSSH_9.2p1\r\n"), NO_HTTP),
            ("sends random bytes", Garbage(2000), NO_HTTP),
            ("announces two lengths",
             Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"), NO_HTTP),
            ("sends 300 fields", Answer(200, headers=[("X-Field", "x")] * 300),
             "the service sent a head of more than 256 fields"),
            ("sends a head without end", Respond(b"HTTP/1.1 200 OK\r\n" + b"X-Field: 0123456789\r\n" * 10_000),
             "the service sent a head of more than 65536 bytes"),
            ("switches protocols unasked", Respond(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
             "the service switched protocols without being asked to"),
        )
    ),
    *(
        Case("the head of the answer", f"says {status}", does(ReadAll(), Answer(status, b"sorry")), status,
             health=f"status {status}")
        for status in (500, 503)
    ),
)  # fmt: skip

_FRAMINGS: tuple[tuple[str, Step, Step], ...] = (
    ("a body of known length", Head(200, length=10), Respond(b"12345")),
    ("a body in chunks", Head(200, chunked=True), Chunk(b"12345")),
    ("a body until the end", Head(200), Respond(b"12345")),
)
_BODY = tuple(
    Case(f"the answer, {framing}", what, does(ReadAll(), head, *middle, end), 200, cut=cut, health=health)
    for framing, head, piece in _FRAMINGS
    for what, middle, end, cut, health in (
        ("stalls after the head", (), Stall(), "idle-timeout", TOO_LATE),
        ("closes after the head", (), Close(), "connection-lost", BROKEN),
        ("resets after the head", (Wait(0.1),), Reset(), "connection-lost", BROKEN),
        ("stalls in the body", (piece,), Stall(), "idle-timeout", TOO_LATE),
        ("closes in the body", (piece,), Close(), "connection-lost", BROKEN),
        ("resets in the body", (piece, Wait(0.1)), Reset(), "connection-lost", BROKEN),
    )
    if not (framing.endswith("the end") and what.startswith("closes"))
)

_END = (
    Case("the end of the answer", "closes after the head, where that is its end", does(ReadAll(), Head(200), Close()),
         200, breaker=ANSWER),
    Case("the end of the answer", "sends nonsense between chunks",
         does(ReadAll(), Head(200, chunked=True), Chunk(b"12345"), Wait(0.1), Respond(b"nonsense\r\n")), 200,
         cut="bad-response", health=BROKEN),
    *(
        Case("the end of the answer", f"{verb} before the last chunk", does(ReadAll(), Head(200, chunked=True),
             Chunk(b"12345"), step), 200, cut=cut, health=health)
        for verb, step, cut, health in (
            ("stalls", Stall(), "idle-timeout", TOO_LATE), ("closes", Close(), "connection-lost", BROKEN))
    ),
    *(
        Case("the end of the answer", f"{verb} before the trailers", does(ReadAll(), Head(200, chunked=True),
             Chunk(b"12345"), Respond(b"0\r\n"), step), 200, cut=cut, health=health)
        for verb, step, cut, health in (
            ("stalls", Stall(), "idle-timeout", TOO_LATE), ("closes", Close(), "connection-lost", BROKEN))
    ),
    Case("the end of the answer", "sends one byte a second", does(ReadAll(), Head(200, length=10),
         Trickle(b"0123456789")), 200, breaker=ANSWER, health=TOO_LATE),
    Case("the end of the answer", "stalls after it", does(ReadAll(), Answer(200, b"whole"), Stall()), 200,
         breaker=ANSWER),
    Case("the end of the answer", "resets after it", does(ReadAll(), Answer(200, b"whole"), Wait(0.1), Reset()), 200,
         breaker=ANSWER),
    Case("the end of the answer", "says more than it announced", does(ReadAll(), Answer(200, b"whole"),
         Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")), 200, breaker=ANSWER),
    Case("the end of the answer", "answers in chunks with trailers", does(ReadAll(), Head(200, chunked=True),
         Chunk(b"12345"), LastChunk([("X-Sum", "15")])), 200, breaker=ANSWER),
)  # fmt: skip

_EARLY = (
  *(
    Case("an answer while the request is coming", f"refuses, and {what}",
         does(ReadSome(1000), Answer(413, b"too much"), *then), 413, breaker=ANSWER, requests=UPLOADS,
         health="status 413")
    for what, then in (
        ("reads on", ()),
        ("stops reading", (StopReading(),)),
        ("closes", (Close(),)),
        ("resets", (Wait(0.1), Reset())),
    )
  ),
    *(
        Case("an answer while the request is coming", f"answers, stops reading, and {what}",
             does(StopReading(), Wait(0.5), Answer(200, b"enough", headers)), 200, breaker=ANSWER, requests=LARGE)
        for what, headers in (("wants to close", {"Connection": "close"}), ("keeps the connection", {}))
    ),
    Case("an answer while the request is coming", "says 500", does(ReadSome(1000), Answer(500, b"sorry")), 500,
         requests=UPLOADS, health="status 500"),
    Case("an answer while the request is coming", "answers, takes the rest, and ends the answer",
         does(ReadSome(1000), Head(200, chunked=True), Chunk(b"12345"), ReadAll(), LastChunk()), 200, breaker=ANSWER,
         requests=UPLOADS, takes_rest=True),
    Case("an answer while the request is coming", "answers in part, and stalls",
         does(ReadSome(1000), Head(200, chunked=True), Chunk(b"12345")), 200, cut="idle-timeout",
         requests=UPLOADS, health=TOO_LATE, takes_rest=True),
    Case("an answer while the request is coming", "answers in part, and closes",
         does(ReadSome(1000), Head(200, chunked=True), Chunk(b"12345"), Wait(0.1), Close()), 200,
         cut="connection-lost", requests=UPLOADS, health=BROKEN, takes_rest=True),
    Case("an answer while the request is coming", "sends nonsense", does(ReadSome(1000), Respond(b"nonsense\r\n\r\n")),
         502, "bad-response", requests=UPLOADS, health=NO_HTTP),
)  # fmt: skip

CASES: tuple[Case, ...] = (*_CONNECTING, *_IDLE, *_REQUEST, *_NO_HEAD, *_HEAD, *_BODY, *_END, *_EARLY)
"""The catalogue, in the order in which an exchange comes by."""
