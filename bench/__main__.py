"""`python -m bench`: run the peers in turn and print what each did. Installs nothing; says what is missing."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from bench.load import missing_tools
from bench.peers import CATALOGUE, Peer
from bench.report import report, table
from bench.run import Round, measure, service


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--peers", default="apigateway,caddy,envoy,nginx", help=f"of: {', '.join(CATALOGUE)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each peer has its turn (default 5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long a turn is (default 5)")
    parser.add_argument("--connections", type=int, default=64, help="clients' connections (default 64)")
    parser.add_argument("--json", type=Path, help="also write every round to this file")
    return parser.parse_args()


def present(names: list[str]) -> list[Peer]:
    """The peers that can run here; says how to get the others."""
    unknown = [name for name in names if name not in CATALOGUE]
    if unknown:
        raise SystemExit(f"no such peer: {', '.join(unknown)}; there are: {', '.join(CATALOGUE)}")
    peers = [CATALOGUE[name] for name in names]
    for peer in peers:
        if not peer.is_present():
            print(f"{peer.name} is left out: {peer.how_to_get}", file=sys.stderr)
    return [peer for peer in peers if peer.is_present()]


def main() -> None:
    """Run what the command line asks for."""
    options = arguments()
    if missing := missing_tools():
        raise SystemExit("\n".join(missing))
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("two cores are needed: one for the peer, one for the load and the service behind")
    peers = present(options.peers.split(","))
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, service(Path(folder)) as port:
        for number in range(options.rounds):
            for peer in peers:
                print(f"round {number + 1} of {options.rounds}: {peer.name}", file=sys.stderr)
                rounds.append(measure(peer, Path(folder), port, options.connections, options.seconds))
    print(table(rounds))
    if options.json:
        options.json.write_text(json.dumps(report(rounds), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
