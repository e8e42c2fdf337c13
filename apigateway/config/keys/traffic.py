"""The keys of routes and services that are about traffic to other services: the split and the mirror."""

from __future__ import annotations

from typing import Any

from apigateway.config.given import Given
from apigateway.config.kinds import ListOf, OneOrMany, OrFalse, Pairs
from apigateway.config.model import Mirror, Route, SplitRule
from apigateway.config.scalars import integer, matching, share, size
from apigateway.config.tables import Table, keys_of
from apigateway.config.web import COOKIE_NAME, CORS_METHOD, DEALT_BY, FIELD_NAME, FIELD_VALUE, SERVICE_NAME

COOKIE_VALUE = matching("the value of a cookie: no spaces, quotes, `,`, `;` and `\\`", r"[!#-+\--:<-\[\]-~]*")


def _check_rule(given: Given) -> tuple[str, str] | None:
    """A rule either matches or takes a share."""
    matches = [key for key in ("headers", "cookie") if key in given.values and given.values[key].values]
    if "share" not in given.values:
        if not matches:
            return "service", "for whom? a rule has `headers`, `cookie` or a `share`"
        if "by" in given.values:
            return "by", "tells how a `share` is dealt out, and there is none"
    elif matches:
        return matches[0], "a rule has either a `share` or what it matches, not both"
    return None


def _check_shares(rules: tuple[Any, ...]) -> tuple[int, str] | None:
    """What the shares of one split add up to, and how they are dealt out."""
    shared = [(number, rule) for number, rule in enumerate(rules) if rule.share is not None]
    total = 0.0
    for number, rule in shared:
        total += rule.share
        if round(total, 9) > 1.0:
            return number, f"the shares add up to {total * 100:g}%, which is more than all"
        if rule.by != shared[0][1].by:
            return number, f"all shares of a split are dealt out in one way; the first says `by: {shared[0][1].by}`"
    return None


SPLIT_RULE = Table(
    "split",
    keys_of(
        SplitRule,
        service=(SERVICE_NAME, "Where the requests go; it may have no route of its own."),
        headers=(Pairs(FIELD_NAME, FIELD_VALUE), "All that have just these fields, …"),
        cookie=(Pairs(COOKIE_NAME, COOKIE_VALUE, "a mapping from names of cookies to values"), "… and these cookies."),
        share=(share(), "So many of those that no rule matches: `5%`."),
        by=(
            DEALT_BY,
            "Who is in a share: whoever comes (`random`), or always the same by address (`client`), `header:NAME` or"
            " `cookie:NAME`.",
        ),
    ),
    SplitRule,
    _check_rule,
)

MIRROR = Table(
    "mirror",
    keys_of(
        Mirror,
        service=(SERVICE_NAME, "Where requests are sent again; it may have no route of its own."),
        share=(share(), "So many of them."),
        methods=(ListOf(CORS_METHOD, 1), 'Only those with these methods; `"*"` is all.'),
        max_body=(size(0), "None with a larger body."),
        in_flight=(integer(1), "So many at a time, at most; those above it are not sent again."),
    ),
    Mirror,
)

TRAFFIC_KEYS = keys_of(
    Route,
    split=(OrFalse(ListOf(SPLIT_RULE, 1, check=_check_shares), ()), "Which requests another service answers."),
    mirror=(OrFalse(OneOrMany(MIRROR), ()), "Where requests are sent a second time; nobody sees the answers."),
)
