"""The places behind names."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from apigateway.discovery.answers import LookupFailed, NoRecords, Srv
from apigateway.discovery.names import Names
from apigateway.discovery.places import (
    MOST_PLACES,
    MOST_WEIGHT,
    Found,
    Look,
    Place,
    by_name,
    by_priority,
    by_service,
    fitting_weights,
    places_of,
)

from .names import Zone


class PlacesTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.zone = Zone()
        self.names = Names(self.zone.ask, self.clock.seconds, 1.0, 60.0)

    def found(self, look: Look) -> Found:
        return self.successResultOf(Deferred.fromCoroutine(look()))

    def places(self, look: Look) -> list[tuple[str, int, str, int]]:
        return [(one.host, one.port, one.address, one.weight) for one in self.found(look).places]

    def error(self, look: Look) -> BaseException:
        failure: Any = self.failureResultOf(Deferred.fromCoroutine(look()))
        error: BaseException = failure.value
        return error


class ByNameTests(PlacesTestCase):
    def look(self, family: str = "auto") -> Look:
        return by_name(self.names, "a.b", 80, family)

    def addresses(self, family: str) -> list[str]:
        return [place.address for place in self.found(self.look(family)).places]

    def test_each_address_is_a_place(self) -> None:
        self.zone.has("a.b", "A", "10.0.0.2", "10.0.0.1", ttl=7)
        found = self.found(self.look())
        self.assertEqual(found, Found((Place("a.b", 80, "10.0.0.1"), Place("a.b", 80, "10.0.0.2")), 7.0))

    def test_families_say_which_addresses_count(self) -> None:
        self.zone.has("a.b", "A", "10.0.0.1")
        self.zone.has("a.b", "AAAA", "::1")
        told = {family: self.addresses(family) for family in ("auto", "ipv4", "ipv6", "both")}
        self.assertEqual(
            told, {"auto": ["10.0.0.1"], "ipv4": ["10.0.0.1"], "ipv6": ["::1"], "both": ["10.0.0.1", "::1"]}
        )

    def test_addresses_of_ipv6_are_used_where_there_are_no_others(self) -> None:
        self.zone.has("a.b", "AAAA", "::1")
        self.assertEqual((self.addresses("auto"), self.addresses("both")), (["::1"], ["::1"]))
        self.assertEqual(self.found(self.look("both")).error, "")

    def test_a_name_without_addresses_has_none_for_sure_only_if_every_answer_says_so(self) -> None:
        self.zone.has("a.b", "SRV", (0, 0, 1, "c.d"))
        self.assertIsInstance(self.error(self.look()), NoRecords)
        self.zone.errors["a.b"] = dns.ESERVER
        self.assertNotIsInstance(self.error(self.look()), NoRecords)

    def test_old_addresses_serve_where_newer_ones_cannot_be_had(self) -> None:
        self.zone.has("a.b", "A", "10.0.0.1", ttl=1)
        self.found(self.look())
        self.clock.advance(5)
        self.zone.errors["a.b"] = dns.EREFUSED
        found = self.found(self.look())
        self.assertEqual((len(found.places), found.error), (1, "says REFUSED"))

    def test_their_number_is_bounded(self) -> None:
        self.zone.has("a.b", "A", *(f"10.0.{number // 250}.{number % 250 + 1}" for number in range(MOST_PLACES + 5)))
        found = self.found(self.look())
        self.assertEqual(len(found.places), MOST_PLACES)
        self.assertEqual(found.error, f"{MOST_PLACES + 5} were found; only the first {MOST_PLACES} are used")


class ByServiceTests(PlacesTestCase):
    def look(self) -> Look:
        return by_service(self.names, "_http._tcp.s", "auto")

    def has(self, *records: tuple[int, int, int, str]) -> None:
        self.zone.has("_http._tcp.s", "SRV", *records)

    def test_each_address_of_each_host_is_a_place_with_the_weight_of_its_record(self) -> None:
        self.has((0, 3, 80, "a.b"), (0, 0, 81, "c.d"))
        self.zone.has("a.b", "A", "10.0.0.1", "10.0.0.2")
        self.zone.has("c.d", "AAAA", "::1")
        self.assertEqual(
            self.places(self.look()), [("a.b", 80, "10.0.0.1", 3), ("a.b", 80, "10.0.0.2", 3), ("c.d", 81, "::1", 1)]
        )

    def test_only_the_lowest_priority_with_an_address_is_used(self) -> None:
        self.has((2, 1, 80, "b.b"), (1, 1, 80, "a.b"), (3, 1, 80, "c.b"))
        for name, address in (("a.b", "10.0.0.1"), ("b.b", "10.0.0.2"), ("c.b", "10.0.0.3")):
            self.zone.has(name, "A", address, ttl=1)
        self.assertEqual([place.host for place in self.found(self.look()).places], ["a.b"])
        self.assertNotIn(("b.b", dns.A), self.zone.asked, "others are not even asked for")
        self.zone.lacks("a.b")
        self.clock.advance(2)
        self.assertEqual([place.host for place in self.found(self.look()).places], ["b.b"])

    def test_the_shortest_time_counts(self) -> None:
        self.zone.has("_http._tcp.s", "SRV", (0, 1, 80, "a.b"), (0, 1, 80, "c.d"), ttl=50)
        self.zone.has("a.b", "A", "10.0.0.1", ttl=9)
        self.zone.has("c.d", "A", "10.0.0.2", ttl=20)
        self.assertEqual(self.found(self.look()).until, 9.0)

    def test_a_host_that_cannot_be_resolved_is_missing_and_that_is_told(self) -> None:
        self.has((0, 1, 80, "a.b"), (0, 1, 80, "c.d"))
        self.zone.has("a.b", "A", "10.0.0.1")
        self.zone.errors["c.d"] = dns.ESERVER
        found = self.found(self.look())
        self.assertEqual(([place.host for place in found.places], found.error), (["a.b"], "says SERVFAIL"))

    def test_without_hosts_or_addresses_there_is_nothing(self) -> None:
        self.assertIsInstance(self.error(self.look()), NoRecords)
        self.has((0, 0, 0, ""))
        self.assertIsInstance(self.error(self.look()), NoRecords)
        self.has((0, 0, 80, "a.b"))
        self.assertIsInstance(self.error(self.look()), NoRecords)
        self.zone.errors["a.b"] = dns.ESERVER
        self.assertNotIsInstance(self.error(self.look()), NoRecords)
        self.assertIsInstance(self.error(self.look()), LookupFailed)


RECORDS = st.lists(
    st.builds(
        Srv,
        priority=st.integers(0, 3),
        host=st.sampled_from("abcde"),
        port=st.integers(80, 82),
        weight=st.integers(0, 65535),
    ),
    unique=True,
    max_size=12,
)
ADDRESSES = st.dictionaries(st.sampled_from("abcde"), st.sets(st.sampled_from("123")).map(tuple))


class WeightTests(SynchronousTestCase):
    def test_weights_that_fit_stay_as_they_are_and_no_weight_is_the_smallest(self) -> None:
        self.assertEqual(fitting_weights([0, 0]), [1, 1])
        self.assertEqual(fitting_weights([0, 10, 1000]), [1, 10, 1000])
        self.assertEqual(fitting_weights([64000, 32000, 640, 1]), [1000, 500, 10, 1])
        self.assertEqual(fitting_weights([]), [])

    @settings(deadline=None)
    @given(st.lists(st.integers(0, 65535), min_size=1, max_size=20))
    def test_shares_are_those_of_the_records_as_far_as_whole_numbers_go(self, weights: list[int]) -> None:
        fitted = fitting_weights(weights)
        self.assertTrue(all(1 <= weight <= MOST_WEIGHT for weight in fitted))
        most, most_fitted = max(weights), max(fitted)
        for weight, fit in zip(weights, fitted, strict=True):
            if most:
                self.assertLessEqual(abs(weight / most - fit / most_fitted), 2 / most_fitted)
        for (one, fit), (other, other_fit) in zip(
            zip(weights, fitted, strict=True), reversed(list(zip(weights, fitted, strict=True))), strict=True
        ):
            if one <= other:
                self.assertLessEqual(fit, other_fit)

    @settings(deadline=None)
    @given(RECORDS, ADDRESSES)
    def test_every_place_is_there_once_and_no_address_is_lost(
        self, records: list[Srv], addresses: dict[str, tuple[str, ...]]
    ) -> None:
        places = places_of(records, addresses)
        known = [(place.address, place.port) for place in places]
        self.assertEqual(len(known), len(set(known)))
        wanted = {(address, one.port) for one in records for address in addresses.get(one.host, ())}
        self.assertEqual(set(known), wanted)
        self.assertTrue(all(1 <= place.weight <= MOST_WEIGHT for place in places))

    @settings(deadline=None)
    @given(RECORDS)
    def test_priorities_come_in_their_order_with_all_their_records(self, records: list[Srv]) -> None:
        groups = by_priority(records)
        self.assertEqual(sorted(one for group in groups for one in group), sorted(records))
        numbers = [{one.priority for one in group} for group in groups]
        self.assertTrue(all(len(one) == 1 for one in numbers))
        self.assertEqual([min(one) for one in numbers], sorted({one.priority for one in records}))
