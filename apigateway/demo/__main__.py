"""One demo service in a process of its own: `python -m apigateway.demo auth --host 0.0.0.0 --port 8001`."""

from __future__ import annotations

import argparse
import sys

from twisted.internet.error import CannotListenError

from apigateway.demo.services import PORTS, SITES, demo_service


def options(arguments: list[str]) -> argparse.Namespace:
    """What the command line says; exits with a message where it makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m apigateway.demo", description="Run one of the demo services.")
    parser.add_argument("service", choices=sorted(SITES))
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, help="port to listen on (default: 8001 for auth, 8002 for product)")
    chosen = parser.parse_args(arguments)
    chosen.port = chosen.port or PORTS[chosen.service]
    return chosen


def main(arguments: list[str]) -> None:
    """Serve until a signal comes."""
    from twisted.internet import reactor

    chosen = options(arguments)
    made = demo_service(reactor, chosen.service, chosen.host, chosen.port)
    try:
        made.privilegedStartService()
    except CannotListenError as error:
        raise SystemExit(f"apigateway.demo: {error}") from None
    made.startService()
    reactor.addSystemEventTrigger("before", "shutdown", made.stopService)
    print(f"{chosen.service} listens on {chosen.host}:{chosen.port}", flush=True)  # noqa: T201
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1:])
