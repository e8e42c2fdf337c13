"""Kinds of single values that name things of the web: URLs, paths, hosts, networks, fields, statuses."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_network

from apigateway.config.model import PATH_AMBIGUITIES
from apigateway.config.scalars import RefusedError, Scalar, choice, matching, or_variable
from apigateway.config.source import shortened
from apigateway.config.variables import VARIABLE_PATTERN
from apigateway.http.hosts import DEFAULT_PORTS

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_NAME = r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,62}\.?"
_HOST = rf"{_NAME}|\[[0-9A-Fa-f:.]{{2,45}}\]"
_AUTHORITY = re.compile(rf"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}}))?(?P<slash>/?)")


def _checked_host(host: str) -> str:
    if host.startswith("["):
        try:
            return f"[{IPv6Address(host[1:-1])}]"
        except ValueError:
            raise RefusedError(f"{host} is not an IPv6 address", "what is in brackets is not an IPv6 address") from None
    return host.lower()


def _authority(text: str) -> tuple[str, str, str] | None:
    """Scheme, `host[:port]` without the scheme's default port, and what follows; None if `text` is not of that form."""
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        return None
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise RefusedError(f"{port} is not a port, from 1 to 65535", "a port is a number from 1 to 65535")
    suffix = "" if port in (None, DEFAULT_PORTS.get(match["scheme"])) else f":{port}"
    return match["scheme"], _checked_host(match["host"]) + suffix, match["slash"]


# What a URL that is no target's most likely has too much; the texts never repeat what may be a password.
_TARGET_FAULTS = (
    (r"", "is empty; expected a URL such as http://host:port"),
    (r"(?!https?://).*", "a target's URL begins with http:// or https://"),
    (r"[^/]*//[^/?#]*@.*", "a target's URL holds no user name and no password"),
    (r".*[?#].*", "a target's URL holds no query and no fragment"),
    (r"[^/]*//[^/]+/.+", "a target's URL holds no path: the path of the request is what is forwarded"),
    (r".*", "expected a URL such as http://host:port"),
)


def _target_url(text: str) -> str:
    found = _authority(text)
    if found is None or found[0] not in DEFAULT_PORTS:
        raise RefusedError(next(fault for form, fault in _TARGET_FAULTS if re.fullmatch(form, text, re.S)))
    return f"{found[0]}://{found[1]}"


TARGET_URL = Scalar(
    "a URL such as http://host:port",
    _target_url,
    {"type": "string", "pattern": rf"^https?://[^/?#@\s]+/?$|{VARIABLE_PATTERN}"},
)


def _origin(text: str) -> str:
    if text == "*":
        return text
    plain = text.lower().replace("://*.", "://", 1)
    found = _authority(plain)
    if found is None or found[2]:
        raise ValueError(text)
    return f"{found[0]}://{'' if plain == text.lower() else '*.'}{found[1]}"


ORIGIN = Scalar("`*`, or an origin such as https://shop.example.com or https://*.example.com, without a path", _origin)


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        if "host bits" in str(error):
            raise RefusedError(
                f"{text} has bits outside its network; did you mean {ip_network(text, False)}?",
                "a network has no bits outside of it",
            ) from None
        raise


NETWORK = Scalar("a network such as 10.0.0.0/8 or 2001:db8::/32, or one address", _network)

_PREFIX = r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*"


def _prefix(text: str) -> str:
    path = text.removesuffix("/")
    if {"", ".", ".."} & set(path.split("/")[1:]):
        fault = "holds an empty segment, `.` or `..`"
        raise RefusedError(f"{shortened(text)} {fault}", fault)
    return path or "/"


# Paths are matched after decoding, so an escape in a prefix would match nothing.
PREFIX = matching("a path such as /orders, without a query and percent signs", _PREFIX, _prefix)


def _field_value(text: str) -> str:
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
        raise RefusedError("the value of a header field holds no line breaks and no control characters")
    return text.strip(" \t")


