"""`python -m bench.soak --minutes M`: a gateway under mixed load, with faults, restarts and reloads; then a verdict.

Exits with 0 where every error is explained, and nothing has grown or was left over.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

from bench.soak.asks import Asks
from bench.soak.clients import Clients
from bench.soak.history import History
from bench.soak.ledger import Ledger
from bench.soak.load import Load
from bench.soak.report import Report, compare, read_log
from bench.soak.services import GUARDED, LIMITED
from bench.soak.stage import Stage
from bench.soak.told import left_over, told
from bench.soak.watch import MORE_DESCRIPTORS, Samples, descriptors, watch

REST_S = 15.0
"""How long the gateway may take to be at rest when nobody asks any more."""

SETTLE_S = 3.0
"""How long the gateway runs before it is looked at, and loaded."""

MOST_SAMPLES = 120
"""How many of them go into the report."""

STOPPED = (0, -signal.SIGTERM)
"""How a process ends that was told to."""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="how long there is load (default 20)")
    parser.add_argument("--rate", type=float, default=300.0, help="requests a second, about (default 300)")
    parser.add_argument("--seed", type=int, default=1, help="what chance comes from (default 1)")
    parser.add_argument("--report", type=Path, help="also write the report to this file, as JSON")
    parser.add_argument("--keep", type=Path, help="where the processes' files stay (default: nowhere)")
    parser.add_argument("--no-reloads", action="store_true", help="leave the gateway's file as it is")
    parser.add_argument(
        "--undeclared", type=float, default=0.0, help="the share of faults that are kept secret: what finds them works"
    )
    return parser.parse_args()


@contextmanager
def folder(keep: Path | None) -> Iterator[Path]:
    """Where the processes' files are."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
    else:
        with tempfile.TemporaryDirectory(prefix="soak-") as made:
            yield Path(made)


async def _during(work: Coroutine[Any, Any, None], *beside: Coroutine[Any, Any, None]) -> list[str]:
    """Do the work while all that is beside goes on; what broke there."""
    tasks = [asyncio.ensure_future(one) for one in beside]
    await work
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    return [f"the soak itself broke: {one!r}" for one in ended if isinstance(one, Exception)]


async def _at_rest(stage: Stage, most: int) -> tuple[dict[str, Any], int]:
    """The statistics, and descriptors, when nothing is left over, or when time is over."""
    until = time.monotonic() + REST_S
    while True:
        statistics = await stage.statistics()
        count = descriptors(stage.gateway.pid)
        if (not any(left_over(statistics).values()) and count <= most) or time.monotonic() > until:
            return statistics, count
        await asyncio.sleep(0.25)


def _beside(stage: Stage, samples: Samples, reloads: bool) -> list[Coroutine[Any, Any, None]]:
    """What goes on while there is load."""
    always = [stage.restart_at_random(), watch(stage.gateway.pid, samples)]
    always += [stage.renewals.certificates_at_random(), stage.renewals.lists_at_random()]
    return [*always, stage.reload_at_random()] if reloads else always


async def soak(options: argparse.Namespace, place: Path) -> Report:
    """All of it."""
    report = Report(options.seed, options.minutes)
    ledger = Ledger(History(limited=LIMITED, guarded=GUARDED))
    stage = Stage(place, ledger.history, Random(options.seed))
    samples = Samples()
    try:
        await stage.start()
        # By then it has asked each service for its health, and keeps the connections.
        await asyncio.sleep(SETTLE_S)
        before = descriptors(stage.gateway.pid)
        random = Random(options.seed + 1)
        load = Load(Clients(stage.doors, ledger, random), Asks(random, options.undeclared), random)
        seconds = options.minutes * 60
        beside = _beside(stage, samples, reloads=not options.no_reloads)
        broken = await _during(load.run(options.rate, time.monotonic() + seconds), *beside)
        report.skipped_visits = load.skipped
        report.per_second = ledger.count / seconds
        if not stage.gateway.has_ended:
            statistics, after = await _at_rest(stage, before + MORE_DESCRIPTORS)
            report.left_over, report.told = left_over(statistics), told(statistics)
            report.descriptors = {"before": before, "at most": max(one[2] for one in samples.taken), "after": after}
        else:
            broken.append("the gateway ended by itself")
        report.exit_status = await stage.gateway.end(signal.SIGTERM)
    finally:
        await stage.gateway.end()
        await stage.end()
    _fill(report, ledger, stage, samples)
    report.problems = [*broken, *stage.troubles, *_problems(report, samples)]
    return report


def _fill(report: Report, ledger: Ledger, stage: Stage, samples: Samples) -> None:
    logged, wrong = read_log(stage.configuration.log)
    ledger.unexplained += [*wrong, *compare(ledger.ids, logged)]
    for group in stage.services.values():
        for one in group:
            ledger.unexplained += [line for line in one.printed().splitlines() if "serves" not in line]
    ledger.close(logged)
    report.exchanges = ledger.count
    report.kinds = dict(ledger.kinds)
    report.seen = dict(ledger.statuses)
    report.explained = dict(ledger.explained)
    report.unexplained = ledger.unexplained
    report.encrypted, report.messages, report.answered = ledger.encrypted, ledger.messages, dict(ledger.answered)
    report.restarts, report.reloads, report.bad_files = stage.restarts, stage.reloads, stage.bad_files
    report.certificates, report.lists = stage.renewals.certificates, stage.renewals.lists
    report.bad_files += stage.renewals.bad
    report.log_lines = len(logged)
    report.tracebacks = stage.gateway.printed().count("Traceback")
    report.samples = samples.thinned(MOST_SAMPLES)
    first, last = samples.ends()
    report.memory = {
        "MiB after warming up": round(first / 2**20, 1),
        "MiB at the end": round(last / 2**20, 1),
        "MiB an hour by a straight line": round(samples.slope() / 2**20, 1),
    }


def _problems(report: Report, samples: Samples) -> list[str]:
    found = {
        f"{len(report.unexplained)} unexplained": bool(report.unexplained),
        "nothing was exchanged": not report.exchanges,
        "no message came back": not report.messages,
        "memory grew": not samples.is_flat(),
        "descriptors were left open": report.descriptors.get("after", 0)
        > report.descriptors.get("before", 0) + MORE_DESCRIPTORS,
        f"something was left over: {report.left_over}": any(report.left_over.values()),
        f"{report.tracebacks} tracebacks in the log": bool(report.tracebacks),
        f"the gateway ended with {report.exit_status}": report.exit_status not in STOPPED,
    }
    return [problem for problem, is_there in found.items() if is_there]


def main() -> int:
    """Do what the command line asks for; the exit status."""
    options = arguments()
    # Whoever ends it ends the others too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with folder(options.keep) as place, suppress(KeyboardInterrupt):
        report = asyncio.run(soak(options, place))
        if options.report is not None:
            options.report.write_text(report.json(), encoding="utf-8")
        print(report.text())
        return 1 if report.problems else 0
    return 130


if __name__ == "__main__":
    sys.exit(main())
