"""The stages of the record: statistics, and lines of the access log."""

from __future__ import annotations

from collections.abc import Callable

from apigateway.exchange import Exchange
from apigateway.telemetry.lines import FORMATS, QUERY_RULES
from apigateway.telemetry.statistics import Statistics
from bench.stages.messages import ended_exchange
from bench.stages.stage import Now, Stage, Work

BATCH = 64


def _statistics(now: Now) -> Work:
    batch = [ended_exchange() for _ in range(BATCH)]
    return Work(Statistics(now).add, lambda: batch, BATCH)


def _line(format: str) -> Callable[[Now], Work]:
    def make(now: Now) -> Work:
        line = FORMATS[format](QUERY_RULES["keep"])

        def write(exchange: Exchange) -> None:
            line(exchange, 1_700_000_000.0)

        return Work(write, ended_exchange)

    return make


RECORDING = (
    Stage("count in the statistics", "record", _statistics, counts=True),
    *(Stage(f"access log line: {name}", "record", _line(name), name == "json") for name in FORMATS),
)
