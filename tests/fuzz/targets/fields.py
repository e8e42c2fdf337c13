"""The rules for header fields: what a client sends goes to the service, what the service answers goes to the client.

Each head that leaves is read again by h11 and by our own readers: one message, with the same method, target and body,
no byte that ends a line but those that we write, nothing that concerns one hop, nothing that is the gateway's to say,
and nothing that a rule takes out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apigateway.config.model import Cors, Headers, Policies, RateLimit
from apigateway.downstream.http1_answer import AnswerWriter
from apigateway.errors import GatewayError
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.http.fields import connection_options, response_fields, trailer_fields
from apigateway.http.heads import CHUNKED
from apigateway.http.problems import problem
from apigateway.http.request_message import RequestMessage
from apigateway.http.request_reader import HeadLimits, RequestReader
from apigateway.http.response_reader import ResponseReader
from apigateway.policies.catalogue import compile_policies
from apigateway.policies.policy import PolicyTools, request_side, response_side
from apigateway.stores.memory import MemoryRateLimiter
from apigateway.testing.downstream import RecordingDownstream
from apigateway.upstream.native.connection import NativeConnection
from apigateway.upstream.steps.plan import ForwardPlan
from tests.fuzz.target import Target, parts
from tests.fuzz.targets.answers import SEPARATOR, _Pool, _Transport
from tests.fuzz.targets.words import ANSWERS, REQUESTS
from tests.http.messages import Reading, h11_request, h11_response

OPTIONS: dict[str, Policies] = {
    "plain": Policies(rate_limit=()),
    "cors": Policies(
        cors=Cors(("https://shop.example.com", "https://*.example.com"), ("*",), ("*",), ("X-A",), credentials=True),
        required_headers=("Host",),
        headers=Headers(security=True),
    ),
    "rules": Policies(
        rate_limit=(RateLimit(10, 60.0, "header:X-A"), RateLimit(100, 1.0)),
        headers=Headers(
            set_request=(("X-Tenant", "ä"),), remove_request=("Cookie", "X-Secret"),
            set_response=(("X-Frame", "1"),), remove_response=("Set-Cookie",),
        ),
    ),
}  # fmt: skip
PLANS = {
    "plain": {},
    "cors": {"forwarded": True},
    "rules": {"strip": b"/a", "pass_host": True, "via": False, "forwarded": True},
}
ABOUT_ONE_HOP = {
    b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te",
    b"transfer-encoding", b"upgrade",
}  # fmt: skip
TAKEN_OUT = {b"cookie", b"x-secret"}
REQUEST_ID = b"0123456789abcdef"
PEER = "203.0.113.7"


def check(data: bytes) -> None:
    """The first line names one of `OPTIONS` and perhaps `trusted`; the rest is a request and, after the separator,
    what answers it."""
    script, rest = parts(data)
    words = script.decode("latin-1").split()
    name = next((word for word in words if word in OPTIONS), "plain")
    request, _, answer = rest.partition(SEPARATOR)
    reader = RequestReader(HeadLimits())
    reader.feed(request)
    for message in reader.ready:
        if message.complete:
            _check_exchange(name, "trusted" in words, message, answer)
    if reader.error is not None:
        _check_refusal(reader.error, reader.error_head)


def _check_refusal(error: GatewayError, head: Any) -> None:
    writer = AnswerWriter()
    writer.begin(head, complete=False, closing=True)
    answer = problem(error, head, REQUEST_ID)
    _check_answer(_sent(writer, answer, []), b"HEAD" if head.method == b"HEAD" else b"GET", answer.status, answer.body)


def _check_exchange(name: str, trusted: bool, message: RequestMessage, answer: bytes) -> None:
    head = message.head
    options = OPTIONS[name]
    tools = PolicyTools("one", "one", lambda name, limit: MemoryRateLimiter(limit.limit, limit.window), lambda: 1.0)
    policies = compile_policies(options, tools)
    plan = ForwardPlan(on_response=response_side(policies), **PLANS[name])  # type: ignore[arg-type]  # of one name each
    exchange = Exchange(head, RecordingDownstream(), PEER, False, 1.0, lambda exchange: None)
    exchange.request_id = REQUEST_ID
    exchange.trusted = trusted
    came = list(head.fields)
    refusal = _admit(exchange, policies)
    writer = AnswerWriter()
    writer.begin(head, complete=True, closing=False)
    if refusal is not None:
        extra = [*exchange.extra, (b"X-Request-Id", REQUEST_ID)]
        body = b"" if head.method == b"HEAD" else refusal.body
        _check_answer(_sent(writer, refusal, extra), head.method, refusal.status, body)
        return
    _check_request(name, trusted, _forwarded(plan, exchange, message), exchange, message, plan, came)
    _check_way_back(name, plan, exchange, writer, answer)


def _admit(exchange: Exchange, policies: Iterable[Any]) -> Answer | None:
    try:
        for side in request_side(policies):
            verdict = side(exchange)
            if verdict is not None:
                assert isinstance(verdict, Answer)
                return verdict
    except GatewayError as error:
        return problem(error, exchange.head, exchange.request_id)
    return None


def _sent(writer: AnswerWriter, answer: Answer, extra: list[tuple[bytes, bytes]]) -> bytes:
    lines = b"".join(b"%b: %b\r\n" % field for field in (*answer.fields, *extra))
    writer.add_head(answer.status, answer.reason, lines, len(answer.body), close=False)
    writer.add_body(answer.body)
    writer.add_end([])
    return writer.take()


def _check_answer(data: bytes, method: bytes, status: int, body: bytes) -> Reading:
    read = h11_response(data, method, at_end=True)
    assert read is not None, "an answer that h11 waits for more of"
    assert (read.start[0], read.body) == (b"%d" % status, b"" if method == b"HEAD" else body)
    _check_bytes(read)
    return read


def _check_bytes(read: Reading) -> None:
    for name, value in (*read.fields, *read.trailers):
        assert name, "a field without a name"
        assert not set(name + value) & set(b"\r\n\0"), (name, value)


def _forwarded(plan: ForwardPlan, exchange: Exchange, message: RequestMessage) -> bytes:
    """What the service receives."""
    pool: Any = _Pool()
    connection, transport = NativeConnection(pool), _Transport()
    connection.makeConnection(transport)
    head = message.head
    connection.start(head.method, plan.target(head), plan.request_lines(exchange, b"orders:80"), head.length)
    for chunk in message.chunks:
        connection.body(chunk)
    if head.length:
        connection.body_end(trailer_fields(message.trailers))
    connection.flush()
    value: bytes = transport.value()
    return value


def _check_request(
    name: str, trusted: bool, sent: bytes, exchange: Exchange, message: RequestMessage, plan: ForwardPlan,
    came: list[tuple[bytes, bytes]],
) -> None:  # fmt: skip
    head = message.head
    read = h11_request(sent)
    assert read is not None, sent
    body = b"".join(message.chunks)
    assert (read.start[0], read.start[1], read.body) == (head.method, plan.target(head), body), sent
    assert sent.endswith(body) if head.length != CHUNKED else sent.endswith(b"\r\n\r\n"), "more than one request"
    again = RequestReader(HeadLimits(head=1 << 20, fields=1000, uri=1 << 20))
    again.feed(sent)
    assert [one.complete for one in again.ready] == [True], again.error
    assert b"".join(again.ready[0].chunks) == body
    _check_bytes(read)
    names = [field.lower() for field, _ in read.fields]
    te = [value for field, value in read.fields if field == b"te"]
    assert te in ([], [b"trailers"])
    connection = [value for field, value in read.fields if field == b"connection"]
    assert connection == ([b"TE"] if te else []), connection
    assert set(names) & ABOUT_ONE_HOP <= {b"te", b"connection", b"transfer-encoding"}, names
    for own in (b"host", b"x-request-id", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"):
        assert names.count(own) == 1, (own, names)
    assert (b"x-request-id", REQUEST_ID) in read.fields
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    spoofed = [field for field in names if b"_" in field and field.replace(b"_", b"-").startswith(b"x-forwarded-")]
    assert not spoofed, spoofed
    if not trusted:
        assert (b"x-forwarded-for", PEER.encode()) in read.fields, read.fields
        assert b"x-real-ip" not in names
    _check_named(names, came)
    if name == "rules":
        assert not {field.replace(b"_", b"-") for field in names} & TAKEN_OUT, names


def _check_named(names: list[bytes], came: list[tuple[bytes, bytes]]) -> None:
    """What `Connection` named stayed here, but for what is the gateway's own to send."""
    options = [connection_options(value) for name, value in came if name.lower() == b"connection"]
    gone = frozenset().union(*options) if options else frozenset()
    own = ABOUT_ONE_HOP | {b"host", b"content-length", b"via", b"forwarded", b"x-request-id", b"x-tenant"}
    left = {name for name in names if name in gone and name not in own and not name.startswith(b"x-forwarded-")}
    assert not left, left


