"""`python -m tests.websocket.autobahn`: Autobahn's fuzzing client says the same through the gateway as without it.

Asks an echo service directly and through a gateway, and compares the verdicts case by case, how each connection ended
included. The suite, `autobahntestsuite`, runs under Python 2.7 only: its `wstest` is looked for at `--wstest`, in
`$WSTEST`, and on the path; `docs/websocket.md` says how to install it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apigateway.testing.ports import free_port
from tests.starting import Started, environment, port_of

WITHOUT = ["12.*", "13.*"]
"""The cases of permessage-deflate, which the echo service does not speak."""

DIRECT, THROUGH = "direct", "gateway"

MISSING = """\
No Autobahn test suite was found. It needs a Python 2.7:

    python2.7 -m pip install --user virtualenv && python2.7 -m virtualenv autobahn
    autobahn/bin/pip install autobahntestsuite

Then: python -m tests.websocket.autobahn --wstest autobahn/bin/wstest"""

Verdicts = Mapping[str, tuple[str, str]]
"""What was said of each case: of its messages, and of how the connection ended."""


def wstest_at(given: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The path of Autobahn's program; None where there is none."""
    return shutil.which(given or environ.get("WSTEST") or "wstest", path=environ.get("PATH"))


def verdicts(index: Mapping[str, Mapping[str, Any]], agent: str) -> Verdicts:
    """What Autobahn says in its index of one of the two."""
    return {case: (said["behavior"], said["behaviorClose"]) for case, said in index[agent].items()}


def differences(direct: Verdicts, through: Verdicts) -> list[str]:
    """The cases of which not the same was said, in their order."""
    cases = sorted(direct.keys() | through.keys(), key=_in_order)
    return [
        f"{case}: {' '.join(direct.get(case, ('not run',)))} directly, "
        f"{' '.join(through.get(case, ('not run',)))} through the gateway"
        for case in cases
        if direct.get(case) != through.get(case)
    ]


def _in_order(case: str) -> list[int]:
    return [int(part) for part in case.split(".")]


def summary(said: Verdicts) -> str:
    """How often each verdict was given."""
    messages, ends = Counter(one for one, _ in said.values()), Counter(one for _, one in said.values())
    return f"{len(said)} cases: {dict(messages)}; ends: {dict(ends)}"


def _gateway(folder: Path, service: int) -> Started:
    configuration = folder / "gateway.json"
    told = {
        "listen": ["tcp:0:interface=127.0.0.1"],
        "access_log": False,
        "services": {
            "echo": {
                "prefix": "/",
                "targets": [f"http://127.0.0.1:{service}"],
                "rate_limit": False,
                "health_check": False,
            }
        },
    }
    configuration.write_text(json.dumps(told))
    return Started([sys.executable, "-m", "apigateway", "--config", str(configuration)], "listening on", environment())


def run(wstest: str, cases: list[str], folder: Path) -> Mapping[str, Any]:
    """Let the suite ask both; returns its index."""
    service = free_port()
    echo = [sys.executable, "-m", "tests.websocket.echo", str(service)]
    with Started(echo, "echoing", environment()), _gateway(folder, service) as gateway:
        port = port_of(gateway)
        servers = [
            {"agent": agent, "url": f"ws://127.0.0.1:{number}"}
            for agent, number in ((DIRECT, service), (THROUGH, port))
        ]
        spec = folder / "spec.json"
        spec.write_text(
            json.dumps(
                {
                    "outdir": str(folder / "reports"), "servers": servers, "cases": cases, "exclude-cases": WITHOUT,
                    "exclude-agent-cases": {},
                }
            )
        )  # fmt: skip
        # The suite's own Python must not find this one's packages.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        with (folder / "wstest.log").open("wb") as log:
            subprocess.run([wstest, "-m", "fuzzingclient", "-s", str(spec)], stdout=log, stderr=log, env=environ,
                           check=True, cwd=folder)  # fmt: skip
    index: Mapping[str, Any] = json.loads((folder / "reports" / "index.json").read_text())
    return index


def main(arguments: list[str] | None = None) -> int:
    """Run and tell; 0 where all verdicts are the same, 1 where they are not, 2 where there is no suite."""
    parser = argparse.ArgumentParser(prog="python -m tests.websocket.autobahn", description=__doc__)
    parser.add_argument("--wstest", help="the path of Autobahn's program")
    parser.add_argument("--cases", nargs="+", default=["*"], help="which ones: 1.* 7.3.1")
    parser.add_argument("--reports", help="a folder for Autobahn's own reports")
    options = parser.parse_args(arguments)
    wstest = wstest_at(options.wstest)
    if wstest is None:
        print(MISSING, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.reports or temporary).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        index = run(os.path.abspath(wstest), options.cases, folder)
    direct, through = verdicts(index, DIRECT), verdicts(index, THROUGH)
    found = differences(direct, through)
    for name, said in ((DIRECT, direct), (THROUGH, through)):
        print(f"{name}: {summary(said)}")
    for one in found:
        print(one)
    print("the same verdicts" if not found else f"{len(found)} cases differ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
