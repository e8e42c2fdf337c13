"""The keys of services: their targets, and how those are reached, watched, chosen and spared."""

from __future__ import annotations

from apigateway.config.given import Given
from apigateway.config.keys.balance import BALANCE_KIND, OUTLIERS
from apigateway.config.keys.discovery import DISCOVERY
from apigateway.config.keys.retries import SERVICE_ATTEMPT_KEYS
from apigateway.config.keys.route import MATCH_KEYS, POLICY_KEYS, ROUTE
from apigateway.config.keys.traffic import TRAFFIC_KEYS
from apigateway.config.keys.upstream_tls import UPSTREAM_TLS
from apigateway.config.kinds import ListOf, OrFalse, Pairs, Shorthand
from apigateway.config.model import (
    CircuitBreaker,
    Fallback,
    HealthCheck,
    Pool,
    Service,
    Target,
)
from apigateway.config.scalars import ANY_TEXT, BOOLEAN, choice, duration, integer, number
from apigateway.config.tables import Key, Table, keys_of
from apigateway.config.web import (
    CHANGED_FIELD,
    FIELD_VALUE,
    PREFIX,
    PROBE_PATH,
    SERVICE_NAME,
    STATUS_RANGE,
    TARGET_URL,
)


def _check_fallback(given: Given) -> tuple[str, str] | None:
    if "service" in given.values and len(given.values) > 1:
        return "service", "either another service answers or a fixed answer is given, not both"
    return None


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

SHARED_KEYS = SERVICE_ATTEMPT_KEYS | keys_of(
    Service,
    transport=(
        choice("native", "treq"),
        "How targets are spoken to; `treq` goes through Twisted's own client.",
    ),
    tls=(UPSTREAM_TLS, "How `https://` targets are spoken to and verified."),
    circuit_breaker=(OrFalse(CIRCUIT_BREAKER), "When a failing target is given a rest."),
    health_check=(OrFalse(HEALTH_CHECK), "How targets are probed."),
    balance=(BALANCE_KIND, "How exchanges are spread over several targets."),
    outliers=(OrFalse(OUTLIERS), "When a target that fails more than the others is left out."),
    pool=(POOL, "Connections to each target."),
    max_in_flight=(integer(1), "Exchanges with the service in progress, at most; above it 503 `service-overloaded`."),
    fallback=(OrFalse(FALLBACK), "What is answered instead of 502, 503 and 504."),
    finish_abandoned=(BOOLEAN, "Let the service finish a request whose client went away, instead of cutting it."),
)

TARGET = Table(
    "target",
    keys_of(
        Target,
        url=(TARGET_URL, "`http://host:port`, or `https://`: see `tls`."),
        weight=(integer(1, 1000), "Its share of the service's traffic, relative to the others'."),
    ),
    Target,
)

PLACE_KEYS = {
    "targets": Key(
        ListOf(Shorthand("url", TARGET), 1), "Where the service is: URLs, or URLs with weights. Or else `discovery`."
    ),
    "discovery": Key(DISCOVERY, "Where its targets are found while the gateway runs, instead of `targets`."),
    "prefix": Key(PREFIX, "The path prefix of a service with one route, as a route's `path`."),
    **MATCH_KEYS,
    "routes": Key(ListOf(ROUTE, 1), "Several routes; `prefix`, `host`, `methods`, `strip_prefix` then stand in each."),
}

SERVICE = Table(
    "service",
    PLACE_KEYS | SHARED_KEYS | TRAFFIC_KEYS | POLICY_KEYS | SHARED_KEYS,
    json={
        "oneOf": [{"required": ["targets"]}, {"required": ["discovery"]}],
        "not": {"required": ["prefix", "routes"]},
    },
)

# What may stand in routes stands in both: there is more of it here.
DEFAULTS = Table("defaults", SHARED_KEYS | POLICY_KEYS | SHARED_KEYS)