def _check_way_back(name: str, plan: ForwardPlan, exchange: Exchange, writer: AnswerWriter, answer: bytes) -> None:
    is_head = exchange.head.method == b"HEAD"
    reader = ResponseReader()
    reader.expect(is_head)
    reader.feed(answer)
    if reader.error is not None or not reader.status or not (reader.complete or reader.until_close):
        return
    for status, fields in reader.interim:
        if status != 100:
            writer.add_informational(status, response_fields(fields))
    body = b"".join(reader.chunks)
    writer.add_head(*plan.answer(exchange, reader.status, reader.reason, reader.lines, reader.length, 1.0), close=False)
    writer.add_body(body)
    writer.add_end(trailer_fields(reader.trailers))
    sent = writer.take()
    read = _check_answer(sent, exchange.head.method, reader.status, body)
    names = [field.lower() for field, _ in read.fields]
    assert set(names) & ABOUT_ONE_HOP <= {b"connection", b"transfer-encoding"}, names
    assert all(value in (b"close", b"keep-alive") for field, value in read.fields if field == b"connection")
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    assert [value for field, value in read.fields if field == b"x-request-id"] == [REQUEST_ID]
    assert names.count(b"date") >= 1
    assert not set(names) & {b"server", b"x-powered-by"}
    if name == "rules":
        assert b"set-cookie" not in names
        assert names.count(b"x-frame") == 1
    if name == "cors":
        _check_cors(exchange, read)


def _check_cors(exchange: Exchange, read: Reading) -> None:
    """No origin that is not allowed sees an answer, whatever the service says."""
    allowed = [value for field, value in read.fields if field == b"access-control-allow-origin"]
    origin = exchange.head.get(b"origin") or b""
    assert allowed in ([], [origin]), allowed
    if allowed:
        host = origin.lower().removeprefix(b"https://")
        assert host != origin.lower()
        assert host.endswith(b".example.com"), origin


TARGET = Target(
    check,
    (
        *REQUESTS,
        *ANSWERS,
        SEPARATOR,
        b"rules",
        b"cors",
        b"trusted",
        b"Cookie: a\r\n",
        b"X_Secret: b\r\n",
        b"X-Secret: b\r\n",
    ),
    short_runs=500,
)
