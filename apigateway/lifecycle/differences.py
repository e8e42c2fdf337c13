"""What is different between two configurations, in words that show no value. Knows configurations, no runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields

from apigateway.config.model import Configuration, Service


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
    """The parts of a service that differ."""
    return ", ".join(one.name for one in fields(Service) if getattr(old, one.name) != getattr(new, one.name))


def _listeners(old: tuple[str, ...], new: tuple[str, ...]) -> Iterable[str]:
    yield from (f"listen: {text} opened" for text in new if text not in old)
    yield from (f"listen: {text} closed" for text in old if text not in new)


def _keys(old: Configuration, new: Configuration) -> Iterable[str]:
    for one in fields(Configuration):
        if one.name not in ("services", "listen") and getattr(old, one.name) != getattr(new, one.name):
            yield one.name
