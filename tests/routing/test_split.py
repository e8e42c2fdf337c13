"""Which of several services answers an exchange."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.exchange import Exchange
from apigateway.routing.split import Match, Point, Share, Split, point_by, spread
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.steps.plan import ForwardPlan
from tests.routing.scripted import NotingService

OTHERS = ForwardPlan(via=False)


def service(name: str) -> Any:
    return NotingService(name)


MAIN, A, B, C = (service(name) for name in ("main", "a", "b", "c"))


def at(point: float) -> Point:
    """Everybody stands there."""
    return lambda exchange: point


def nowhere(exchange: Exchange) -> float:
    raise AssertionError("nobody's point was to be asked for")


def shares(*parts: float, point: Point) -> Split:
    """A split with shares for a, b and c."""
    return Split(MAIN, (), [Share(to, part) for to, part in zip((A, B, C), parts, strict=False)], point, OTHERS)


def chosen(split: Split, *fields: tuple[bytes, bytes], client: str = "203.0.113.7") -> str:
    return split.choose(exchange_for("GET", "/", fields, client=client)).name


class MatchTests(SynchronousTestCase):
    def chosen(self, *fields: tuple[bytes, bytes]) -> str:
        matches = [
            Match(A, headers=((b"x-canary", b"always"),)),
            Match(B, cookies=((b"canary", b"yes"),)),
            Match(C, headers=((b"x-a", b"1"), (b"x-b", b"2")), cookies=((b"c", b"3"),)),
        ]
        return chosen(Split(MAIN, matches, (), nowhere, OTHERS), *fields)

    def test_a_field_with_just_this_value_leads_there(self) -> None:
        self.assertEqual(self.chosen((b"X-CANARY", b" always ")), "a")
        for value in (b"Always", b"always, always", b"", b"never"):
            self.assertEqual(self.chosen((b"X-Canary", value)), "main", value)

    def test_so_does_a_cookie(self) -> None:
        self.assertEqual(self.chosen((b"Cookie", b"a=b; canary=yes")), "b")
        for value in (b"canary=no", b"Canary=yes", b"canary", b"xcanary=yes", b"a=canary=yes"):
            self.assertEqual(self.chosen((b"Cookie", value)), "main", value)

    def test_all_that_a_rule_names_must_be_there(self) -> None:
        everything = [(b"X-A", b"1"), (b"X-B", b"2"), (b"Cookie", b"c=3")]
        self.assertEqual(self.chosen(*everything), "c")
        for left_out in range(3):
            self.assertEqual(self.chosen(*everything[:left_out], *everything[left_out + 1 :]), "main")

    def test_the_first_that_matches_counts(self) -> None:
        self.assertEqual(self.chosen((b"Cookie", b"canary=yes"), (b"X-Canary", b"always")), "a")

    def test_whoever_is_matched_takes_nothing_of_a_share(self) -> None:
        split = Split(
            MAIN, [Match(A, headers=((b"x-a", b"1"),))], [Share(B, 1.0)], point_by("random", "", nobody), OTHERS
        )
        self.assertEqual(chosen(split, (b"X-A", b"1")), "a")

    def test_what_a_policy_has_taken_out_of_the_request_still_counts(self) -> None:
        exchange = exchange_for("GET", "/", [(b"X-Canary", b"always"), (b"Cookie", b"canary=yes")])
        exchange.head.plain = []
        for match in (Match(A, headers=((b"x-canary", b"always"),)), Match(A, cookies=((b"canary", b"yes"),))):
            self.assertIs(Split(MAIN, [match], (), nowhere, OTHERS).choose(exchange), A)


def nobody() -> float:
    raise AssertionError("no number was to be drawn")


class ShareTests(SynchronousTestCase):
    def test_the_first_share_is_at_the_bottom_and_the_others_hang_from_the_top(self) -> None:
        found = {
            point: chosen(shares(0.1, 0.2, 0.3, point=at(point)))
            for point in (0.0, 0.09, 0.1, 0.49, 0.5, 0.79, 0.8, 0.99)
        }
        self.assertEqual(
            found,
            {0.0: "a", 0.09: "a", 0.1: "main", 0.49: "main", 0.5: "c", 0.79: "c", 0.8: "b", 0.99: "b"},
        )

    def test_a_share_of_nothing_takes_nobody_and_one_of_all_everybody(self) -> None:
        for point in (0.0, 0.5, 1.0 - 2**-53):
            self.assertEqual(chosen(shares(0.0, point=at(point))), "main")
            self.assertEqual(chosen(shares(1.0, point=at(point))), "a")
            self.assertEqual(chosen(shares(0.0, 1.0, point=at(point))), "b")

    @settings(deadline=None)
    @given(st.integers(0, 1000), st.integers(0, 1000), st.floats(0, 1, exclude_max=True))
    def test_shares_that_are_all_together_leave_nobody_out(self, one: int, two: int, point: float) -> None:
        low, high = sorted((one, two))
        split = shares(low / 1000, (high - low) / 1000, (1000 - high) / 1000, point=at(point))
        self.assertNotEqual(chosen(split), "main")

    @settings(deadline=None)
    @given(st.integers(0, 2**32), st.floats(0, 0.4), st.floats(0, 0.3), st.floats(0, 0.3))
    def test_by_chance_everybody_gets_their_share(self, seed: int, one: float, two: float, three: float) -> None:
        split = shares(one, two, three, point=point_by("random", "", Random(seed).random))
        exchange, times = exchange_for(), 2000
        counts = Counter(split.choose(exchange).name for _ in range(times))
        for name, part in (("a", one), ("b", two), ("c", three)):
            # Six standard deviations, and a few for what nearly never happens.
            self.assertLess(abs(counts[name] - part * times), 6 * (part * (1 - part) * times) ** 0.5 + 5, name)

    def test_clients_that_stay_are_spread_as_the_shares_say(self) -> None:
        split = shares(0.1, 0.25, point=point_by("client", "shop", nobody))
        counts = Counter(
            chosen(split, client=f"10.{number % 7}.{number // 250}.{number % 250}") for number in range(5000)
        )
        self.assertLess(abs(counts["a"] - 500), 100)
        self.assertLess(abs(counts["b"] - 1250), 150)


ADDRESSES = st.ip_addresses(v=4).map(str)
PARTS = st.integers(0, 50).map(lambda number: number / 100)


class StickyTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(ADDRESSES, PARTS, PARTS)
    def test_one_client_sees_one_variant(self, client: str, one: float, two: float) -> None:
        found = {chosen(shares(one, two, point=point_by("client", "shop", nobody)), client=client) for _ in range(3)}
        self.assertEqual(len(found), 1)

    @settings(deadline=None)
    @given(ADDRESSES, PARTS, PARTS, PARTS)
    def test_a_share_that_grows_lets_no_client_go_and_takes_none_from_the_other(
        self, client: str, one: float, more: float, two: float
    ) -> None:
        def seen(*parts: float) -> str:
            return chosen(shares(*parts, point=point_by("client", "shop", nobody)), client=client)

        before, after = seen(one, two), seen(max(one, more), two)
        self.assertIn((before, after), {("a", "a"), ("b", "b"), ("main", "main"), ("main", "a")})
        before, after = seen(one, two), seen(one, max(two, more))
        self.assertIn((before, after), {("a", "a"), ("b", "b"), ("main", "main"), ("main", "b")})

    @settings(deadline=None)
    @given(ADDRESSES, st.lists(st.integers(0, 33).map(lambda number: number / 100), min_size=3, max_size=3), PARTS)
    def test_of_several_a_share_that_grows_lets_no_client_go(
        self, client: str, parts: list[float], more: float
    ) -> None:
        point = point_by("client", "shop", nobody)
        for number, name in enumerate("abc"):
            grown = [*parts]
            grown[number] = min(part for part in (max(parts[number], more), 1.0 - sum(parts) + parts[number]))
            if chosen(shares(*parts, point=point), client=client) == name:
                # Rounded, so that the sum of what is added up is not more than all.
                self.assertEqual(chosen(shares(*[round(part, 6) for part in grown], point=point), client=client), name)

    def test_clients_of_one_network_of_six_groups_are_one(self) -> None:
        split = shares(0.5, point=point_by("client", "shop", nobody))
        for network in range(20):
            found = {chosen(split, client=f"2001:db8:0:{network:x}::{host:x}") for host in range(1, 9)}
            self.assertEqual(len(found), 1)

    def test_a_field_or_a_cookie_may_tell_clients_apart(self) -> None:
        for by, name, value in (("header:X-User", b"X-User", b"%d"), ("cookie:id", b"Cookie", b"a=b; id=%d")):
            split = shares(0.5, point=point_by(by, "shop", nobody))
            seen = {
                user: {
                    chosen(split, (name, value % user), client=client)
                    for client in ("10.0.0.1", "10.0.0.2", "10.0.0.3")
                }
                for user in range(40)
            }
            self.assertTrue(all(len(variants) == 1 for variants in seen.values()), by)
            self.assertEqual({variant for variants in seen.values() for variant in variants}, {"a", "main"}, by)

    def test_the_name_of_a_cookie_has_a_case_and_that_of_a_field_has_none(self) -> None:
        point = point_by("header:X-User", "shop", nobody)
        spellings = [exchange_for("GET", "/", [(name, b"7")]) for name in (b"x-user", b"X-USER")]
        self.assertEqual(point(spellings[0]), point(spellings[1]))
        point = point_by("cookie:Id", "shop", nobody)
        other, none = exchange_for("GET", "/", [(b"Cookie", b"id=7")]), exchange_for()
        self.assertEqual(point(other), point(none))

    def test_who_sends_none_or_nothing_in_it_is_told_by_the_address(self) -> None:
        by_client = point_by("client", "shop", nobody)
        for by in ("header:X-User", "cookie:id"):
            for client in ("10.0.0.1", "10.0.0.2", "2001:db8::1", "unix"):
                for fields in ((), [(b"X-User", b""), (b"Cookie", b"id=")]):
                    exchange = exchange_for("GET", "/", fields, client=client)
                    self.assertEqual(point_by(by, "shop", nobody)(exchange), by_client(exchange))

    def test_services_spread_their_clients_independently(self) -> None:
        one, other = (shares(0.5, point=point_by("client", name, nobody)) for name in ("shop", "basket"))
        clients = [f"10.0.{number}.1" for number in range(200)]
        both = Counter((chosen(one, client=client), chosen(other, client=client)) for client in clients)
        self.assertTrue(
            all(both[pair] > 25 for pair in (("a", "a"), ("a", "main"), ("main", "a"), ("main", "main"))), both
        )

    def test_points_are_the_same_in_every_process_and_version(self) -> None:
        self.assertEqual(
            [spread(value, b"shop") for value in (b"", b"10.0.0.1")], [0.1616829429154636, 0.3027417301271478]
        )

    @settings(deadline=None)
    @given(st.binary(), st.binary(max_size=64))
    def test_every_value_has_a_place(self, value: bytes, key: bytes) -> None:
        self.assertTrue(0.0 <= spread(value, key) < 1.0)


class ForwardTests(SynchronousTestCase):
    def test_its_own_service_gets_the_routes_plan_and_the_others_theirs(self) -> None:
        main, other, plan = service("main"), service("other"), ForwardPlan(pass_host=True)
        for point, to, expected in ((0.9, main, plan), (0.1, other, OTHERS)):
            exchange = exchange_for()
            Split(main, (), [Share(other, 0.5)], at(point), OTHERS).forward(exchange, plan)
            self.assertEqual(to.forwarded, [(exchange, expected)])

    def test_tells_what_it_does(self) -> None:
        split = Split(MAIN, [Match(A)], [Share(A, 0.05), Share(B, 0.5)], nowhere, OTHERS)
        self.assertEqual(repr(split), "<Split main matches=1 0-0.05:a 0.5-1:b>")
