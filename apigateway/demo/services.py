"""Where the demo services listen, and their life cycle as Twisted services."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from twisted.application import service, strports

from apigateway.demo.auth import auth_site
from apigateway.demo.bodies import DemoSite
from apigateway.demo.product import product_site

URLS = {"AUTH_SERVICE_URL": "http://127.0.0.1:8001", "PRODUCT_SERVICE_URL": "http://127.0.0.1:8002"}
"""The variables that tell where the demo services are, and where they are if nothing is told."""

SITES: dict[str, Callable[[Any], DemoSite]] = {
    "auth": lambda reactor: auth_site(secrets.token_bytes(32), reactor.seconds),
    "product": product_site,
}

PORTS = {"auth": 8001, "product": 8002}

LOOPBACK = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1"}


def demo_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment, completed with where the demo services are."""
    return URLS | dict(environ)


def address(variable: str, url: str) -> tuple[str, int]:
    """Host and port to listen on for a URL; raises ValueError unless it is a plain one on this machine."""
    try:
        parts = urlsplit(url)
        host, port = LOOPBACK[parts.hostname or ""], parts.port or 80
    except (KeyError, ValueError):
        raise ValueError(
            f"--demo starts its own services: {variable} must be http://127.0.0.1:PORT, not {url}"
        ) from None
    return host, port


def demo_service(reactor: Any, name: str, host: str, port: int) -> service.IService:
    """One demo service, listening once it is started; starting raises CannotListenError."""
    return strports.service(f"tcp:{port}:interface={host}", SITES[name](reactor), reactor=reactor)


def demo_services(reactor: Any, environ: Mapping[str, str]) -> service.MultiService:
    """Both demo services, where the environment says they are; raises ValueError."""
    made = service.MultiService()
    complete = demo_environment(environ)
    for name, variable in zip(SITES, URLS, strict=True):
        demo_service(reactor, name, *address(variable, complete[variable])).setServiceParent(made)
    return made
