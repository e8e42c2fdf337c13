"""Sends exchanges through the policies of a route, to a service that only answers."""

from collections.abc import Callable, Iterable

from apigateway.config import model
from apigateway.errors import GatewayError
from apigateway.exchange import Exchange
from apigateway.http.heads import ResponseHead
from apigateway.http.lines import join_lines
from apigateway.interfaces import Fields, IRateLimiter
from apigateway.policies.catalogue import compile_policies
from apigateway.policies.policy import Policy, PolicyTools, request_side, response_side
from apigateway.stores.memory import MemoryRateLimiter
from apigateway.testing.downstream import RecordingDownstream

QUIET = model.Headers(hide_server=False)


def options(
    cors: model.Cors | None = None,
    max_body: int | None = None,
    content_types: tuple[str, ...] = (),
    required_headers: tuple[str, ...] = (),
    headers: model.Headers = QUIET,
    rate_limit: tuple[model.RateLimit, ...] = (),
) -> model.Policies:
    """A route's options, with everything off that is not named."""
    return model.Policies(rate_limit, cors, max_body, content_types, required_headers, headers)


def tools(now: Callable[[], float] = lambda: 0.0) -> PolicyTools:
    """Tools with rate limiters of their own."""
    limiters: dict[str, IRateLimiter] = {}

    def limiter(name: str, limit: model.RateLimit) -> IRateLimiter:
        return limiters.setdefault(name, MemoryRateLimiter(limit.limit, limit.window))

    return PolicyTools("orders", "/orders", limiter, now)


def compiled(chosen: model.Policies, now: Callable[[], float] = lambda: 0.0) -> tuple[Policy, ...]:
    """The policies of these options."""
    return compile_policies(chosen, tools(now))


def answered(
    policies: tuple[Policy, ...], exchange: Exchange, fields: Iterable[tuple[bytes, bytes]] = ()
) -> RecordingDownstream:
    """What the client gets where the service answers 200 with these fields."""
    downstream = exchange.downstream
    assert isinstance(downstream, RecordingDownstream)
    try:
        if not any(_stops(side(exchange), exchange) for side in request_side(policies)):
            _answer(policies, exchange, list(fields))
    except GatewayError as error:
        exchange.fail(error)
    return downstream


def fields_of(answer: RecordingDownstream) -> Fields:
    """The fields of an answer but those that every answer has."""
    return [field for field in answer.fields if field[0] not in (b"X-Request-Id", b"Date")]


def _stops(verdict: object, exchange: Exchange) -> bool:
    if verdict is not None:
        exchange.answer(verdict)  # type: ignore[arg-type]  # no policy of ours answers later
    return verdict is not None


def _answer(policies: tuple[Policy, ...], exchange: Exchange, fields: Fields) -> None:
    head = ResponseHead(200, b"OK", join_lines(fields), 0)
    for side in response_side(policies):
        side(exchange, head)
    downstream = exchange.downstream
    downstream.send_head(head.status, head.reason, head.lines + join_lines(exchange.extra), head.length)
    downstream.finish([])
    downstream.flush()
