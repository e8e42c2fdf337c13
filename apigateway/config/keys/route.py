"""The keys of routes: what a route matches, and the policies for its exchanges, which may stand above it as well."""

from __future__ import annotations

from apigateway.config.extensions import Extensions
from apigateway.config.given import Given
from apigateway.config.keys.retries import ROUTE_ATTEMPT_KEYS
from apigateway.config.keys.traffic import TRAFFIC_KEYS
from apigateway.config.keys.upgrades import UPGRADES
from apigateway.config.kinds import ListOf, OneOrMany, OrFalse, Pairs
from apigateway.config.model import (
    Cors,
    Headers,
    Policies,
    RateLimit,
    Route,
)
from apigateway.config.scalars import BOOLEAN, choice, duration, integer, size, whole_seconds
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


METHODS = ListOf(METHOD, 1, _with_head)

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

POLICY_KEYS = ROUTE_ATTEMPT_KEYS | keys_of(
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
    upgrades=(OrFalse(UPGRADES), "What connections may become other than HTTP: WebSockets, and what is named here."),
    policies=(Extensions(), "Policies of your own, by name, with their options; `false` switches one off."),
)

MATCH_KEYS = keys_of(
    Route,
    host=(HOST, "The host that is asked for; without it, any."),
    methods=(METHODS, "The methods that are admitted, others get 405; without it, all. GET brings HEAD with it."),
    strip_prefix=(BOOLEAN, "Forward the path without the prefix."),
)

ROUTE_KEYS = {
    "path": Key(
        PREFIX, "The path prefix, up to a `/` or the end: `/api` is `/api` and `/api/x`, not `/apix`.", required=True
    ),
    **MATCH_KEYS,
    "match_headers": Key(Pairs(FIELD_NAME, FIELD_VALUE), "Fields that must be there with just these values.", {}),
}

ROUTE = Table("route", ROUTE_KEYS | TRAFFIC_KEYS | POLICY_KEYS)