PROBE_PATH = matching("a path such as /health, which may have a query", r'/[!"$-~]*')
HOST = matching(
    "a host such as shop.example.com or *.example.com, without a port",
    rf"\[[0-9A-Fa-f:.]{{2,45}}\]|(?:\*\.)?{_NAME}",
    lambda text: _checked_host(text).rstrip("."),
)
FILE = matching("a path of a file, or `-`", r"[^\x00-\x1f\x7f]+")
METHOD = matching("a method such as GET (leave the key out to admit all)", _TOKEN.replace("*", "", 1), str.upper)
CORS_METHOD = matching("a method such as GET, or `*`", _TOKEN, str.upper)
FIELD_NAME = matching("the name of a header field", _TOKEN)
FIELD_VALUE = Scalar("text", _field_value, {"type": ["string", "number", "boolean"]})
MEDIA_TYPE = matching(
    "a media type such as application/json or text/*, without parameters", f"{_TOKEN}/{_TOKEN}", str.lower
)
LIMIT_KEY = matching("`client`, or `header:` and the name of a header field", f"client|header:{_TOKEN}")
BALANCE_KEY = matching(
    "`client`, `path`, `header:` and the name of a header field, or `cookie:` and that of a cookie",
    f"client|path|(?:header|cookie):{_TOKEN}",
)
DEALT_BY = matching(
    "`random`, `client`, or `header:` or `cookie:` and a name", f"random|client|(?:header|cookie):{_TOKEN}"
)
COOKIE_NAME = matching("the name of a cookie", _TOKEN)
SERVICE_NAME = matching(
    "the name of a service: letters, digits, `-`, `_` and `.`, at most 64", r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
)
ALLOWED_PATH = choice(*PATH_AMBIGUITIES)


_CONNECTION_FIELDS = frozenset(("connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"))
_KEPT_FIELDS = _CONNECTION_FIELDS | {"content-length", "transfer-encoding", "host"}
_TOLD_FIELDS = frozenset(
    ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "x-request-id")
)


def _own_field(name: str) -> str:
    if name.lower() in _KEPT_FIELDS:
        hint = "; `headers.host` decides what the service sees" if name.lower() == "host" else ""
        fault = f"belongs to the connection, and the gateway sets it itself{hint}"
        raise RefusedError(f"{name} {fault}", fault)
    if name.lower() in _TOLD_FIELDS:
        fault = "tells where a request has been, and the gateway writes it itself"
        raise RefusedError(f"{name} {fault}", fault)
    return name


CHANGED_FIELD = matching("the name of a header field", _TOKEN, _own_field)


def _visible(noun: str, hint: str = "", least: int = 1) -> Scalar:
    """A secret of some kind: no message repeats it."""
    count = "at least one visible ASCII character" if least == 1 else f"at least {least} visible ASCII characters"

    def parse(text: str) -> str:
        if not re.fullmatch("[!-~]+", text) or len(text) < least:
            raise RefusedError(f"{noun} is {count} and no space{hint}")
        return text

    return Scalar(noun, parse)


SECRET = _visible("a secret", "; `openssl rand -hex 32` makes one", 16)
"""Signs something, so it must not be guessed."""
TOKEN = _visible("a token", "; leave the key out for none")


def _status_range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    low, high = int(first), int(last or first)
    if not 100 <= low <= high <= 599 or not re.fullmatch("[0-9]{3}(-[0-9]{3})?", text):
        raise ValueError(text)
    return low, high


def _show_range(statuses: tuple[int, int]) -> int | str:
    low, high = statuses
    return low if low == high else f"{low}-{high}"


STATUS_RANGE = Scalar(
    "a status such as 200, or a range such as 200-399",
    _status_range,
    or_variable(
        {"type": ["integer", "string"], "minimum": 100, "maximum": 599, "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"}
    ),
    _show_range,
)
