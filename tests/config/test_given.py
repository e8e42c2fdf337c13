"""Laying what is nearer over what is further away."""

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.given import Given, overlay
from apigateway.config.problems import Where


def given(whole: bool = False, **values: object) -> Given:
    """A mapping, all in one place."""
    return Given(Where("g"), values, {key: Where("g", 0, key) for key in values}, whole)


class OverlayTests(SynchronousTestCase):
    """Two layers."""

    def test_mappings_are_laid_over_key_by_key_at_every_depth(self) -> None:
        laid = overlay(given(a=1, b=given(c=2, d=3)), given(b=given(d=4), e=5))
        self.assertEqual(laid, Given(Where("g"), {"a": 1, "b": given(c=2, d=4), "e": 5}, laid.places))
        self.assertEqual([*laid.places], ["a", "b", "e"])

    def test_everything_else_replaces_what_is_below(self) -> None:
        for below, above in ((1, 2), ((1, 2), (3,)), (given(a=1), False), (False, given(a=1)), (given(a=1), (2,))):
            self.assertEqual(overlay(below, above), above)

    def test_a_mapping_that_counts_as_a_whole_replaces_what_is_below(self) -> None:
        self.assertEqual(overlay(given(a=1), given(b=2, whole=True)), given(b=2, whole=True))

    def test_the_place_of_a_key_that_is_not_there_is_that_of_its_mapping(self) -> None:
        self.assertEqual([given(a=1).place(key).path for key in ("a", "b")], ["a", ""])
