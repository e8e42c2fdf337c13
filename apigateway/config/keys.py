"""The catalogue: every key of the file, what may stand there and what it means. Defaults are the model's.

Reading, the JSON Schema and the table in the documents are all made from it.
"""

from __future__ import annotations

from apigateway.config.extensions import Extensions
from apigateway.config.given import Given
from apigateway.config.kinds import ListOf, OneOrMany, OrFalse, Pairs, Shorthand
from apigateway.config.model import (
    CircuitBreaker,
    Cors,
    Fallback,
    Headers,
    HealthCheck,
    Policies,
    Pool,
    RateLimit,
    Retries,
    Route,
    Service,
    Target,
    Timeouts,
)
from apigateway.config.scalars import ANY_TEXT, BOOLEAN, choice, duration, integer, number, size, whole_seconds
from apigateway.config.tables import Key, Table, keys_of
from apigateway.config.web import (
    ALLOWED_PATH,
    CHANGED_FIELD,
    CORS_METHOD,
    FIELD_NAME,
    FIELD_VALUE,
    HOST,
    LIMIT_KEY,
    MEDIA_TYPE,
    METHOD,
    ORIGIN,
    PREFIX,
    PROBE_PATH,
    SERVICE_NAME,
    STATUS_RANGE,
    TARGET_URL,
)


def _with_head(methods: tuple[str, ...]) -> tuple[str, ...]:
    """Where GET is allowed HEAD is: it is the same without the body (RFC 9110 §9.3.2)."""
    return tuple(dict.fromkeys((*methods, *(("HEAD",) if "GET" in methods else ()))))


def _check_cors(given: Given) -> tuple[str, str] | None:
    """With credentials, "*" is no wildcard (Fetch standard, CORS protocol and credentials)."""
    if given.values.get("credentials"):
        for key in ("origins", "expose"):
            if "*" in given.values.get(key, ()):
                return key, '"*" does not go together with `credentials: true`; name each one'
    return None


def _check_fallback(given: Given) -> tuple[str, str] | None:
    if "service" in given.values and len(given.values) > 1:
        return "service", "either another service answers or a fixed answer is given, not both"
    return None


METHODS = ListOf(METHOD, 1, _with_head)

TIMEOUTS = Table(
    "timeouts",
    keys_of(
        Timeouts,
        connect=(duration(), "Until a connection to a target stands; then 504 `connect-timeout`."),
        response=(duration(), "From the request to the head of the answer; then 504 `response-timeout`."),
        idle=(duration(), "Without a byte of a body moving, in either direction; then 504 `idle-timeout`, or a cut."),
        pool=(duration(), "In the line for a connection, when all are busy; then 503 `pool-exhausted`."),
    ),
    Timeouts,
)

RATE_LIMIT = Table(
    "rate_limit",
    keys_of(
        RateLimit,
        limit=(integer(1), "This many requests …"),
        window=(duration(), "… in any span of this length."),
        key=(LIMIT_KEY, "Who is counted: the `client` (its address, IPv6 by /64), or a field: `header:X-Api-Key`."),
    ),
    RateLimit,
)

CIRCUIT_BREAKER = Table(
    "circuit_breaker",
    keys_of(
        CircuitBreaker,
        failures=(integer(1), "This many failures in a row open it."),
        recovery=(duration(), "How long it stays open before one probe is let through."),
        ratio=(OrFalse(number(0.001, 1)), "This share of failures within `window` opens it, too."),
        window=(duration(), "The span over which `ratio` is taken."),
        min_volume=(integer(1), "Fewer attempts within `window` than this, and `ratio` does not count."),
    ),
    CircuitBreaker,
)

HEALTH_CHECK = Table(
    "health_check",
    keys_of(
        HealthCheck,
        path=(PROBE_PATH, "What is asked for, with GET."),
        interval=(duration(), "How often each target is asked."),
        timeout=(duration(), "How long an answer may take."),
        unhealthy_after=(integer(1), "Bad answers in a row until a target is passed over."),
        healthy_after=(integer(1), "Good answers in a row until it is used again."),
        statuses=(ListOf(STATUS_RANGE, 1), "What is a good answer: `[200, 204]`, `[200-299, 401]`."),
    ),
    HealthCheck,
)

RETRIES = Table(
    "retries",
    keys_of(
        Retries,
        attempts=(integer(0, 10), "Further attempts after the first."),
        budget=(number(0, 1), "Further attempts, as a share of the service's requests, at most …"),
        min_per_second=(number(0), "… but this many a second in any case."),
    ),
    Retries,
)

POOL = Table(
    "pool",
    keys_of(
        Pool,
        connections=(integer(1), "Connections to one target, at most."),
        waiting=(integer(0), "Exchanges that wait for a connection, at most; then 503 `pool-exhausted`."),
        idle=(duration(), "How long an unused connection is kept."),
    ),
    Pool,
)

FALLBACK = Table(
    "fallback",
    keys_of(
        Fallback,
        status=(integer(200, 599), "The status of a fixed answer."),
        headers=(Pairs(CHANGED_FIELD, FIELD_VALUE), "Its header fields."),
        body=(ANY_TEXT, "Its body."),
        service=(SERVICE_NAME, "Instead of a fixed answer: the service that answers."),
    ),
    Fallback,
    _check_fallback,
    whole=True,
)

