"""The demo's odd pages: slow, failing, large, and one that shows what arrived. All stream or answer at once."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IPullProducer, IReactorTime
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from apigateway.demo.pages import answer, argument, body_of

CHUNK = b"0123456789abcdef" * 4096
MOST_BYTES = 2**40
MOST_SECONDS = 300


class Slow:
    """`GET /api/slow?seconds=N`: answers after a while, unless the client goes away before."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock

    def render(self, request: Request) -> int:
        """Put the answer off."""
        seconds = argument(request, b"seconds", 2, 0, MOST_SECONDS)
        call = self._clock.callLater(seconds, self._answer, request, seconds)
        request.notifyFinish().addErrback(self._forget, call)
        return NOT_DONE_YET

    def _answer(self, request: Request, seconds: float) -> None:
        request.write(answer(request, 200, {"slept": seconds}))
        request.finish()

    def _forget(self, gone: Failure, call: IDelayedCall) -> None:
        call.cancel()


def fail(request: Request) -> bytes:
    """`/api/fail?status=N`: an error, 500 where no status is asked for."""
    status = int(argument(request, b"status", 500, 400, 599))
    return answer(request, status, {"error": "as you wished", "status": status})


@implementer(IPullProducer)
class Download:
    """The body of `/api/download`: a chunk each time the connection has room for one."""

    def __init__(self, request: Request, length: int) -> None:
        self._request = request
        self._left = length

    def resumeProducing(self) -> None:
        """Called by the transport when it has written all it had."""
        piece = CHUNK[: self._left]
        self._left -= len(piece)
        self._request.write(piece)
        if not self._left:
            self._request.unregisterProducer()
            self._request.finish()

    def stopProducing(self) -> None:
        """Called by the transport when the client is gone."""
        self._left = 0


def download(request: Request) -> bytes | int:
    """`GET /api/download?bytes=N`: N bytes, as fast as they are taken."""
    length = int(argument(request, b"bytes", 1 << 20, 0, MOST_BYTES))
    request.setHeader(b"Content-Type", b"application/octet-stream")
    request.setHeader(b"Content-Length", str(length).encode())
    if request.method == b"HEAD" or not length:
        return b""
    request.registerProducer(Download(request, length), False)
    return NOT_DONE_YET


def upload(request: Request) -> bytes:
    """`POST` or `PUT /api/upload`: the length and the checksum of what was sent."""
    body = body_of(request)
    return answer(request, 200, {"bytes": body.length, "sha256": body.sha256()})


def shown(request: Request) -> bytes:
    """`GET /api/headers`: the request as it arrived here."""
    fields = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in _fields(request)]
    return answer(
        request, 200, {"method": request.method.decode(), "uri": request.uri.decode("latin-1"), "headers": fields}
    )


def _fields(request: Request) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, values in request.requestHeaders.getAllRawHeaders() for value in values]
