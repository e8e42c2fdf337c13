"""The catalogue's keys that are about the process: addresses, limits, logs and the stop; and the whole of a file."""

from __future__ import annotations

from apigateway.config.keys.listener import LISTEN
from apigateway.config.keys.service import DEFAULTS, SERVICE
from apigateway.config.kinds import ListOf, Named, OrFalse
from apigateway.config.model import AccessLog, Admin, Configuration, EventLog, Limits, Stop
from apigateway.config.scalars import BOOLEAN, choice, duration, integer, size
from apigateway.config.tables import Key, Table, keys_of
from apigateway.config.web import FILE, HOST, NETWORK, SERVICE_NAME, TOKEN

ADMIN = Table(
    "admin",
    keys_of(
        Admin,
        token=(TOKEN, "Opens `/gateway/…` to whoever sends it: `Authorization: Bearer …`. Without one, nobody can."),
        allow=(ListOf(NETWORK), "Networks whose peers see `/gateway/…` without the token."),
        hosts=(ListOf(HOST), "Names with a dot by which they may ask; addresses and bare names need not be told."),
    ),
    Admin,
)

ACCESS_LOG = Table(
    "access_log",
    keys_of(
        AccessLog,
        file=(FILE, "A path, or `-` for standard output."),
        format=(choice("json", "combined"), "One JSON object a line, or Apache's combined format."),
        query=(choice("keep", "mask", "drop"), "What becomes of query strings: `mask` keeps names and hides values."),
        rotate=(size(1024), "A file of this size is closed and numbered."),
        keep=(integer(0, 10_000), "How many of the closed files are kept."),
    ),
    AccessLog,
)

EVENT_LOG = Table(
    "log",
    keys_of(
        EventLog,
        level=(choice("debug", "info", "warn", "error"), "What is left out below."),
        format=(choice("text", "json"), "Lines for people, or one JSON object a line."),
    ),
    EventLog,
)

LIMITS = Table(
    "limits",
    keys_of(
        Limits,
        connections=(integer(1), "Connections of clients, at most; one that rests makes room for a new one."),
        connections_per_client=(
            integer(1),
            "Connections of one address, at most, and never more than half of all; trusted proxies have no such bound.",
        ),
        exchanges=(integer(1), "Exchanges in progress, at most; above it 503 `overloaded`."),
        lag=(OrFalse(duration()), "How late the event loop may constantly be; above it 503 `overloaded` for a share."),
        head=(size(1024), "The size of a request's head; above it 431 `head-too-large`."),
        fields=(integer(1), "The number of its fields; above it 431 `head-too-large`."),
        uri=(size(64), "The size of the request target; above it 414 `uri-too-long`."),
        head_timeout=(duration(), "Until a head that has begun is complete; then 408 `request-timeout`."),
        keep_alive=(duration(), "How long a connection may rest between requests."),
        body_timeout=(duration(), "Without a byte of a body moving, where its client is awaited; then 408, or a cut."),
        min_rate=(size(0), "Bytes a second that a body must move, over `body_timeout`, where its client is awaited."),
    ),
    Limits,
)

STOP = Table(
    "stop",
    keys_of(
        Stop,
        accept=(duration(0), "How long new connections are still taken, when readiness already fails."),
        drain=(duration(0), "How long running exchanges then get before they are cut."),
    ),
    Stop,
)

TOP_KEYS = {
    **keys_of(
        Configuration,
        listen=(LISTEN, "Where clients connect: Twisted endpoint strings, or mappings with one and more."),
        trusted_proxies=(ListOf(NETWORK), "Peers whose `X-Forwarded-For` and `X-Request-Id` are believed."),
        admin=(ADMIN, "Who may see `/gateway/…`."),
        access_log=(OrFalse(ACCESS_LOG), "Where exchanges are written."),
        log=(EVENT_LOG, "The gateway's own events."),
        limits=(LIMITS, "Bounds on what clients may do."),
        stop=(STOP, "How the gateway stops."),
        watch=(BOOLEAN, "Whether the file is read again when it changes."),
        dns_ttl=(duration(0), "How long the addresses of a name are remembered."),
    ),
    "defaults": Key(DEFAULTS, "What holds for services that say nothing else."),
    "services": Key(Named(SERVICE_NAME, SERVICE, 1), "The services, by name.", required=True),
}

TOP = Table("configuration", TOP_KEYS)
