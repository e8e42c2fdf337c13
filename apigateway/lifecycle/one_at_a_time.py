"""Something that is done once at a time: who asks meanwhile shares the turn that comes next. Knows not what it is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred

Result = TypeVar("Result")


class OneAtATime(Generic[Result]):
    """`do(word)` begins a turn; the word is that of the first who asked for it.

    A turn that has begun may already have read what somebody changes now: so it is not shared.
    """

    def __init__(self, do: Callable[[str], Coroutine[Deferred[Any], Any, Result]]) -> None:
        self._do = do
        self._running = False
        self._next: tuple[str, list[Deferred[Result]]] | None = None

    def __repr__(self) -> str:
        state, waiting = "running" if self._running else "at rest", self._next[1] if self._next else ()
        return f"<OneAtATime {state} waiting={len(waiting)}>"

    def ask(self, word: str) -> Deferred[Result]:
        """The result of a turn that begins now or later."""
        mine: Deferred[Result] = Deferred()
        if self._next is None:
            self._next = (word, [])
        self._next[1].append(mine)
        if not self._running:
            self._begin()
        return mine

    def _begin(self) -> None:
        if self._next is None:
            return
        (word, asking), self._next = self._next, None
        self._running = True
        Deferred.fromCoroutine(self._do(word)).addBoth(self._over, asking)

    def _over(self, result: Any, asking: list[Deferred[Result]]) -> None:
        self._running = False
        for one in asking:
            one.callback(result)
        if not self._running:
            self._begin()
