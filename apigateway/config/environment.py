"""The services that the environment names, where there is no file: the same tree that a file would give.

Knows the names of the variables; what their values mean is checked where a file's values are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from apigateway.config.problems import Where
from apigateway.config.source import Node

DEFAULT_SERVICES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "AUTH": ("http://localhost:8001", "/auth", ("POST",)),
    "PRODUCT": ("http://localhost:8002", "/api", ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS")),
}
"""Services that need no variable: how their variables begin → targets, prefix, methods."""

_VARIABLE = re.compile(r"([A-Z0-9][A-Z0-9_]*)_SERVICE_(?:URL|PREFIX|DNS|SRV)")

_DISCOVERED = {"DNS": "dns", "SRV": "srv"}
"""Ends of variables that stand for `NAME_SERVICE_URL` → the key of `discovery` that they give."""


def environment_tree(environ: Mapping[str, str]) -> Node:
    """The configuration that `NAME_SERVICE_URL`, `_DNS`, `_SRV` and `_PREFIX` make."""
    names = dict.fromkeys([*DEFAULT_SERVICES, *(m[1] for m in map(_VARIABLE.fullmatch, sorted(environ)) if m)])
    services = {_service_name(name): _service(name, environ) for name in names}
    return Node(_place(""), {"services": Node(_place(""), services)})


def _service_name(name: str) -> str:
    return name.lower().replace("_", "-")


def _place(variable: str) -> Where:
    return Where("environment", 0, variable)


def _service(name: str, environ: Mapping[str, str]) -> Node:
    url, prefix, methods = DEFAULT_SERVICES.get(name, ("", "/" + _service_name(name), ()))
    url_variable, prefix_variable = f"{name}_SERVICE_URL", f"{name}_SERVICE_PREFIX"
    entries = {"prefix": Node(_place(prefix_variable), environ.get(prefix_variable, prefix))}
    discovery = _discovery(name, environ)
    if discovery.value:
        entries["discovery"] = discovery
    if url_variable in environ or not discovery.value:
        urls = environ.get(url_variable, url).split(",")
        entries["targets"] = Node(_place(url_variable), [Node(_place(url_variable), url.strip()) for url in urls])
    if methods:
        entries["methods"] = Node(_place(url_variable), [Node(_place(url_variable), method) for method in methods])
    return Node(_place(url_variable), entries)


def _discovery(name: str, environ: Mapping[str, str]) -> Node:
    """What `discovery` would say in a file; nothing where no variable asks for it."""
    given = {key: f"{name}_SERVICE_{end}" for end, key in _DISCOVERED.items() if environ.get(f"{name}_SERVICE_{end}")}
    place = _place(next(iter(given.values()), ""))
    return Node(place, {key: Node(_place(variable), environ[variable]) for key, variable in given.items()})
