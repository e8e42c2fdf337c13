"""The workloads by name: who is asked for what, by which load. A catalogue; runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.load.answers import Load
from bench.load.beside import Beside, beside
from bench.load.drain import drain
from bench.load.fill import Fill, fill
from bench.load.handshakes import handshakes
from bench.load.messages import messages
from bench.load.open_loop import open_loop
from bench.load.wrk import wrk
from bench.peers import CATALOGUE as PEERS
from bench.peers.variants import THREE_TARGETS, TLS, WEBSOCKET, Variant

EVERYBODY = tuple(PEERS)
SERIOUS = ("apigateway", "nginx", "haproxy", "envoy", "caddy", "aiohttp")
"""Those that one would choose from; the home-made ones differ from each other in one workload as in another."""

VARIANTS = ("apigateway", "apigateway-treq", "apigateway-stock", "nginx", "haproxy", "envoy", "caddy", "aiohttp")

KIB = 1024
MIB = 1024 * KIB

ROUTES = 10_000
CLIENTS = 1_000_000
IDLE = 10_000
IDLE_SOCKETS = 1_000


@dataclass(frozen=True)
class Entrant:
    """A peer with settings for its configuration; `label` tells it from the others of its workload.

    `load` is its own instead of the workload's. With `prepare` it is prepared once and then runs until the last round.
    """

    label: str
    peer: str
    settings: Mapping[str, str] = field(default_factory=dict)
    load: Load | None = None
    prepare: Fill | None = None


@dataclass(frozen=True)
class Workload:
    """One comparison.

    `kind` names the table that shows it: "exchanges", "bytes", "paced" (at the fixed rate), "beside" (memory of the
    clients that stand beside) or "variants" (each against the first entrant of the same peer). `clients` is
    how many `beside` are.
    """

    name: str
    title: str
    load: Load
    entrants: tuple[Entrant, ...]
    kind: str = "exchanges"
    seconds: float = 2.0
    beside: Beside | None = None
    clients: int = 0


def of(*names: str) -> tuple[Entrant, ...]:
    """Peers as they are."""
    return tuple(Entrant(name, name) for name in names)


def varied(variant: Variant) -> tuple[Entrant, ...]:
    """Peers with what a variant changes."""
    return tuple(Entrant(name, name, settings) for name, settings in variant.items())


def _gateway_routes(count: int) -> dict[str, str]:
    paths = ", ".join(f"{{path: /api/r{number:05}}}" for number in range(count))
    return {"where": f"routes: [{paths}]"}


def _nginx_routes(count: int) -> dict[str, str]:
    return {
        "routes": "\n".join(f"location /api/r{number:05} {{ proxy_pass http://service; }}" for number in range(count))
    }


def _routes(asked: int) -> Load:
    return wrk(script="routes", values={"asked": asked})


_TRUSTING = {"top": "trusted_proxies: [127.0.0.0/8]", "window": "1h"}


def _clients(count: int) -> Load:
    return wrk(script="clients", values={"clients": count, "pipelined": 1, "first": 0})


_POLICIES = (
    "required_headers: [User-Agent]",
    'cors: {origins: ["*"]}',
    "max_body: 10MiB",
    "headers: {security: true, set_response: {Cache-Control: no-store}}",
)
"""One policy more on the route with each line."""


def _policies(count: int) -> Entrant:
    lines = "\n    ".join(_POLICIES[:count])
    return Entrant(f"apigateway, {count} more", "apigateway", {"service": lines})


_ALL = (
    Workload("json-64", "Small JSON answers, 64 connections", wrk(connections=64), of(*EVERYBODY)),
    Workload(
        "json-varied", "Small JSON answers, no two heads alike, 64 connections", wrk(script="varied"), of(*SERIOUS)
    ),
    Workload("json-1", "Small JSON answers, 1 connection", wrk(connections=1), of(*SERIOUS)),
    Workload("json-512", "Small JSON answers, 512 connections", wrk(connections=512), of(*SERIOUS)),
    Workload(
        "paced", "Small JSON answers at a fixed rate, 64 connections", open_loop(64), of(*SERIOUS), "paced", seconds=3.0
    ),
    Workload("close", "A new connection for each request", wrk(connections=64, new_connections=True), of(*SERIOUS)),
    Workload("pipelined", "16 requests in each write, 64 connections", wrk(script="pipelined"), of(*SERIOUS)),
    Workload(
        "post-1k",
        "Uploads of 1 KB, 64 connections",
        wrk("/api/upload", 64, "upload", {"size": KIB}, size=KIB),
        of(*SERIOUS),
    ),
    Workload(
        "post-100k",
        "Uploads of 100 KB, 16 connections",
        wrk("/api/upload", 16, "upload", {"size": 100 * KIB}, size=100 * KIB),
        of(*SERIOUS, "apigateway-treq", "apigateway-stock"),
        "bytes",
    ),
    Workload("get-10k", "Answers of 10 KB, 64 connections", wrk("/api/files/10k", 64, size=10 * KIB), of(*SERIOUS)),
    Workload("get-1m", "Answers of 1 MB, 8 connections", drain("/api/files/1m", 8), of(*VARIANTS), "bytes"),
    Workload("get-100m", "Answers of 100 MB, 4 connections", drain("/api/files/100m", 4), of(*SERIOUS), "bytes"),
    Workload(
        "chunked-up",
        "Uploads of 10 KB in chunks, 16 connections",
        wrk("/api/upload", 16, "chunked", {"size": 10 * KIB}, size=10 * KIB),
        of(*SERIOUS),
    ),
    Workload(
        "chunked-down",
        "Answers of 10 KB in chunks, 16 connections",
        wrk("/api/chunked/10k", 16, size=10 * KIB),
        of(*SERIOUS),
    ),
    Workload(
        "slow",
        "Small JSON answers, 64 connections, beside 100 slow clients",
        wrk(connections=64),
        of(*SERIOUS),
        beside=beside("slow", 100),
        clients=100,
    ),
    Workload(
        "idle",
        "10 000 idle connections",
        wrk(connections=1),
        of(*SERIOUS),
        "beside",
        seconds=1.0,
        beside=beside("idle", IDLE),
        clients=IDLE,
    ),
    Workload(
        "three-targets",
        "Small JSON answers from three targets, 64 connections",
        wrk(connections=64),
        varied(THREE_TARGETS),
    ),
    Workload(
        "tls", "Small JSON answers over TLS 1.3, 64 connections", wrk(connections=64, scheme="https"), varied(TLS)
    ),
    Workload(
        "handshakes",
        "A new connection with a full TLS 1.3 handshake for each request",
        handshakes(8),
        varied(TLS),
    ),
    Workload(
        "websocket", "WebSocket messages of 64 bytes and their echoes, 64 sockets", messages(64), varied(WEBSOCKET)
    ),
    Workload(
        "idle-sockets",
        "1 000 idle WebSockets",
        messages(1),
        varied(WEBSOCKET),
        "beside",
        seconds=1.0,
        beside=beside("sockets", IDLE_SOCKETS),
        clients=IDLE_SOCKETS,
    ),
    Workload(
        "routes",
        "1 against 10 000 routes, 64 connections",
        _routes(ROUTES),
        (
            Entrant("apigateway, 1 route", "apigateway"),
            Entrant("apigateway, one of 10 000 routes", "apigateway", _gateway_routes(ROUTES), _routes(1)),
            Entrant("apigateway, 10 000 routes in turn", "apigateway", _gateway_routes(ROUTES)),
            Entrant("nginx, 1 route", "nginx"),
            Entrant("nginx, 10 000 routes in turn", "nginx", _nginx_routes(ROUTES)),
        ),
        "variants",
    ),
    Workload(
        "clients",
        "1 against 1 000 000 clients in the limiter, 64 connections",
        _clients(1),
        (
            Entrant("apigateway, 1 client", "apigateway", _TRUSTING),
            Entrant("apigateway, one of 1 000 000 clients", "apigateway", _TRUSTING, _clients(1), fill(CLIENTS)),
            Entrant("apigateway, 1 000 000 clients in turn", "apigateway", _TRUSTING, _clients(CLIENTS), fill(CLIENTS)),
        ),
        "variants",
    ),
    Workload(
        "policies",
        "Policies more on the route, 64 connections",
        wrk(connections=64),
        tuple(_policies(count) for count in (0, 1, 2, 4)),
        "variants",
    ),
)
CATALOGUE = {workload.name: workload for workload in _ALL}

QUICK = ("json-64", "paced", "post-1k", "get-1m", "close")
"""The smallest cells, a second each."""
