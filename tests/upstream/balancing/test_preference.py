"""Which target each key belongs to."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.balancing.preference import SLOTS, Preference, returns, slot_of
from tests.upstream.balancing.world import make_target, targets_of

SLOT = st.integers(0, SLOTS - 1)


class PreferenceTests(SynchronousTestCase):
    def test_it_is_the_same_on_every_gateway_and_after_every_start(self) -> None:
        preference = Preference([make_target(name) for name in ("http://a", "http://b", "http://c")])
        keys = [b"10.0.0.1", b"10.0.0.2", b"2001:db8::/64", b"alice", b"bob", b""]
        slots = [slot_of(key) for key in keys]
        self.assertEqual(slots, [3877, 6987, 1932, 50, 10631, 12798])
        self.assertEqual("".join(preference.first(slot).url[-1] for slot in slots), "cabcca")

    def test_repr_tells_how_much_is_known(self) -> None:
        preference = Preference(targets_of([1, 1]))
        preference.first(3)
        self.assertEqual(repr(preference), "<Preference 2 targets, 1 slots known>")

    @settings(deadline=None, max_examples=10)
    @given(st.lists(st.integers(1, 4), min_size=2, max_size=5))
    def test_shares_follow_the_weights(self, weights: list[int]) -> None:
        targets = targets_of(weights)
        preference = Preference(targets)
        got = Counter(preference.first(slot) for slot in range(0, SLOTS, 4))
        for target in targets:
            # Six standard deviations of a share of one half, the widest.
            self.assertLess(abs(got[target] / (SLOTS / 4) - target.weight / sum(weights)), 6 * 0.5 / (SLOTS / 4) ** 0.5)

    @settings(deadline=None)
    @given(st.lists(st.integers(1, 9), min_size=2, max_size=8), st.integers(0, 7), st.lists(SLOT, max_size=50))
    def test_removing_a_target_moves_only_its_own_keys_and_to_the_next_in_their_order(
        self, weights: list[int], which: int, slots: list[int]
    ) -> None:
        targets = targets_of(weights)
        gone = targets[which % len(targets)]
        before, after = Preference(targets), Preference([target for target in targets if target is not gone])
        for slot in slots:
            first, second = before.order(slot)[:2]
            self.assertIs(before.first(slot), first)
            self.assertIs(after.first(slot), second if first is gone else first)

    @settings(deadline=None)
    @given(st.lists(st.integers(1, 9), min_size=1, max_size=8), SLOT)
    def test_every_target_is_in_the_order_once_and_it_does_not_depend_on_theirs(
        self, weights: list[int], slot: int
    ) -> None:
        targets = targets_of(weights)
        order = Preference(targets).order(slot)
        self.assertEqual(len(set(order)), len(targets))
        self.assertEqual(Preference(targets[::-1]).order(slot), order)

    @settings(deadline=None)
    @given(SLOT, st.floats(0, 1), st.floats(0, 1))
    def test_a_slot_that_has_returned_stays(self, slot: int, share: float, more: float) -> None:
        self.assertFalse(returns(slot, 0.0))
        self.assertTrue(returns(slot, 1.0))
        if returns(slot, min(share, more)):
            self.assertTrue(returns(slot, max(share, more)))

    def test_of_all_slots_as_many_return_as_the_share_says(self) -> None:
        for share in (0.1, 0.5, 0.9):
            got = sum(returns(slot, share) for slot in range(SLOTS)) / SLOTS
            self.assertLess(abs(got - share), 6 * 0.5 / SLOTS**0.5)
