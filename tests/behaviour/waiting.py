"""Waiting for what happens on real sockets: until it has happened, never for a time in which it should have."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.task import deferLater

reactor: Any = global_reactor

PATIENCE_S = 60.0
"""How long to wait for something before it counts as never happening."""

_LOOK_AGAIN_S = 0.002
_TURNS = 12


async def until(condition: Callable[[], object], what: object = "what the test waits for") -> None:
    """Wait until a condition holds; fails with `what` when it never does."""
    last = monotonic() + PATIENCE_S
    while not condition():
        if monotonic() > last:
            raise AssertionError(f"never happened: {what}")
        await deferLater(reactor, _LOOK_AGAIN_S)


async def a_turn() -> None:
    """Let the reactor go round once."""
    await deferLater(reactor, 0)


async def a_moment() -> None:
    """Let all that is on its way arrive, for tests that say what does not happen."""
    for _ in range(_TURNS):
        await deferLater(reactor, _LOOK_AGAIN_S)


async def until_still(number: Callable[[], int]) -> int:
    """Wait until a growing number has begun to grow and grows no more; returns it."""
    await until(number, "a number that grows")
    before, same = -1, 0
    while same < 10:
        await deferLater(reactor, 0.02)
        same = same + 1 if number() == before else 0
        before = number()
    return before
