"""aiohttp's server and client as a gateway, on uvloop: the limit in a middleware, long bodies streamed."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TextIO

import uvloop
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict
from yarl import URL

from bench.peers.client_limit import ClientLimit

UPSTREAM = f"http://127.0.0.1:{os.environ['UPSTREAM']}"
HOP_BY_HOP = ("Connection", "Keep-Alive", "Proxy-Connection", "TE", "Transfer-Encoding", "Upgrade")
WHOLE_BYTES = 65536
"""Up to this length an answer is taken whole and sent with its head in one write, which costs less than a stream."""

LOG_SECONDS = 1.0
"""How long a line of the access log may wait to be written together with others."""

SESSION = web.AppKey("session", ClientSession)
LIMIT = web.AppKey("limit", ClientLimit)


@web.middleware
async def limited(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse who is above the limit. The second argument's name is aiohttp's: it is given by that."""
    if not request.app[LIMIT].admits(request.remote or ""):
        return web.Response(status=429)
    return await handler(request)


def upstream_headers(request: web.Request) -> CIMultiDict[str]:
    """What the service is sent."""
    headers = CIMultiDict(request.headers)
    for name in (*HOP_BY_HOP, "Host"):
        headers.popall(name, None)
    headers["X-Request-Id"] = str(uuid.uuid4())
    headers["X-Forwarded-For"] = request.remote or ""
    headers["X-Forwarded-Proto"] = request.scheme
    headers["X-Forwarded-Host"] = request.host
    return headers


def client_headers(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """What the client is answered."""
    for name in HOP_BY_HOP:
        headers.popall(name, None)
    return headers


async def forward(request: web.Request) -> web.StreamResponse:
    """One request, to the service and back."""
    body = request.content if request.body_exists else None
    async with request.app[SESSION].request(
        request.method,
        URL(UPSTREAM + request.raw_path, encoded=True),
        headers=upstream_headers(request),
        data=body,
        allow_redirects=False,
    ) as answer:
        headers = client_headers(CIMultiDict(answer.headers))
        if answer.content_length is not None and answer.content_length <= WHOLE_BYTES:
            return web.Response(status=answer.status, headers=headers, body=await answer.read())
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)
        async for piece in answer.content.iter_any():
            await response.write(piece)
        await response.write_eof()
        return response


async def with_session(app: web.Application) -> AsyncIterator[None]:
    """One session, with kept connections and no bound on their number, for as long as the server runs."""
    connector = TCPConnector(limit=0, keepalive_timeout=75)
    cookies, timeout = DummyCookieJar(), ClientTimeout(total=None)
    async with ClientSession(
        connector=connector, cookie_jar=cookies, auto_decompress=False, timeout=timeout
    ) as session:
        app[SESSION] = session
        yield


class BatchedLog(logging.StreamHandler[TextIO]):
    """Lines gather in the file's buffer; a write for each would be a tenth of the whole cost of a request."""

    def flush(self) -> None:
        """Called after each line: the buffer is written when it is full, or by `with_batches`."""


async def with_batches(app: web.Application) -> AsyncIterator[None]:
    """Writes the access log in batches for as long as the server runs."""
    with open(os.environ["LOG"], "a", encoding="utf-8") as file:
        logger = logging.getLogger("aiohttp.access")
        logger.addHandler(BatchedLog(file))
        logger.setLevel(logging.INFO)
        logger.propagate = False
        writing = asyncio.create_task(_write_in_time(file))
        yield
        writing.cancel()


async def _write_in_time(file: TextIO) -> None:
    while True:
        await asyncio.sleep(LOG_SECONDS)
        file.flush()


def application() -> web.Application:
    """The gateway."""
    app = web.Application(middlewares=[limited], client_max_size=0)
    app[LIMIT] = ClientLimit(int(os.environ["LIMIT"]), time.monotonic)
    app.cleanup_ctx.extend((with_session, with_batches))
    app.router.add_route("*", "/{path:.*}", forward)
    return app


def main() -> None:
    """Serve."""
    # As the logging manual advises where speed counts.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    web.run_app(
        application(), host="127.0.0.1", port=int(os.environ["PORT"]), backlog=1024, keepalive_timeout=75, print=None
    )


if __name__ == "__main__":
    main()
