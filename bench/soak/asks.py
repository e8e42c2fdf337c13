"""What clients ask for: one request, and how chance makes it. Knows no sockets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from random import Random

from bench.soak.faults import CATALOGUE, LATE, MENDED
from bench.soak.frames import KEY
from bench.soak.patterns import FAULT, NONCE, UNDECLARED
from bench.soak.services import SERVICES
from bench.soak.wire import request

FAULT_SHARE = 0.06
ENCRYPTED_SHARE = 0.25
REPLAYED = 60_000
"""Bodies up to this size are kept for a retry by all means."""


@dataclass
class Ask:
    """One request to be made. `size` of the answer, `body` of the request, in bytes; -1 for a body: there is none."""

    service: str
    method: str
    nonce: str
    fault: str = ""
    undeclared: str = ""
    size: int = 0
    body: int = -1
    is_chunked: bool = False
    is_events: bool = False
    is_encrypted: bool = False
    drip_s: float = 0.0
    is_last: bool = False
    cookie: str = ""

    def head(self) -> bytes:
        """The head as it is sent."""
        optional = {FAULT: self.fault, UNDECLARED: self.undeclared, "Cookie": self.cookie}
        fields = [(NONCE, self.nonce), *((name, value) for name, value in optional.items() if value)]
        fields += [("Connection", "close")] if self.is_last else []
        if self.body >= 0:
            chunked = ("Transfer-Encoding", "chunked")
            fields.append(chunked if self.is_chunked else ("Content-Length", str(self.body)))
        more = "&chunked=1" if self.is_chunked else ""
        more += "&events=1" if self.is_events else ""
        more += f"&drip={self.drip_s}" if self.drip_s else ""
        return request(self.method, f"/{self.service}/x?size={self.size}{more}", fields)

    def handshake(self) -> bytes:
        """The head of a request for a WebSocket."""
        fields = [(NONCE, self.nonce), ("Connection", "Upgrade"), ("Upgrade", "websocket")]
        fields += [("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", KEY)]
        return request("GET", f"/{self.service}/socket", fields)


class Asks:
    """Requests at random. `undeclared` is the share of faults that nobody admits."""

    def __init__(self, random: Random, undeclared: float = 0.0) -> None:
        self._random = random
        self._undeclared = undeclared
        self._numbers = count(1)

    def ask(self, service: str = "", **given: object) -> Ask:
        """A request at random, but for what is given."""
        random = self._random
        if not service:
            names = list(SERVICES)
            (service,) = random.choices(names, [SERVICES[name].weight for name in names])
        method = random.choice(("GET", "GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE"))
        one = Ask(service, method, f"n{next(self._numbers)}")
        one.size = int(2 ** random.uniform(0, 15))
        one.is_chunked = random.random() < 0.3
        one.is_encrypted = self.is_encrypted()
        for name, value in given.items():
            setattr(one, name, value)
        if one.method in ("POST", "PUT") and one.body < 0:
            one.body = int(2 ** random.uniform(0, 14))
        if "fault" not in given:
            self._maybe_fault(one)
        return one

    def is_encrypted(self) -> bool:
        """Whether a connection comes by the listener with TLS."""
        return self._random.random() < ENCRYPTED_SHARE

    def _maybe_fault(self, one: Ask) -> None:
        random = self._random
        if random.random() < self._undeclared:
            one.undeclared = "status-500"
            return
        names = [name for name in SERVICES[one.service].faults if _is_possible(name, one)]
        if names and random.random() < FAULT_SHARE:
            (one.fault,) = random.choices(names, [CATALOGUE[name].weight for name in names])


def _is_possible(fault: str, one: Ask) -> bool:
    if fault in MENDED:
        return one.body <= REPLAYED
    return one.method != "HEAD" or fault not in LATE
