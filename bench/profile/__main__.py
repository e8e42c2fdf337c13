"""`python -m bench.profile`: where the time of an ordinary exchange goes. Installs nothing; says what is missing."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from bench.__main__ import missing_on_this_machine
from bench.load.answers import PRODUCT
from bench.load.wrk import wrk
from bench.profile import native, system_calls
from bench.profile.report import LINES, shown
from bench.profile.run import Where, profile
from bench.running import service

SECONDS = 5.0
CONNECTIONS = 64


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"how long a turn is (default {SECONDS:g})")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help=f"(default {CONNECTIONS})")
    parser.add_argument("--path", default=PRODUCT, help=f"what is asked for (default {PRODUCT})")
    parser.add_argument("--service", default="", help="a line of the service's configuration, such as 'max_body: 1MiB'")
    parser.add_argument("--lines", type=int, default=LINES, help=f"how many functions are shown (default {LINES})")
    return parser.parse_args()


def main() -> None:
    """Profile what the command line asks for."""
    options = arguments()
    if missing := missing_on_this_machine():
        raise SystemExit("\n".join(missing))
    if system_calls.strace() is None:
        print(system_calls.MISSING, file=sys.stderr)
    if native.perf() is None:
        print(native.MISSING, file=sys.stderr)
    # Whoever ends it ends the gateway too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, service(Path(folder)) as behind:
        where = Where(Path(folder), behind.port, {"service": options.service})
        made = profile(where, wrk(options.path, options.connections), options.seconds)
    print(shown(made, options.lines))
    if bad := made.plain.answers.bad + made.sampled.answers.bad:
        raise SystemExit(f"{bad} requests failed")


if __name__ == "__main__":
    main()
