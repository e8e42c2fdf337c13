"""What is kept from one snapshot to the next, and when it is forgotten."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from apigateway.assembly.registry import Draft, Left, Registry


class Snapshot:
    """Something that exchanges can hold."""


def over(left: Left) -> bool:
    """Nothing goes on in it."""
    return True


class RegistryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.registry = Registry()
        self.snapshot = Snapshot()

    def settle(self, *keys: str) -> list[Left]:
        """A new snapshot uses these things."""
        draft = self.registry.draft()
        for key in keys:
            self.keep(draft, key)
        self.snapshot = Snapshot()
        return self.registry.settle(draft, self.snapshot)

    def keep(self, draft: Draft, key: str) -> Any:
        return draft.keep(("thing", key), object)

    def test_a_thing_is_made_once_for_each_key(self) -> None:
        draft = self.registry.draft()
        made = [self.keep(draft, name) for name in ("a", "b", "a")]
        self.registry.settle(draft, self.snapshot)
        self.assertIs(made[0], made[2])
        self.assertIsNot(made[0], made[1])
        self.assertEqual(self.registry.all("thing"), made[:2])
        self.assertEqual(self.registry.all("other"), [])

    def test_what_the_next_snapshot_uses_too_is_the_same(self) -> None:
        self.settle("a", "b")
        before = self.registry.all("thing")
        self.settle("b", "a")
        self.assertEqual(set(self.registry.all("thing")), set(before))

    def test_a_draft_that_is_dropped_changes_nothing(self) -> None:
        self.settle("a")
        draft = self.registry.draft()
        self.keep(draft, "b")
        self.assertEqual(len(self.registry.all("thing")), 1)

    def test_what_the_next_snapshot_does_not_use_has_left(self) -> None:
        self.settle("a", "b")
        a, b = self.registry.all("thing")
        (left,) = self.settle("b")
        self.assertEqual((left.key, left.value, left.first, left.last), (("thing", "a"), a, 1, 1))
        self.assertEqual((self.registry.left("thing"), self.registry.all("thing")), ([a], [b]))

    def test_what_comes_back_is_made_anew(self) -> None:
        self.settle("a")
        (before,) = self.registry.all("thing")
        self.settle()
        self.settle("a")
        self.assertIsNot(self.registry.all("thing")[0], before)

    def test_what_has_left_is_forgotten_when_it_is_over(self) -> None:
        self.settle("a")
        self.settle()
        self.registry.forget(lambda left: False)
        self.assertEqual(len(self.registry.left("thing")), 1)
        self.registry.forget(over)
        self.assertEqual(self.registry.left("thing"), [])

    def test_but_not_while_somebody_holds_a_snapshot_that_used_it(self) -> None:
        self.settle("a")
        self.settle("a", "b")
        held = self.snapshot
        self.settle("b")
        self.settle()
        self.registry.forget(over)
        self.assertEqual(len(self.registry.left("thing")), 2)
        del held
        self.registry.forget(over)
        self.assertEqual(self.registry.left("thing"), [])

    def test_who_holds_an_older_or_a_newer_snapshot_does_not_keep_it(self) -> None:
        self.settle()
        older = self.snapshot
        self.settle("a")
        self.settle()
        newer = self.snapshot
        self.settle()
        self.registry.forget(over)
        self.assertEqual(self.registry.left("thing"), [], (older, newer))

    def test_repr_tells_how_much_there_is(self) -> None:
        self.settle("a")
        self.settle("b")
        self.assertEqual(repr(self.registry), "<Registry kept=1 left=1 snapshots=2>")
        self.registry.forget(over)
        self.assertEqual(repr(self.registry), "<Registry kept=1 left=0 snapshots=1>")
