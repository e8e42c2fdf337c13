"""What the tests of the configuration share: reading text, and saying what was wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent, indent

from apigateway.config.model import Configuration, Service
from apigateway.config.read import ConfigurationError, parse_text

ONE_SERVICE = "services: {orders: {prefix: /orders, targets: ['http://orders:8003']}}\n"


def read(text: str, environ: Mapping[str, str] | None = None) -> Configuration:
    """Read the text of a file."""
    return parse_text(dedent(text), "gateway.yaml", environ or {})


def problems(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """All that is wrong with the text of a file, as it is printed."""
    try:
        read(text, environ)
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


def messages(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """As `problems`, without file and line."""
    return [problem.split(" ", 1)[1] for problem in problems(text, environ)]


def orders(keys: str) -> str:
    """A file with one service, `orders`, that has these keys besides prefix and targets."""
    own = indent(dedent(keys), "    ")
    return f"services:\n  orders:\n    prefix: /orders\n    targets: [http://orders:8003]\n{own}\n"


def orders_service(keys: str) -> Service:
    """The service of `orders(keys)`."""
    return read(orders(keys)).services[0]
