"""Runs one of our own clients in a process of its own, pinned beside the service, and reads what it says."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from bench.load.answers import Answers, Asked
from bench.peers import ROOT
from bench.running import LOAD_CORE


def command(module: str, asked: Asked, options: Mapping[str, object]) -> list[str]:
    """The command that runs a module of this package as a client."""
    given = {"port": asked.port, "seconds": asked.seconds, "rate": asked.rate, **options}
    words = [f"--{name}={value}" for name, value in given.items()]
    return ["taskset", "-c", str(LOAD_CORE), sys.executable, "-m", f"bench.load.{module}", *words]


def run(module: str, asked: Asked, **options: object) -> Answers:
    """What a client got. Raises `RuntimeError` with what it printed where it failed."""
    done = subprocess.run(command(module, asked, options), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stderr}")
    return Answers(**json.loads(done.stdout))


def options(**types: Callable[[str], Any]) -> argparse.Namespace:
    """What a client was told on its command line."""
    parser = argparse.ArgumentParser()
    every: dict[str, Callable[[str], Any]] = {"port": int, "seconds": float, "rate": float, **types}
    for name, kind in every.items():
        parser.add_argument(f"--{name}", type=kind)
    return parser.parse_args()


def tell(answers: Answers) -> None:
    """Print what a client got."""
    json.dump(asdict(answers), sys.stdout)
