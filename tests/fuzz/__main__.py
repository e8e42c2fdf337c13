"""`python -m tests.fuzz TARGET|all --seconds N`: guided by coverage where atheris is there, blindly where it is not.

Exits with 0 where nothing is broken. An input that breaks something is saved, and the command to replay it printed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.catalogue import NAMES


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=(*NAMES, "all"))
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each target is tried (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed tries the same inputs (default 1)")
    parser.add_argument("--plain", action="store_true", help="without coverage, although atheris is there")
    parser.add_argument("--replay", type=Path, help="try this one input only")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="where inputs are saved")
    return parser.parse_args()


def all_targets(options: argparse.Namespace) -> int:
    """Each target in a process of its own; the first status that is not 0."""
    more = [f"--seconds={options.seconds}", f"--seed={options.seed}", f"--findings={options.findings}"]
    more += ["--plain"] if options.plain else []
    ended = [subprocess.run([sys.executable, "-m", "tests.fuzz", name, *more], check=False) for name in NAMES]
    return next((one.returncode for one in ended if one.returncode), 0)


def main() -> int:
    """Do what the command line asks for; the exit status."""
    options = arguments()
    if options.target == "all":
        return all_targets(options)
    if options.replay is None and not options.plain and find_spec("atheris") is not None:
        from tests.fuzz.guided import run as run_guided  # noqa: PLC0415  # atheris need not be there

        run_guided(options.target, options.seconds, options.seed, options.findings)
    from tests.fuzz.catalogue import load  # noqa: PLC0415  # not before it could have been instrumented
    from tests.fuzz.plain import run  # noqa: PLC0415

    if options.replay is not None:
        load(options.target).check(options.replay.read_bytes())
        print(f"{options.target}: nothing broken by {options.replay}")
    else:
        run(options.target, options.seconds, options.seed, options.findings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
