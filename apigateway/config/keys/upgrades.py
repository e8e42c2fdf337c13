"""The keys about what connections may become after an `Upgrade`."""

from __future__ import annotations

from apigateway.config.kinds import ListOf
from apigateway.config.model.upgrades import Upgrades
from apigateway.config.scalars import RefusedError, duration, integer, matching
from apigateway.config.tables import Table, keys_of

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}"

_NEVER = {
    "h2c": "h2c would let requests past that no policy has seen",
    "h2": "h2 is agreed on within TLS, not by `Upgrade`",
    "http": "a version of HTTP would let requests past that no policy has seen",
    "tls": "TLS begins with the connection here, see `listen`",
}


def _protocol(text: str) -> str:
    name = text.lower()
    reason = _NEVER.get(name.partition("/")[0])
    if reason is not None:
        raise RefusedError(f"cannot be switched to: {reason}")
    return name


PROTOCOL = matching("the name of a protocol, as `websocket` or `irc/6.9`", rf"{_TOKEN}(?:/{_TOKEN})?", _protocol)

UPGRADES = Table(
    "upgrades",
    keys_of(
        Upgrades,
        protocols=(ListOf(PROTOCOL, 1), "What a request may switch to with `Upgrade`; other wishes are passed over."),
        idle=(duration(), "How long neither side may send a byte; a WebSocket then gets a close frame with 1001."),
        most=(integer(1), "So many connections to the service may have switched; above it 503 `service-overloaded`."),
    ),
    Upgrades,
)
