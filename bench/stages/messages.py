"""The bytes that go through the stages: a browser's requests, and a service's answers to them."""

from __future__ import annotations

from itertools import cycle

from apigateway.exchange import Exchange
from apigateway.http.heads import RequestHead
from apigateway.http.request_reader import HeadLimits, RequestReader
from apigateway.testing.downstream import RecordingDownstream
from bench.load.answers import PRODUCT, request_head

PORT = 8000
CLIENT = "127.0.0.1"
REQUEST_ID = b"0123456789abcdef0123456789abcdef"

REQUEST = request_head("GET", PRODUCT, PORT)
"""What a browser sends, twelve fields, as in the benchmark."""

OTHERS = tuple(request_head("GET", PRODUCT, PORT, {"X-Page": str(number)}) for number in range(16))
"""The same from clients that don't repeat themselves."""

UNUSUAL = request_head("GET", PRODUCT, PORT, {"X_Page": "1"})
"""A head that is not ordinary, by a single name: llhttp reads it."""

BODY = b'{"id": 1, "name": "Widget", "price": 9.99, "in_stock": true, "tags": ["small", "blue"]}'

_FIELDS = b"Server: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 23:58:45 GMT\r\nContent-Type: application/json\r\n"
_LENGTH = b"Content-Length: %d\r\n" % len(BODY)

ANSWER = b"HTTP/1.1 200 OK\r\n%b%bConnection: keep-alive\r\n\r\n%b" % (_FIELDS, _LENGTH, BODY)
"""An ordinary answer, whole."""

UNUSUAL_ANSWER = ANSWER.replace(b"Server:", b"X_Page: 1\r\nServer:")
CHUNKED_ANSWER = b"HTTP/1.1 200 OK\r\n%bTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
    _FIELDS,
    len(BODY),
    BODY,
)
LINES = _FIELDS
"""The answer's fields that go on to the client."""

DOWNSTREAM = RecordingDownstream()


class Heads:
    """Fresh heads, read as the gateway reads those of different clients. `more` are further fields."""

    def __init__(self, method: str = "GET", more: dict[str, str] | None = None, body: bytes = b"") -> None:
        requests = [request_head(method, PRODUCT, PORT, {"X-Page": str(n), **(more or {})}) + body for n in range(16)]
        self._requests = cycle(requests)
        self._reader = RequestReader(HeadLimits())

    def __call__(self) -> RequestHead:
        self._reader.feed(next(self._requests))
        return self._reader.ready.popleft().head


def exchange_of(head: RequestHead) -> Exchange:
    """An exchange that has just begun, with its id."""
    exchange = Exchange(head, DOWNSTREAM, CLIENT, False, 1000.0, ignore)
    exchange.request_id = REQUEST_ID
    return exchange


def ended_exchange() -> Exchange:
    """An exchange that went well, ready to be recorded."""
    exchange = exchange_of(Heads()())
    exchange.route = "/api"
    exchange.service = "product"
    exchange.target = "http://127.0.0.1:9001"
    exchange.status = 200
    exchange.sent, exchange.answered, exchange.ended = 1000.0001, 1000.0011, 1000.0012
    exchange.attempts = 1
    exchange.bytes_out = len(BODY)
    return exchange


def ignore(exchange: Exchange) -> None:
    """Observe nothing."""
