"""What is different between two configurations, in words that show no value. Knows configurations, no runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from apigateway.config.model import Configuration, Listener, Policies, Route, Service


def differences(old: Configuration, new: Configuration) -> tuple[str, ...]:
    """The services and listeners that come, go or change, and the other keys that change; nothing where all is same."""
    return (
        *_services({one.name: one for one in old.services}, {one.name: one for one in new.services}),
        *_listeners(old.listen, new.listen),
        *_keys(old, new),
    )


def _services(old: Mapping[str, Service], new: Mapping[str, Service]) -> Iterable[str]:
    yield from (f"service {name}: added" for name in new if name not in old)
    yield from (f"service {name}: removed" for name in old if name not in new)
    yield from (f"service {name}: {_what(old[name], one)}" for name, one in new.items() if old.get(name, one) != one)


def _what(old: Service, new: Service) -> str:
    """The parts of a service that differ; routes only where that is not for what they have from the service."""
    names = [one.name for one in fields(Service) if getattr(old, one.name) != getattr(new, one.name)]
    if "routes" in names and _without(old.routes, names) == _without(new.routes, names):
        names.remove("routes")
    return ", ".join(names)


def _without(routes: tuple[Route, ...], names: Iterable[str]) -> list[Route]:
    """Routes that say nothing under these names."""
    nothing: dict[str, Any] = {one.name: None for one in fields(Policies) if one.name in names}
    return [replace(route, policies=replace(route.policies, **nothing)) for route in routes]


def _listeners(old: tuple[Listener, ...], new: tuple[Listener, ...]) -> Iterable[str]:
    before, after = {one.endpoint for one in old}, {one.endpoint for one in new}
    yield from (f"listen: {one.endpoint} opened" for one in new if one.endpoint not in before)
    yield from (f"listen: {one.endpoint} changed" for one in new if one.endpoint in before and one not in old)
    yield from (f"listen: {one.endpoint} closed" for one in old if one.endpoint not in after)


def _keys(old: Configuration, new: Configuration) -> Iterable[str]:
    for one in fields(Configuration):
        if one.name not in ("services", "listen") and getattr(old, one.name) != getattr(new, one.name):
            yield one.name
