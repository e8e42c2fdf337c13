"""The keys of splits and mirrors."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Mirror, Route, SplitRule
from tests.config.reading import messages, read

FILE = """
services:
  product: {{prefix: /api, targets: [http://a], {0}}}
  next: {{targets: [http://b]}}
  other: {{prefix: /other, targets: [http://c], fallback: {{service: next}}}}
"""


def route(keys: str) -> Route:
    return read(FILE.format(keys)).services[0].routes[0]


def wrong(keys: str) -> list[str]:
    """What is wrong with the product service, without its name."""
    return [message.removeprefix("services.product.") for message in messages(FILE.format(keys))]


class SplitTests(SynchronousTestCase):
    def test_a_rule_matches_or_takes_a_share(self) -> None:
        rules = "{service: next, headers: {X-Canary: always}}, {service: next, cookie: {Canary: yes}}"
        self.assertEqual(
            route(f"split: [{rules}, {{service: next, share: 5%, by: cookie:Id}}]").split,
            (
                SplitRule("next", headers=(("X-Canary", "always"),)),
                SplitRule("next", cookie=(("Canary", "yes"),)),
                SplitRule("next", share=0.05, by="cookie:Id"),
            ),
        )

    def test_without_one_there_is_none_and_false_switches_it_off(self) -> None:
        self.assertEqual((route("").split, route("split: false").split), ((), ()))

    def test_a_rule_says_for_whom_it_is_and_only_in_one_way(self) -> None:
        self.assertEqual(
            wrong("split: [{service: next}]"),
            ["split[0].service: for whom? a rule has `headers`, `cookie` or a `share`"],
        )
        self.assertEqual(len(wrong("split: [{service: next, headers: {}}]")), 1)
        self.assertEqual(
            wrong("split: [{service: next, share: 5%, cookie: {a: b}}]"),
            ["split[0].cookie: a rule has either a `share` or what it matches, not both"],
        )
        self.assertEqual(
            wrong("split: [{service: next, by: client, cookie: {a: b}}]"),
            ["split[0].by: tells how a `share` is dealt out, and there is none"],
        )

    def test_shares_are_parts_of_all(self) -> None:
        accepted = "expected a share from 0% to 100%, or a number from 0 to 1"
        for share in ("5", "101%", "-1%", "x", "5 %"):
            self.assertEqual(
                wrong(f"split: [{{service: next, share: {share}}}]"), [f"split[0].share: {accepted}, not '{share}'"]
            )
        self.assertEqual(route("split: [{service: next, share: 0.5}]").split[0].share, 0.5)

    def test_shares_add_up_to_all_at_most(self) -> None:
        rules = "{service: next, share: 33.4%}, {service: next, share: 33.3%}, {service: next, share: 33.3%}"
        self.assertEqual(len(route(f"split: [{rules}]").split), 3)
        self.assertEqual(
            wrong(f"split: [{rules}, {{service: next, share: 0.001%}}]"),
            ["split[3]: the shares add up to 100.001%, which is more than all"],
        )

    @settings(deadline=None)
    @given(st.lists(st.integers(0, 60), min_size=1, max_size=4))
    def test_and_never_to_more(self, percents: list[int]) -> None:
        rules = ", ".join(f"{{service: next, share: {one}%}}" for one in percents)
        self.assertEqual(bool(wrong(f"split: [{rules}]")), sum(percents) > 100)

    def test_all_shares_are_dealt_out_in_the_same_way(self) -> None:
        self.assertEqual(
            wrong("split: [{service: next, share: 5%, by: client}, {service: other, share: 5%}]"),
            ["split[1]: all shares of a split are dealt out in one way; the first says `by: client`"],
        )

    def test_ways_to_deal_out(self) -> None:
        for by in ("random", "client", "header:X-User", "cookie:id"):
            self.assertEqual(route(f"split: [{{service: next, share: 5%, by: '{by}'}}]").split[0].by, by)
        for by in ("path", "header:", "cookie", "client:x"):
            self.assertEqual(len(wrong(f"split: [{{service: next, share: 5%, by: '{by}'}}]")), 1, by)

    def test_a_cookie_that_nobody_can_send_is_refused(self) -> None:
        for pair in ("'a b': c", "a: 'b;c'", "a: 'b c'"):
            self.assertEqual(len(wrong(f"split: [{{service: next, cookie: {{{pair}}}}}]")), 1, pair)


class MirrorTests(SynchronousTestCase):
    def test_one_or_several(self) -> None:
        self.assertEqual(route("mirror: {service: next}").mirror, (Mirror("next"),))
        self.assertEqual(
            route(
                "mirror: [{service: next, share: 10%, methods: ['*']}, {service: other, max_body: 1KiB, in_flight: 2}]"
            ).mirror,
            (Mirror("next", 0.1, ("*",)), Mirror("other", max_body=1024, in_flight=2)),
        )
        self.assertEqual((route("").mirror, route("mirror: false").mirror), ((), ()))

    def test_needs_a_service(self) -> None:
        self.assertEqual(wrong("mirror: {share: 5%}"), ["mirror: needs `service`"])


class LayerTests(SynchronousTestCase):
    TEXT = """
        services:
          product:
            targets: [http://a]
            split: [{service: next, share: 5%}]
            mirror: {service: shadow, share: 5%}
            routes:
              - {path: /a}
              - {path: /b, split: false, mirror: {share: 1%}}
              - {path: /c, split: [{service: next, share: 50%}], mirror: false}
          next: {targets: [http://b]}
          shadow: {targets: [http://c]}
    """

    def test_what_a_route_says_lies_over_what_its_service_says(self) -> None:
        first, second, third = read(self.TEXT).services[0].routes
        self.assertEqual((first.split, first.mirror), ((SplitRule("next", share=0.05),), (Mirror("shadow", 0.05),)))
        self.assertEqual((second.split, second.mirror), ((), (Mirror("shadow", 0.01),)))
        self.assertEqual((third.split, third.mirror), ((SplitRule("next", share=0.5),), ()))

    def test_defaults_have_neither(self) -> None:
        for key in ("split", "mirror"):
            self.assertIn("unknown key", messages(f"defaults: {{{key}: false}}\n{self.TEXT.strip()}")[0])
