"""Makes a gateway remember clients: asks for one after the other, as a trusted proxy, until it has them all."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import replace

from bench.load.answers import Asked
from bench.load.wrk import wrk

Fill = Callable[[Asked], None]

STATISTICS = "/gateway/stats"
PIECE_S = 5
MOST_PIECES = 60

ENOUGH = 0.999
"""What was under way when a piece ended is not asked again: this share of all will do."""


def fill(clients: int) -> Fill:
    """Ask until that many clients are tracked. Raises `RuntimeError` where they never are."""

    def until_full(asked: Asked) -> None:
        known = 0
        for _ in range(MOST_PIECES):
            load = wrk(script="clients", values={"clients": clients, "pipelined": 16, "first": known})
            load(replace(asked, seconds=PIECE_S))
            known = tracked(asked.port)
            if known >= clients * ENOUGH:
                return
        raise RuntimeError(f"the limiter tracks only {known} of {clients} clients")

    return until_full


def tracked(port: int) -> int:
    """How many clients the limiters of a gateway remember."""
    client = http.client.HTTPConnection("127.0.0.1", port)
    client.request("GET", STATISTICS)
    told = json.loads(client.getresponse().read())
    client.close()
    return int(told["process"]["limiter_clients"])
