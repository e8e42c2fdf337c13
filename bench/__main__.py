"""`python -m bench`: the gateway and its peers in turn, on the same work. Installs nothing; says what is missing."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from bench import duties, goals, tables
from bench.peers import CATALOGUE as PEERS
from bench.peers import Peer, found
from bench.run import Run
from bench.running import LOAD_CORE, PEER_CORE, service
from bench.workloads import CATALOGUE as WORKLOADS
from bench.workloads import QUICK

TOOLS = {
    "wrk": "apt-get install wrk",
    "nginx": "apt-get install nginx-light",
    "taskset": "apt-get install util-linux",
}
"""What a run can't do without."""

REPEATS = 2
"""How often a turn is repeated in which other processes had a part of the peer's core."""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--workloads", help=f"of: {', '.join(WORKLOADS)} (default: all)")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"of: {', '.join(PEERS)} (default: all)")
    parser.add_argument("--rounds", type=int, help="how often each has its turn (default 5)")
    parser.add_argument("--seconds", type=float, help="how long a turn is (default: as each workload says, 1 to 3)")
    parser.add_argument("--quick", action="store_true", help=f"one round of a second each of: {', '.join(QUICK)}")
    parser.add_argument(
        "--rate",
        type=float,
        help="of the paced workload (default: half of Envoy's capacity; without Envoy, of the first peer's)",
    )
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    parser.add_argument("--list", action="store_true", help="only say which workloads and peers there are")
    options = parser.parse_args()
    options.names = (options.workloads or ",".join(QUICK if options.quick else WORKLOADS)).split(",")
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.repeats = 0 if options.quick else REPEATS
    options.seconds = options.seconds or (1.0 if options.quick else None)
    return options


def known(names: list[str], catalogue: dict[str, object], what: str) -> None:
    """Exit where a name is in no catalogue."""
    if unknown := [name for name in names if name not in catalogue]:
        raise SystemExit(f"no such {what}: {', '.join(unknown)}; there are: {', '.join(catalogue)}")


def present(names: list[str]) -> list[Peer]:
    """The peers that can run here; says how to get the others."""
    for name in names:
        if not PEERS[name].is_present():
            print(f"{PEERS[name].title} is left out. To have it: {PEERS[name].how_to_get}", file=sys.stderr)
    return [PEERS[name] for name in names if PEERS[name].is_present()]


def missing_on_this_machine() -> list[str]:
    """What a run needs and the machine has not, and how to get it."""
    missing = [f"{name} is missing. To have it: {how}" for name, how in TOOLS.items() if found(name) is None]
    if not {PEER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        missing.append("two cores are needed: one for the peer, one for the load and the service behind")
    return missing


def main() -> None:
    """Run what the command line asks for; exits with 1 where requests failed or a workload could not be finished."""
    options = arguments()
    if options.list:
        print("\n".join(f"{name:14}{workload.title}" for name, workload in WORKLOADS.items()))
        print("\n".join(f"{name:18}{peer.title}; {peer.how_to_get}" for name, peer in PEERS.items()))
        return
    known(options.names, dict(WORKLOADS), "workload")
    known(options.peers.split(","), dict(PEERS), "peer")
    if missing := missing_on_this_machine():
        raise SystemExit("\n".join(missing))
    peers = present(options.peers.split(","))
    # Whoever ends it ends the peers too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, service(Path(folder)) as behind:
        run = Run(peers, Path(folder), behind.port, options.rounds, options.seconds, options.rate, options.repeats)
        print(tables.terminal(duties.rows(peers)))
        for name in options.names:
            run.attempt(WORKLOADS[name])
            if options.json:
                options.json.write_text(json.dumps(run.report, indent=1) + "\n", encoding="utf-8")
    print(f"\n{tables.terminal(goals.rows(run.report))}")
    if run.disturbed:
        print(f"in {run.disturbed} turns others had a part of the peer's core: repeat it while the machine is idle")
    raise SystemExit(verdict(run))


def verdict(run: Run) -> str | None:
    """What failed, if anything did."""
    failed = f"{run.bad} requests failed; see the column in the tables" if run.bad else ""
    unfinished = f"could not be finished: {', '.join(run.unfinished)}" if run.unfinished else ""
    return "\n".join(filter(None, (failed, unfinished))) or None


if __name__ == "__main__":
    main()
