"""What a connection may become after an `Upgrade`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Upgrades:
    """The protocols that may be switched to, how long one may be idle, and how many connections there may be."""

    protocols: tuple[str, ...] = ("websocket",)
    idle: float = 300.0
    most: int = 10_000
