"""The demo's catalogue, whatever is done to it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.demo.catalogue import Catalogue, checked

STEPS = st.lists(st.one_of(st.just(("add", 0)), st.tuples(st.sampled_from(["put", "remove"]), st.integers(1, 12))))


class CatalogueTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(STEPS)
    def test_every_product_is_listed_once_under_its_own_number(self, steps: list[tuple[str, int]]) -> None:
        catalogue = Catalogue()
        for step, number in steps:
            if step == "add":
                catalogue.add({"name": "x", "price": 1})
            elif step == "remove":
                catalogue.remove(number)
            elif catalogue.get(number):
                catalogue.put(number, {"name": "y", "price": 2})
        numbers = [int(str(product["id"])) for product in catalogue.all()]
        self.assertEqual(numbers, sorted({*numbers}))
        self.assertEqual([catalogue.get(number) for number in numbers], catalogue.all())

    def test_only_the_name_and_the_price_are_kept(self) -> None:
        self.assertEqual(checked({"name": "x", "price": 1, "id": 7, "more": []}), {"name": "x", "price": 1})
