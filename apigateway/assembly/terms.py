"""The terms on which a service is asked, from what the configuration says of the service, or of one of its routes."""

from __future__ import annotations

from collections.abc import Iterable

from apigateway.assembly.registry import Draft
from apigateway.config import model
from apigateway.upstream.steps.deadline_field import DeadlineField
from apigateway.upstream.steps.head_times import HeadTimes
from apigateway.upstream.steps.terms import Hedging, Terms
from apigateway.upstream.steps.time_limits import NEVER, TimeLimits


def terms_of(service: model.Service, options: model.Service | model.Policies, kept: Draft) -> Terms:
    """The terms for exchanges with a service, by the options of the service itself or of a route of it."""
    timeouts, retries, header = options.timeouts, options.retries, options.deadline_header
    own = service.timeouts
    return Terms(
        limits=TimeLimits(own.connect + own.pool, timeouts.response, timeouts.idle, timeouts.event_stream),
        retries=retries.attempts,
        total=NEVER if timeouts.total is None else timeouts.total,
        methods=frozenset(method.encode() for method in retries.methods),
        statuses=_statuses(retries.statuses),
        after_timeout=retries.timeouts,
        replay=retries.replay,
        backoff_s=retries.backoff,
        most_backoff_s=retries.max_backoff,
        # One and the same, so that terms that say the same are the same.
        deadline_field=None if header is None else kept.keep(("deadline", header), lambda: _field(header)),
        hedging=_hedging(service.name, options.hedging, kept),
    )


def _field(name: str) -> DeadlineField:
    return DeadlineField(name.encode())


def _statuses(ranges: Iterable[tuple[int, int]]) -> frozenset[int]:
    return frozenset(status for low, high in ranges for status in range(low, high + 1))


def _hedging(service: str, options: model.Hedging | None, kept: Draft) -> Hedging | None:
    """The times of a service's answers are kept where something depends on them, and outlive snapshots."""
    if options is None:
        return None
    if not isinstance(options.after, str):
        return Hedging(after_s=options.after)
    share = int(options.after[1:]) / 100
    return Hedging(None, share, options.at_least, kept.keep(("head-times", service), HeadTimes))
