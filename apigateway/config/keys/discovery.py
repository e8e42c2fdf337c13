"""The keys of discovery: where the targets of a service are found while the gateway runs."""

from __future__ import annotations

import re
from ipaddress import ip_address

from apigateway.config.files import FileOf
from apigateway.config.given import Given
from apigateway.config.kinds import ListOf
from apigateway.config.model import Discovery
from apigateway.config.scalars import RefusedError, Scalar, choice, duration, matching
from apigateway.config.tables import Table, keys_of
from apigateway.config.web import TARGET_URL

_WAYS = ("file", "dns", "srv")
_UNSAID = Discovery()

_SERVER = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15}))(?::([0-9]{1,5}))?|([0-9A-Fa-f:.]{2,45})")


def _nameserver(text: str) -> str:
    match = _SERVER.fullmatch(text)
    if match is None:
        raise ValueError(text)
    bracketed, plain, port, bare = match.groups()
    address = ip_address(bracketed or plain or bare)
    if port is not None and not 1 <= int(port) <= 65535:
        raise RefusedError(f"{int(port)} is not a port, from 1 to 65535", "a port is a number from 1 to 65535")
    return f"[{address}]:{int(port or 53)}" if address.version == 6 else f"{address}:{int(port or 53)}"


NAMESERVER = Scalar("the address of a name server such as 10.0.0.2, 127.0.0.1:5353 or [::1]:53", _nameserver)

NAME = matching(
    "a name such as _http._tcp.orders.internal",
    r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,30}\.?",
    lambda text: text.lower().rstrip("."),
)


def _check(given: Given) -> tuple[str, str] | None:
    ways = [way for way in _WAYS if way in given.values]
    if len(ways) != 1:
        return (ways or [""])[-1], "needs exactly one of `file`, `dns` and `srv`"
    if given.values.get("min_ttl", _UNSAID.min_ttl) > given.values.get("max_ttl", _UNSAID.max_ttl):
        return "max_ttl" if "max_ttl" in given.values else "min_ttl", "`min_ttl` must not be longer than `max_ttl`"
    return _misplaced(ways[0], given) or _address(given.values.get("dns", ""))


def _misplaced(way: str, given: Given) -> tuple[str, str] | None:
    if way == "file" and len(given.values) > 1:
        other = next(key for key in given.values if key != "file")
        return other, "is about names; a `file` has no further options"
    if way == "dns" and "scheme" in given.values:
        return "scheme", "belongs to `srv`; the URL of `dns` says its own"
    return None


def _address(url: str) -> tuple[str, str] | None:
    host = url.partition("://")[2]
    if host.startswith("[") or re.fullmatch(r"[0-9.]+", host.partition(":")[0]):
        return "dns", "holds an address, of which there is nothing to discover; name it in `targets`"
    return None


DISCOVERY = Table(
    "discovery",
    keys_of(
        Discovery,
        file=(
            FileOf("a path of a file", is_part=False),
            "A list of targets, in JSON or YAML, that is read again when it changes.",
        ),
        dns=(TARGET_URL, "`http://name:port`: each address of the name (A, AAAA) is a target."),
        srv=(NAME, "The name of SRV records, such as `_http._tcp.orders.internal`: hosts, ports and weights."),
        scheme=(choice("http", "https"), "How the targets of SRV records are spoken to."),
        nameservers=(ListOf(NAMESERVER), "Who is asked, in this order; without any, who `/etc/resolv.conf` names."),
        family=(
            choice("auto", "ipv4", "ipv6", "both"),
            "Which addresses count; `auto`: those of IPv6 only where a name has no others.",
        ),
        min_ttl=(duration(0.01), "An answer holds for at least as long, whatever it says …"),
        max_ttl=(duration(0.01), "… and for no longer than this."),
        hold=(duration(0), "How long the last targets stay when the name has none any more."),
    ),
    Discovery,
    _check,
    json={"oneOf": [{"required": [way]} for way in _WAYS]},
)
