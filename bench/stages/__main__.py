"""`python -m bench.stages`: what each stage of an exchange costs alone, and the whole way in memory."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from bench.running import PEER_CORE
from bench.stages import instructions
from bench.stages.catalogue import GROUPS, catalogue, chosen
from bench.stages.clock import timed
from bench.stages.report import report, shown

ROUNDS = 200


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("--only", help=f"groups ({', '.join(GROUPS)}) or words of names, separated by commas")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often each has its turn (default {ROUNDS})")
    parser.add_argument(
        "--instructions", action="store_true", help="also count instructions, with valgrind; takes a minute or two"
    )
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    parser.add_argument("--compare", type=Path, help="show a file of --json beside it")
    parser.add_argument("--list", action="store_true", help="only say which stages there are")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least one")
    return options


def pin() -> None:
    """Stay on one core, the one that `python -m bench` gives to peers, where there is more than one."""
    if PEER_CORE in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {PEER_CORE})


def main() -> None:
    """Measure what the command line asks for."""
    options = arguments()
    try:
        stages = chosen(options.only.split(",") if options.only else [])
    except LookupError as error:
        raise SystemExit(f"no such stage or group: {error}; --list shows them") from None
    if options.list:
        print("\n".join(f"{stage.group:10}{name}" for name, stage in catalogue().items()))
        return
    before = json.loads(options.compare.read_text(encoding="utf-8")) if options.compare else None
    pin()
    counts: dict[str, float] = {}
    if options.instructions and instructions.valgrind() is None:
        print(instructions.MISSING, file=sys.stderr)
    elif options.instructions:
        counts = instructions.counted(stages)
    made = report(stages, timed(stages, options.rounds), counts, sys.argv[1:])
    print(shown(made, options.rounds, before))
    if options.json:
        options.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