CORS = Table(
    "cors",
    keys_of(
        Cors,
        origins=(
            ListOf(ORIGIN, 1),
            'Whose pages may use it: `https://shop.example.com`, `https://*.example.com`, or `"*"` for all.',
        ),
        methods=(ListOf(CORS_METHOD, 1), 'Methods that they may use; `"*"` is all.'),
        headers=(ListOf(FIELD_NAME), 'Request fields that they may set, beyond the harmless ones; `"*"` is all.'),
        expose=(ListOf(FIELD_NAME), "Response fields that they may read, beyond the harmless ones."),
        credentials=(BOOLEAN, "Whether cookies and `Authorization` may come along."),
        max_age=(whole_seconds(), "How long a browser may remember the answer to a preflight."),
    ),
    Cors,
    _check_cors,
)

HEADERS = Table(
    "headers",
    keys_of(
        Headers,
        host=(choice("target", "pass"), "The `Host` that the service sees: its `target`'s, or the client's (`pass`)."),
        forwarded=(BOOLEAN, "Send `Forwarded` (RFC 7239) beside `X-Forwarded-For`, `-Proto` and `-Host`."),
        via=(BOOLEAN, "Send `Via`, both ways."),
        hide_server=(BOOLEAN, "Take `Server` and `X-Powered-By` out of answers."),
        security=(BOOLEAN, "Add `nosniff`, frame and referrer rules, and on TLS HSTS, to answers."),
        set_request=(Pairs(CHANGED_FIELD, FIELD_VALUE), "Fields of the request that are replaced or added."),
        remove_request=(ListOf(CHANGED_FIELD), "Fields of the request that are taken out."),
        set_response=(Pairs(CHANGED_FIELD, FIELD_VALUE), "Fields of the answer that are replaced or added."),
        remove_response=(ListOf(CHANGED_FIELD), "Fields of the answer that are taken out."),
    ),
    Headers,
)

POLICY_KEYS = keys_of(
    Policies,
    rate_limit=(
        OrFalse(OneOrMany(RATE_LIMIT), ()),
        "How many requests are admitted; a list holds several limits at once.",
    ),
    cors=(OrFalse(CORS), "Which pages of other origins may use the route."),
    max_body=(OrFalse(size(0)), "The largest request body; above it 413 `body-too-large`. `false`: no bound."),
    content_types=(
        ListOf(MEDIA_TYPE),
        "The only media types of request bodies; others get 415 `unsupported-media-type`. Empty: all.",
    ),
    required_headers=(ListOf(FIELD_NAME), "Request fields that must be there; else 400 `missing-header`."),
    headers=(HEADERS, "What happens to header fields."),
    allow_paths=(ListOf(ALLOWED_PATH), "Paths that are let through although they could be read in two ways."),
    policies=(Extensions(), "Policies of your own, by name, with their options; `false` switches one off."),
)

SHARED_KEYS = keys_of(
    Service,
    transport=(
        choice("native", "treq"),
        "How targets are spoken to; `treq` goes through Twisted's own client and can do `https`.",
    ),
    timeouts=(TIMEOUTS, "How long each step of an exchange may take."),
    circuit_breaker=(OrFalse(CIRCUIT_BREAKER), "When a failing target is given a rest."),
    health_check=(OrFalse(HEALTH_CHECK), "How targets are probed."),
    retries=(OrFalse(RETRIES, Retries(attempts=0)), "Further attempts after one that failed."),
    pool=(POOL, "Connections to each target."),
    max_in_flight=(integer(1), "Exchanges with the service in progress, at most; above it 503 `service-overloaded`."),
    fallback=(OrFalse(FALLBACK), "What is answered instead of 502, 503 and 504."),
    finish_abandoned=(BOOLEAN, "Let the service finish a request whose client went away, instead of cutting it."),
)

_MATCH_KEYS = keys_of(
    Route,
    host=(HOST, "The host that is asked for; without it, any."),
    methods=(METHODS, "The methods that are admitted, others get 405; without it, all. GET brings HEAD with it."),
    strip_prefix=(BOOLEAN, "Forward the path without the prefix."),
)

ROUTE_KEYS = {
    "path": Key(
        PREFIX, "The path prefix, up to a `/` or the end: `/api` is `/api` and `/api/x`, not `/apix`.", required=True
    ),
    **_MATCH_KEYS,
    "match_headers": Key(Pairs(FIELD_NAME, FIELD_VALUE), "Fields that must be there with just these values.", {}),
}

ROUTE = Table("route", ROUTE_KEYS | POLICY_KEYS)

TARGET = Table(
    "target",
    keys_of(
        Target,
        url=(TARGET_URL, "`http://host:port`; `https://` needs `transport: treq`."),
        weight=(integer(1, 1000), "Its share of the service's traffic, relative to the others'."),
    ),
    Target,
)

PLACE_KEYS = {
    "targets": Key(
        ListOf(Shorthand("url", TARGET), 1), "Where the service is: URLs, or URLs with weights.", required=True
    ),
    "prefix": Key(PREFIX, "The path prefix of a service with one route, as a route's `path`."),
    **_MATCH_KEYS,
    "routes": Key(ListOf(ROUTE, 1), "Several routes; `prefix`, `host`, `methods`, `strip_prefix` then stand in each."),
}

SERVICE = Table(
    "service",
    PLACE_KEYS | SHARED_KEYS | POLICY_KEYS,
    json={"oneOf": [{"required": ["prefix"]}, {"required": ["routes"]}]},
)

DEFAULTS = Table("defaults", SHARED_KEYS | POLICY_KEYS)
