"""The report of a soak: figures, and a verdict that follows from them alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MOST_SHOWN = 20


@dataclass
class Report:
    """What a soak saw. `problems` are all reasons why it was not well; without any, it was.

    `samples` are seconds since the load began, MiB of memory, and open descriptors. `encrypted` requests came by TLS;
    `messages` came back over WebSockets; `answered` counts the answers of each target; `told` is what the gateway says
    of itself; `left_over` is what was still under way when nobody asked any more.
    """

    seed: int
    minutes: float
    exchanges: int = 0
    per_second: float = 0.0
    encrypted: int = 0
    messages: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    explained: dict[str, int] = field(default_factory=dict)
    unexplained: list[str] = field(default_factory=list)
    restarts: int = 0
    reloads: int = 0
    certificates: int = 0
    lists: int = 0
    bad_files: int = 0
    skipped_visits: int = 0
    memory: dict[str, float] = field(default_factory=dict)
    samples: list[list[float]] = field(default_factory=list)
    descriptors: dict[str, int] = field(default_factory=dict)
    left_over: dict[str, int] = field(default_factory=dict)
    log_lines: int = 0
    tracebacks: int = 0
    exit_status: int = 0
    problems: list[str] = field(default_factory=list)

    def text(self) -> str:
        """For people."""
        lines = [
            f"{self.exchanges} exchanges in {self.minutes:g} min ({self.per_second:.0f} a second), seed {self.seed}; "
            f"{self.encrypted} of them by TLS; {self.messages} messages came back over WebSockets; "
            f"{self.skipped_visits} visits left out because too many were under way",
            f"{self.restarts} restarts of services, {self.reloads} reloads, {self.certificates} new certificates, "
            f"{self.lists} new lists of targets, {self.bad_files} files that cannot be used or trusted",
            _counted("requests by kind of client", self.kinds),
            f"answers by target: {_numbers(dict(sorted(self.answered.items())))}",
            f"told by the gateway: {_numbers(self.told)}",
            _counted("seen by clients", self.seen),
            _counted("explained", self.explained),
            f"unexplained: {len(self.unexplained)}",
            *(f"  {one}" for one in self.unexplained[:MOST_SHOWN]),
            f"memory: {_numbers(self.memory)}",
            f"descriptors: {_numbers(self.descriptors)}",
            f"left over at the end: {_numbers(self.left_over)}; lines in the access log: {self.log_lines}; "
            f"tracebacks in the log: {self.tracebacks}; exit status: {self.exit_status}",
            "well" if not self.problems else "NOT WELL:",
            *(f"  {problem}" for problem in self.problems),
        ]
        return "\n".join(lines)

    def json(self) -> str:
        """For programs."""
        return json.dumps(asdict(self), indent=1) + "\n"


def _counted(title: str, counts: Mapping[str, int]) -> str:
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "\n".join([f"{title}:", *(f"  {count:>9}  {name}" for name, count in rows)])


def _numbers(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.10g}" for name, value in values.items())


def read_log(file: Path) -> tuple[dict[str, tuple[int, str]], list[str]]:
    """The statuses and causes in an access log by request id, and what is wrong with it."""
    logged: dict[str, tuple[int, str]] = {}
    wrong: Counter[str] = Counter()
    with file.open(encoding="ascii") as lines:
        for line in lines:
            try:
                record: dict[str, Any] = json.loads(line)
            except ValueError:
                wrong["lines of the access log that are not JSON"] += 1
                continue
            if record["request_id"] in logged:
                wrong["request ids that are twice in the access log"] += 1
            logged[record["request_id"]] = record["status"], record["cause"] or ""
    return logged, [f"{count} {what}" for what, count in wrong.items()]


def compare(ids: Mapping[str, int], logged: Mapping[str, tuple[int, str]]) -> Iterable[str]:
    """Answers that clients have and the access log has not, or otherwise."""
    for request_id, status in ids.items():
        if request_id not in logged:
            yield f"the answer {request_id} ({status}) is not in the access log"
        elif logged[request_id][0] != status:
            yield f"the answer {request_id} was {status} for its client and {logged[request_id][0]} in the access log"
