"""What outlives a snapshot, by key, and how it leaves when no snapshot wants it any more.

Knows keys, values and which snapshots used them; not what the values are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import ref

Key = tuple[object, ...]
"""The kind of a thing first, then all that makes it another one."""

Kept = TypeVar("Kept")


class Draft:
    """What a snapshot in the making uses: things that are kept already, and new ones.

    As long as nobody settles on it, the registry knows nothing of it, and it can be dropped.
    """

    def __init__(self, before: dict[Key, Any]) -> None:
        self.used: dict[Key, Any] = {}
        self._before = before

    def keep(self, key: Key, make: Callable[[], Kept]) -> Kept:
        """What is kept under a key, or what `make` makes."""
        if key not in self.used:
            self.used[key] = self._before[key] if key in self._before else make()
        kept: Kept = self.used[key]
        return kept


@dataclass(frozen=True, slots=True)
class Left:
    """A thing that the present snapshot does not use, and the numbers of the first and the last that did."""

    key: Key
    value: Any
    first: int
    last: int


class Registry:
    """Everything that snapshots share, by key: pools, breakers, health, the counts of limiters.

    What a new snapshot does not use has left. It is forgotten once it is over and no exchange is left that began with a
    snapshot which used it: exchanges hold their snapshot, and the registry looks whether anybody still does.
    """

    def __init__(self) -> None:
        self._kept: dict[Key, Any] = {}
        self._since: dict[Key, int] = {}
        self._left: list[Left] = []
        self._snapshots: dict[int, Callable[[], object | None]] = {}
        self._number = 0

    def __repr__(self) -> str:
        return f"<Registry kept={len(self._kept)} left={len(self._left)} snapshots={len(self._snapshots)}>"

    def draft(self) -> Draft:
        """Begin a new snapshot."""
        return Draft(self._kept)

    def settle(self, draft: Draft, snapshot: object) -> list[Left]:
        """From now on keep what a draft used, for `snapshot`; returns what has left by that."""
        number = self._number + 1
        left = [
            Left(key, value, self._since[key], self._number)
            for key, value in self._kept.items()
            if key not in draft.used
        ]
        self._since = {key: self._since.get(key, number) for key in draft.used}
        self._kept = draft.used
        self._snapshots[number] = ref(snapshot)
        self._number = number
        self._left += left
        return left

    def all(self, kind: str) -> list[Any]:
        """Everything that is kept and whose key begins with `kind`."""
        return [value for key, value in self._kept.items() if key[0] == kind]

    def left(self, kind: str) -> list[Any]:
        """Everything that has left but is not forgotten, and whose key begins with `kind`."""
        return [one.value for one in self._left if one.key[0] == kind]

    def forget(self, is_over: Callable[[Left], bool]) -> None:
        """Forget what has left, where `is_over` says that nothing goes on in it and nobody can begin anything."""
        self._snapshots = {number: find for number, find in self._snapshots.items() if find() is not None}
        if self._left:
            self._left = [one for one in self._left if self._is_reached(one) or not is_over(one)]

    def _is_reached(self, one: Left) -> bool:
        return any(one.first <= number <= one.last for number in self._snapshots)
