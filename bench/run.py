"""One run: workload after workload, each with its table; what came of it so far is a report at any time."""

from __future__ import annotations

import resource
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from bench import report, tables
from bench.peers import Peer
from bench.rounds import run
from bench.turn import DISTURBANCE
from bench.workloads import CATALOGUE, Entrant, Workload

SPARE_FILES = 500
CAPACITY_SECONDS = 2.0


def has_files_for(workload: Workload) -> bool:
    """Whether a process may have as many connections open as the workload has clients; asks for as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = workload.clients + SPARE_FILES
    if soft < wanted <= hard or hard == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= wanted:
        return True
    print(f"{workload.name} is left out: it needs `ulimit -n {wanted}`, and {hard} is the most here", file=sys.stderr)
    return False


class Run:
    """One run of the benchmark with some peers, who find the service at the port `upstream`.

    `seconds` is how long a turn is, instead of what the workloads say, and `rate` that of the paced one. A disturbed
    turn is repeated `repeats` times at most. `bad` and `unfinished` tell afterwards what failed.
    """

    def __init__(
        self,
        peers: Sequence[Peer],
        folder: Path,
        upstream: int,
        rounds: int,
        seconds: float | None = None,
        rate: float | None = None,
        repeats: int = 0,
    ) -> None:
        self._peers = peers
        self._folder = folder
        self._upstream = upstream
        self._rounds = rounds
        self._seconds = seconds
        self._given_rate = rate
        self._repeats = repeats
        self.report: report.Report = {
            "date": report.started_at(),
            "command": report.command(sys.argv[1:]),
            "machine": report.machine(),
            "versions": report.versions(peers),
            "workloads": {},
        }
        self.unfinished: list[str] = []

    def attempt(self, workload: Workload) -> None:
        """Run one workload; one that can't be finished is told of, and does not spoil those before and after it."""
        try:
            self._measure(workload)
        except Exception:
            traceback.print_exc()
            self.unfinished.append(workload.name)

    def _measure(self, workload: Workload) -> None:
        entrants = self._entrants(workload)
        if not entrants or not has_files_for(workload):
            return
        seconds = self._seconds or workload.seconds
        rate = self._rate() if workload.kind == "paced" else 0.0
        turns = run(workload, entrants, self._rounds, seconds, rate, self._folder, self._upstream, self._repeats)
        done = report.of_workload(workload, turns, seconds, rate)
        self.report["workloads"][workload.name] = done
        print(f"\n{tables.heading(done)}\n{tables.terminal(tables.rows(done))}", flush=True)

    def _entrants(self, workload: Workload) -> tuple[Entrant, ...]:
        names = {peer.name for peer in self._peers}
        return tuple(entrant for entrant in workload.entrants if entrant.peer in names)

    def _rate(self) -> float:
        """Half of Envoy's capacity in this run; without Envoy, of the first peer's."""
        if self._given_rate:
            return self._given_rate
        json = CATALOGUE["json-64"]
        cells = self.report["workloads"].get(json.name, {}).get("cells", {})
        names = [peer.name for peer in self._peers]
        name = "envoy" if "envoy" in names else names[0]
        if name not in cells:
            entrants = tuple(entrant for entrant in json.entrants if entrant.peer == name)
            turns = run(json, entrants, 1, CAPACITY_SECONDS, 0.0, self._folder, self._upstream)
            cells = {name: report.cell(turns)}
        return round(float(cells[name]["per_second"]["median"]) / 2)

    @property
    def disturbed(self) -> int:
        """In how many turns other processes had more than a little of the peer's core."""
        cells = [cell for workload in self.report["workloads"].values() for cell in workload["cells"].values()]
        return sum(share > DISTURBANCE for cell in cells for share in cell["others"]["all"])

    @property
    def bad(self) -> int:
        """How many requests failed, of all."""
        return sum(cell["bad"] for workload in self.report["workloads"].values() for cell in workload["cells"].values())
