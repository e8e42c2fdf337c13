"""The keys for many targets: how exchanges are spread over them, and which are left out."""

from __future__ import annotations

from apigateway.config.given import Given
from apigateway.config.kinds import OrFalse, Shorthand
from apigateway.config.model.balance import Balance, Outliers, Sticky
from apigateway.config.scalars import choice, duration, integer, number, whole_seconds
from apigateway.config.tables import Table, keys_of
from apigateway.config.web import BALANCE_KEY, COOKIE_NAME, SECRET

STRATEGIES = ("least-requests", "round-robin", "hash", "latency", "random")


_OF = {"key": "hash", "bound": "hash", "decay": "latency"}
"""The strategy that alone heeds a key."""


def _check_balance(given: Given) -> tuple[str, str] | None:
    """A key says what is wanted only together with its strategy."""
    alone = [key for key in _OF if key in given.values and "strategy" not in given.values]
    return (alone[0], f"is heeded by `strategy: {_OF[alone[0]]}` only, and no strategy is given") if alone else None


def _check_outliers(given: Given) -> tuple[str, str] | None:
    time, longest = (given.values.get(key, getattr(Outliers(), key)) for key in ("time", "max_time"))
    return ("max_time", "is shorter than `time`") if longest < time else None


STICKY = Table(
    "sticky",
    keys_of(
        Sticky,
        secret=(
            SECRET,
            "What signs the cookies, on all gateways the same; make one with `openssl rand -hex 32`.",
        ),
        cookie=(COOKIE_NAME, "The name of the cookie; without it, `gateway-target-` and the service's name."),
        max_age=(OrFalse(whole_seconds(1)), "How long a browser keeps the cookie. `false`: until it is closed."),
    ),
    Sticky,
)

BALANCE = Table(
    "balance",
    keys_of(
        Balance,
        strategy=(choice(*STRATEGIES), "How a target is chosen."),
        key=(BALANCE_KEY, "`hash`: what decides where a request goes, `client` or `path`, `header:…` or `cookie:…`."),
        bound=(number(1.01, 100), "`hash`: a target has at most so many times its share of what is in progress."),
        decay=(duration(), "`latency`: how long an answer is remembered, about."),
        slow_start=(duration(0), "How long it takes until a target that comes back has its whole share; 0: at once."),
        sticky=(OrFalse(STICKY), "Let clients stay at the target that answered them first, by a cookie."),
    ),
    Balance,
    _check_balance,
)

OUTLIERS = Table(
    "outliers",
    keys_of(
        Outliers,
        window=(duration(1), "How often targets are compared, and over how long."),
        min_attempts=(integer(1), "Fewer attempts in a window, at a target or at all others, say nothing."),
        excess=(number(0.01, 1), "Its share of failures is so much larger than the others': 0.3 is 30 % more."),
        time=(duration(1), "How long a target is left out the first time; the second time twice as long, and so on …"),
        max_time=(duration(1), "… but never longer than this."),
    ),
    Outliers,
    _check_outliers,
)

BALANCE_KIND = Shorthand("strategy", BALANCE)
