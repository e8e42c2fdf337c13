"""A file, a text or the environment to a `Configuration`, or to all that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO, TextIOWrapper

from apigateway.config.conflicts import check_conflicts, check_listeners
from apigateway.config.content import content_of
from apigateway.config.environment import environment_tree
from apigateway.config.given import Given
from apigateway.config.keys.process import TOP
from apigateway.config.model import Configuration
from apigateway.config.problems import INVALID, ConfigurationError, Problem, Problems
from apigateway.config.services import place_services
from apigateway.config.source import Node, parse_tree
from apigateway.config.tables import build_keys

__all__ = [
    "ConfigurationError", "Problem", "load_environment", "load_file", "parse_content", "parse_text", "read_content",
]  # fmt: skip


def load_file(path: str, environ: Mapping[str, str]) -> Configuration:
    """Read a YAML file, replacing variables from `environ`.

    Raises `ConfigurationError`, also where the file cannot be read.
    """
    return parse_content(read_content(path, may_wait=True), path, environ)


def read_content(path: str, *, may_wait: bool) -> bytes:
    """As `content_of`, but raises `ConfigurationError`."""
    try:
        return content_of(path, may_wait=may_wait)
    except OSError as error:
        raise ConfigurationError((Problem(path, 0, "", f"cannot be read: {error.strerror}"),)) from None


def parse_content(content: bytes, filename: str, environ: Mapping[str, str]) -> Configuration:
    """Read what stands in a file of that name. Raises `ConfigurationError`."""
    try:
        text = TextIOWrapper(BytesIO(content), encoding="utf-8-sig").read()
    except UnicodeError:
        raise ConfigurationError((Problem(filename, 0, "", "not text in UTF-8"),)) from None
    return parse_text(text, filename, environ)


def parse_text(text: str, filename: str, environ: Mapping[str, str]) -> Configuration:
    """Read YAML text as if it stood in a file of that name. Raises `ConfigurationError`."""
    problems = Problems()
    return _configuration(parse_tree(text, filename, environ, problems), problems)


def load_environment(environ: Mapping[str, str]) -> Configuration:
    """The configuration without a file: the services that the environment names. Raises `ConfigurationError`."""
    return _configuration(environment_tree(environ), Problems())


def _configuration(root: Node, problems: Problems) -> Configuration:
    # An empty file lacks what a file without services lacks.
    given = TOP.read(Node(root.where, {}) if root.value is None else root, problems)
    if given is INVALID:
        given = Given(root.where, {}, {})
    elif "services" not in given.places:
        problems.add(root.where, "needs `services`, at least one")
    services = _part(given, "services")
    placed = place_services(services, _part(given, "defaults"), problems)
    check_conflicts(placed, list(services.places), problems)
    own = given.only({key: None for key in TOP.keys if key not in ("services", "defaults")})
    built = build_keys(TOP.keys, own, problems)
    check_listeners(built.get("listen", ()), built.get("trusted_proxies", ()), problems)
    problems.raise_any()
    return Configuration(services=tuple(place.service for place in placed), **built)


def _part(given: Given, key: str) -> Given:
    part = given.values.get(key, INVALID)
    return Given(given.place(key), {}, {}) if part is INVALID else part
