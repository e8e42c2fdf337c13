"""The gateway as it is, with a sampler in its process: `python -m bench.profile.sampled FILE WORDS...`."""

from __future__ import annotations

import sys
from pathlib import Path

from apigateway.command import main as gateway
from bench.profile.sampler import Sampler


def main() -> None:
    """Write samples to the file that is named first; all else is said to the gateway."""
    Sampler(Path(sys.argv[1])).listen()
    gateway(sys.argv[2:])


if __name__ == "__main__":
    main()
