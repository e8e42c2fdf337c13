"""Where the demo services listen, and their life cycle as Twisted services."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from twisted.application import service, strports

from apigateway.demo.auth import auth_site
from apigateway.demo.bodies import DemoSite
from apigateway.demo.catalogue import Catalogue
from apigateway.demo.product import product_site

URLS = {
    "AUTH_SERVICE_URL": "http://127.0.0.1:8001",
    "PRODUCT_SERVICE_URL": "http://127.0.0.1:8002,http://127.0.0.1:8012",
}
"""The variables that tell where the demo services are, and where they are if nothing is told."""


class Shared:
    """What the targets of a service have in common, as they would in a database."""

    def __init__(self) -> None:
        self.secret = secrets.token_bytes(32)
        self.catalogue = Catalogue()


SITES: dict[str, Callable[[Any, str, Shared], DemoSite]] = {
    "auth": lambda reactor, name, shared: auth_site(shared.secret, reactor.seconds, name),
    "product": lambda reactor, name, shared: product_site(reactor, name, shared.catalogue),
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


def demo_service(reactor: Any, name: str, host: str, port: int, shared: Shared | None = None) -> service.IService:
    """One target of a demo service, listening once it is started; starting raises CannotListenError."""
    site = SITES[name](reactor, f"{name}:{port}", shared or Shared())
    return strports.service(f"tcp:{port}:interface={host}", site, reactor=reactor)


def demo_services(reactor: Any, environ: Mapping[str, str]) -> service.MultiService:
    """Both demo services, with as many targets as the environment has URLs for; raises ValueError."""
    made = service.MultiService()
    complete, shared = demo_environment(environ), Shared()
    for name, variable in zip(SITES, URLS, strict=True):
        for url in complete[variable].split(","):
            demo_service(reactor, name, *address(variable, url.strip()), shared).setServiceParent(made)
    return made
