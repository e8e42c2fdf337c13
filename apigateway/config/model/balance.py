"""How exchanges are spread over the targets of a service, and which targets are left out."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sticky:
    """Sessions that stay at a target, by a cookie. `cookie` None is `gateway-target-` and the service's name;
    `max_age` None ends with the browser.
    """

    secret: str = field(repr=False)
    cookie: str | None = None
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """`key` and `bound` are of the strategy "hash", `decay` is of "latency"."""

    strategy: str = "least-requests"
    key: str = "client"
    bound: float = 1.25
    decay: float = 10.0
    slow_start: float = 10.0
    sticky: Sticky | None = None


@dataclass(frozen=True, slots=True)
class Outliers:
    """When a target that fails more than the others is left out."""

    window: float = 10.0
    min_attempts: int = 20
    excess: float = 0.3
    time: float = 30.0
    max_time: float = 300.0
