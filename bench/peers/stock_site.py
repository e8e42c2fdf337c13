"""The gateway's own resource tree behind a stock twisted.web `Site`: what the stock `IRequest` path costs.

The same configuration file as for the gateway itself; only who reads the clients' requests is another.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

from twisted.internet import reactor as _reactor  # noqa: TID253  # a program, not a library
from twisted.web.server import Site

from apigateway.config.read import load_file
from apigateway.gateway import Gateway

reactor: Any = _reactor


class QuietSite(Site):
    """A Site that does not tell of starting and stopping."""

    noisy = False


def main() -> None:
    """Serve the file that is named first on the port that is named second."""
    file, port = sys.argv[1:]
    gateway = Gateway(load_file(file, os.environ), reactor)
    gateway.startService()
    reactor.listenTCP(int(port), QuietSite(gateway.snapshot.resource, timeout=75), backlog=1024, interface="127.0.0.1")
    # As the gateway's own start does.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    reactor.run()


if __name__ == "__main__":
    main()
