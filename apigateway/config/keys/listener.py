"""The catalogue's keys of an entry of `listen`."""

from __future__ import annotations

from apigateway.config.endpoints import ENDPOINT, kind_of
from apigateway.config.given import Given
from apigateway.config.keys.tls import TLS
from apigateway.config.kinds import ListOf, OrFalse, Shorthand
from apigateway.config.model.listener import Listener, Redirect
from apigateway.config.scalars import BOOLEAN, choice, integer, matching, or_variable
from apigateway.config.tables import Table, keys_of
from apigateway.config.web import NETWORK

_STATUSES = (301, 302, 307, 308)

REDIRECT = Table(
    "redirect",
    keys_of(
        Redirect,
        scheme=(choice("https"), "Where requests are sent: the same host, path and query, with this scheme."),
        port=(OrFalse(integer(1, 65535)), "The port there; `false`: the scheme's own, 443."),
        status=(
            matching("301, 302, 307 or 308", "30[1278]", int, json=or_variable({"enum": list(_STATUSES)})),
            "Of the answer. Only 307 and 308 keep the method of a request that is not GET.",
        ),
    ),
    Redirect,
)


def _check_listener(given: Given) -> tuple[str, str] | None:
    """What does not go together on one address."""
    if given.values.get("proxies") and not given.values.get("proxy_protocol"):
        return "proxies", "is of no use without `proxy_protocol: true`"
    kind = kind_of(given.values.get("endpoint", ""))
    if kind in ("ssl", "tls"):
        if given.values.get("proxy_protocol"):
            return "proxy_protocol", f"the header comes before TLS begins, which an `{kind}:` endpoint can't read"
        if given.values.get("redirect"):
            return "redirect", "belongs to a listener without TLS"
        if given.values.get("tls"):
            return "tls", f"an `{kind}:` endpoint speaks TLS itself: use `tcp:`"
    if given.values.get("tls") and given.values.get("redirect"):
        return "redirect", "belongs to a listener without TLS"
    return None


LISTENER = Table(
    "listener",
    keys_of(
        Listener,
        endpoint=(ENDPOINT, "A Twisted endpoint string."),
        proxy_protocol=(BOOLEAN, "Each connection begins with a header of the PROXY protocol, version 1 or 2."),
        proxies=(ListOf(NETWORK), "Who may connect where `proxy_protocol` is on; without it `trusted_proxies`."),
        redirect=(OrFalse(Shorthand("scheme", REDIRECT)), "Answer every request with a redirection."),
        tls=(OrFalse(TLS), "Speak TLS on this address."),
    ),
    Listener,
    _check_listener,
    placed=True,
)

LISTEN = ListOf(Shorthand("endpoint", LISTENER), 1)
