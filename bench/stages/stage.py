"""What a stage is: one thing that is done for an exchange, and how to do it again and again. Measures nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Now = Callable[[], float]
"""The monotonic clock, in seconds."""


def nothing() -> None:
    """The item of a stage that needs none."""


@dataclass(frozen=True)
class Work:
    """A stage made ready.

    `call` is what is measured, called with an `item` that was made before the clock ran: what a call uses up or keeps
    results in. One call serves `of` exchanges.
    """

    call: Callable[[Any], object]
    item: Callable[[], Any] = nothing
    of: int = 1


@dataclass(frozen=True)
class Stage:
    """A stage by name, in a group. `make` makes it ready.

    `counts` says that an ordinary exchange in the default configuration passes it: those are added up. `minus` names
    another stage: what this one costs beyond that is shown.
    """

    name: str
    group: str
    make: Callable[[Now], Work]
    counts: bool = False
    minus: str = ""
