"""The demo's event stream: a tick every so often, and a sign of life in between."""

from __future__ import annotations

import json

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from apigateway.demo.pages import argument

HEARTBEAT_S = 5.0
"""How often a comment is sent, which clients pass over: who waits in between knows that the stream is alive."""


@implementer(IPushProducer)
class Stream:
    """The ticks for one client. What a slow client has no room for is left out, so that the next one is in time."""

    def __init__(self, request: Request, clock: IReactorTime, target: str, number: int) -> None:
        self._request = request
        self._target = target
        self._number = number
        self._is_paused = False
        self._calls = [LoopingCall(self._tick), LoopingCall(self._beat)]
        for call in self._calls:
            call.clock = clock

    def begin(self, every_s: float) -> None:
        """The first tick is due now."""
        self._request.notifyFinish().addBoth(self._end)
        self._request.registerProducer(self, True)
        self._calls[0].start(every_s)
        self._calls[1].start(HEARTBEAT_S, now=False)

    def _tick(self) -> None:
        self._number += 1
        data = json.dumps({"number": self._number, "target": self._target})
        self._say(f"event: tick\nid: {self._number}\ndata: {data}\n\n")

    def _beat(self) -> None:
        self._say(": heartbeat\n\n")

    def _say(self, text: str) -> None:
        if not self._is_paused:
            self._request.write(text.encode())

    def _end(self, gone: Failure | None) -> None:
        for call in self._calls:
            if call.running:
                call.stop()

    def pauseProducing(self) -> None:
        """Called when the client reads slowly."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """Called when it has caught up."""
        self._is_paused = False

    def stopProducing(self) -> None:
        """Called when the client is gone; so is who waits for the end of the request."""


class Events:
    """`GET /api/events?seconds=N`: ticks with numbers, which go on where `Last-Event-ID` says that they ended."""

    def __init__(self, clock: IReactorTime, target: str) -> None:
        self._clock = clock
        self._target = target

    def render(self, request: Request) -> bytes | int:
        """Begin a stream that ends with its client."""
        request.setHeader(b"Content-Type", b"text/event-stream")
        request.setHeader(b"Cache-Control", b"no-store")
        if request.method == b"HEAD":
            return b""
        last = request.getHeader(b"Last-Event-ID") or b""
        number = int(last) if last.isdigit() and len(last) < 10 else 0
        Stream(request, self._clock, self._target, number).begin(argument(request, b"seconds", 1, 0.05, 3600))
        return NOT_DONE_YET
