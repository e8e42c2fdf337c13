"""Endpoint strings, as far as they can be judged without Twisted: their form, and the options of the common kinds.

Which further kinds there are is for plugins of Twisted to say, and is asked where there is a reactor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from apigateway.config.problems import nearest
from apigateway.config.scalars import RefusedError, matching
from apigateway.config.source import shortened

_TLS_PORT = "`tls:` is Twisted's own, with a folder of certificates first; give a `tcp:` endpoint the key `tls`"
_FORM = r"[a-zA-Z0-9_-]+:[^\x00-\x1f\x7f]+"
_COLONS = r"a colon within a value is written `\:`"


def _port(text: str) -> bool:
    return re.fullmatch("[0-9]{1,5}", text) is not None and int(text) <= 65535


def _count(text: str) -> bool:
    return re.fullmatch("[0-9]{1,9}", text) is not None


def _octal(text: str) -> bool:
    return re.fullmatch("(0o?)?[0-7]{1,4}", text) is not None


def _some(text: str) -> bool:
    return bool(text)


def _any(_: str) -> bool:
    return True


_Options = Mapping[str, Callable[[str], bool]]

_TCP: _Options = {"port": _port, "interface": _any, "backlog": _count}
_UNIX: _Options = {"address": _some, "mode": _octal, "backlog": _count, "lockfile": _count}
_SSL: _Options = {
    "port": _port, "privateKey": _any, "certKey": _any, "sslmethod": _any, "interface": _any, "backlog": _count,
    "extraCertChain": _any, "dhParameters": _any,
}  # fmt: skip

KINDS: Mapping[str, _Options] = {"tcp": _TCP, "tcp6": _TCP, "unix": _UNIX, "ssl": _SSL}
"""The options of kinds that are always there, in the order in which they may be given without their names."""


def kind_of(text: str) -> str:
    """What stands before the first colon of an endpoint string."""
    return text.partition(":")[0]


def _pieces(text: str) -> list[list[str]]:
    """What stands between colons: [value], or [name, value]. A backslash takes its meaning from what follows it."""
    pieces = [[""]]
    for token in re.findall(r"\\.|.|\\", text, re.S):
        if token == "\\":
            raise RefusedError("an endpoint does not end with a lone backslash")
        if token == ":":
            pieces.append([""])
        elif token == "=":
            pieces[-1].append("")
        else:
            pieces[-1][-1] += token[-1]
    return pieces


def _endpoint(text: str) -> str:
    (kind, *_), *given = _pieces(text)
    if kind == "tls" and given and given[0][0].isdigit():
        raise RefusedError(_TLS_PORT)
    options = KINDS.get(kind)
    if options is not None:
        taken: dict[str, str] = {}
        unnamed = iter(options)
        for piece in given:
            name, value = piece[:2] if len(piece) > 1 else (next(unnamed, ""), piece[0])
            _check(kind, options, name, value, taken)
            taken[name] = value
        first = next(iter(options))
        if first not in taken:
            raise RefusedError(f"`{kind}:` needs its {first}")
    return text


def _check(kind: str, options: _Options, name: str, value: str, taken: Collection[str]) -> None:
    if not name:
        raise RefusedError(f"`{kind}:` does not have so many options; {_COLONS}")
    if name not in options:
        fault = f"is no option of `{kind}:`; {nearest(name, list(options))}"
        raise RefusedError(f"{shortened(name)} {fault}", f"what stands before `=` {fault}")
    if name in taken:
        raise RefusedError(f"`{name}` is given twice; {_COLONS}")
    if not options[name](value):
        raise RefusedError(f"{shortened(value)} can't be its {name}", f"its {name} can't be so")


ENDPOINT = matching("a Twisted endpoint such as tcp:8000 or unix:/run/gateway.sock", _FORM, _endpoint)
