"""What must not be between services."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from .reading import messages, read


def routes(*matches: str) -> str:
    """A file with a service for each of these routes, in lines of their own."""
    names = "abcdefgh"[: len(matches)]
    lines = (
        f"  {name}: {{targets: [http://x], routes: [{match}]}}\n" for name, match in zip(names, matches, strict=True)
    )
    return "services:\n" + "".join(lines)


class RouteConflictTests(SynchronousTestCase):
    """Routes that match the same."""

    def test_both_are_named_with_the_line_of_the_first(self) -> None:
        self.assertEqual(
            messages(routes("{path: /x}", "{path: /y}", "{path: /x/}")),
            ["services.c.routes[0]: matches every method of /x like services.a.routes[0] in line 2"],
        )

    def test_methods_that_overlap_are_named(self) -> None:
        self.assertEqual(
            messages(routes("{path: /x, methods: [GET, PUT]}", "{path: /x, methods: [PUT, HEAD, POST]}")),
            ["services.b.routes[0]: matches PUT, HEAD /x like services.a.routes[0] in line 2"],
        )
        self.assertIn("matches PUT /x", messages(routes("{path: /x, methods: [PUT]}", "{path: /x}"))[0])

    def test_methods_hosts_or_headers_may_tell_them_apart(self) -> None:
        read(
            routes(
                "{path: /x, methods: [PUT]}",
                "{path: /x, methods: [GET]}",
                "{path: /x, host: a}",
                "{path: /x, host: b}",
                "{path: /x, match_headers: {X-V: 1}}",
                "{path: /x, match_headers: {X-V: 2}}",
            )
        )

    def test_names_of_headers_are_compared_without_case_and_order(self) -> None:
        first, second = "{path: /x, match_headers: {A: 1, B: 2}}", "{path: /x, match_headers: {b: 2, a: 1}}"
        self.assertEqual(len(messages(routes(first, second))), 1)

    def test_many_that_are_alike_are_told_of_once_each(self) -> None:
        services = "".join(f"  s{number}: {{prefix: /x, targets: [http://x]}}\n" for number in range(3000))
        told = messages("services:\n" + services)
        self.assertEqual(len(told), 2999)
        self.assertTrue(all("like services.s0.prefix in line 2" in one for one in told[:10]), told[:10])

    def test_a_route_that_is_wrong_itself_matches_nothing(self) -> None:
        self.assertEqual(len(messages(routes("{path: /}", "{path: x}", "{methods: [GET]}"))), 2)

    def test_the_gateways_own_pages_cannot_be_taken(self) -> None:
        for path in ("/health", "/health/live", "/gateway", "/gateway/x"):
            self.assertIn("the gateway's own pages", messages(routes(f"{{path: {path}}}"))[0])
        read(routes("{path: /}", "{path: /healthy}", "{path: /x/health}", "{path: /gateways}"))


class FallbackConflictTests(SynchronousTestCase):
    """Fallbacks to other services."""

    def conflicts(self, **fallbacks: str) -> list[str]:
        """What is wrong with services that fall back like this."""
        service = "  {0}: {{prefix: /{0}, targets: [http://x], fallback: {1}}}\n"
        return messages("services:\n" + "".join(service.format(*names) for names in fallbacks.items()))

    def test_may_form_a_chain(self) -> None:
        self.assertEqual(self.conflicts(a="{service: b}", b="{service: c}", c="false"), [])

    def test_a_long_chain_and_a_large_circle_are_followed_once(self) -> None:
        chain = {f"s{number}": f"{{service: s{number + 1}}}" for number in range(3000)}
        self.assertEqual(self.conflicts(**chain, s3000="false"), [])
        (told,) = self.conflicts(**chain, s3000="{service: s1000}")
        self.assertIn("circle: s1000 → s1001 → ", told)
        self.assertTrue(told.endswith(" → s3000 → s1000"))

    def test_a_hint_compares_with_some_services_only(self) -> None:
        wrong = {f"s{number}": "{service: unknown}" for number in range(1000)}
        told = self.conflicts(**wrong)
        self.assertEqual(len(told), 1000)
        self.assertTrue(told[0].endswith("s98, s99 and more"), told[0])

    def test_two_circles_are_both_told_each_from_its_first(self) -> None:
        told = self.conflicts(x="{service: c}", b="{service: c}", c="{service: b}", d="{service: e}", e="{service: d}")
        self.assertEqual([one.rpartition(": ")[2] for one in told], ["b → c → b", "d → e → d"])

    def test_must_lead_to_a_service_that_is_there(self) -> None:
        self.assertEqual(
            self.conflicts(orders="{service: a}", a="{service: order}"),
            ["services.a.fallback: there is no service of this name; did you mean `orders`?"],
        )

    def test_to_a_service_that_is_wrong_itself_is_told_only_there(self) -> None:
        text = "services:\n  a: {prefix: /a, targets: [http://a], fallback: {service: b}}\n  b: 5\n"
        self.assertEqual([message.split(":")[0] for message in messages(text)], ["services.b"])

    def test_must_not_lead_back(self) -> None:
        message = "services must not fall back in a circle"
        self.assertEqual(self.conflicts(a="{service: a}"), [f"services.a.fallback: {message}: a → a"])
        self.assertEqual(
            self.conflicts(x="{service: b}", b="{service: c}", c="{service: d}", d="{service: b}"),
            [f"services.b.fallback: {message}: b → c → d → b"],
        )

    def test_from_defaults_must_not_lead_to_the_service_itself(self) -> None:
        text = """
            defaults: {fallback: {service: a}}
            services:
              a: {prefix: /a, targets: [http://a]}
              b: {prefix: /b, targets: [http://b]}
        """
        self.assertEqual(messages(text), ["defaults.fallback: services must not fall back in a circle: a → a"])
        read(text.replace("/a,", "/a, fallback: false,"))


class ReferenceConflictTests(SynchronousTestCase):
    """Services that others lead to."""

    def conflicts(self, a: str, b: str = "") -> list[str]:
        """What is wrong with a service with a route, and one without, that say this."""
        return messages(
            f"services:\n  a: {{prefix: /a, targets: [http://a], {a}}}\n  b: {{targets: [http://b], {b}}}\n"
        )

    def test_need_no_route_of_their_own(self) -> None:
        for key in ("fallback: {service: b}", "split: [{service: b, share: 1%}]", "mirror: {service: b}"):
            self.assertEqual(self.conflicts(key), [], key)
        route = "routes: [{path: /x, mirror: {service: b}}]"
        self.assertEqual(messages(f"services: {{a: {{targets: [http://a], {route}}}, b: {{targets: [http://b]}}}}"), [])

    def test_that_nobody_leads_to_need_one(self) -> None:
        message = (
            "services.b: needs `prefix` or `routes`, as no other service leads to it (`fallback`, `split`, `mirror`)"
        )
        self.assertEqual(self.conflicts(""), [message])
        self.assertEqual(self.conflicts("", "fallback: {service: a}, rate_limit: {limit: 1}"), [message])
        self.assertEqual(self.conflicts("", "split: [{service: b, share: 1%}]"), [message], "itself does not count")

    def test_without_a_route_say_nothing_that_only_routes_heed(self) -> None:
        means_nothing = "means nothing in a service without `prefix` or `routes`"
        for key in (
            "host: x",
            "methods: [GET]",
            "strip_prefix: true",
            "cors: {origins: ['*']}",
            "mirror: {service: a}",
        ):
            name = key.partition(":")[0]
            told = self.conflicts("fallback: {service: b}", key)
            self.assertEqual(told, [f"services.b.{name}: {means_nothing}"])
        self.assertEqual(self.conflicts("fallback: {service: b}", "cors: false, rate_limit: false"), [])

    def test_must_be_there(self) -> None:
        text = "services: {orders: {prefix: /a, targets: [http://a], %s: %s}}"
        for key, value, where in (
            ("split", "[{service: order, share: 1%}]", "split[0].service"),
            ("mirror", "{service: order}", "mirror.service"),
        ):
            self.assertEqual(
                messages(text % (key, value)),
                [f"services.orders.{where}: there is no service of this name; did you mean `orders`?"],
            )

    def test_may_be_the_service_itself_in_a_split_but_not_in_a_mirror(self) -> None:
        split = "split: [{service: a, headers: {X-Canary: never}}, {service: b, share: 50%}]"
        self.assertEqual(self.conflicts(split), [])
        self.assertEqual(
            self.conflicts("fallback: {service: b}, mirror: {service: a}"),
            ["services.a.mirror.service: a service can't be its own mirror: it would get each request twice"],
        )

    def test_split_off_may_fall_back_to_where_they_were_split_from(self) -> None:
        self.assertEqual(self.conflicts("split: [{service: b, share: 5%}]", "fallback: {service: a}"), [])
        told = self.conflicts("split: [{service: b, share: 5%}], fallback: {service: b}", "fallback: {service: a}")
        self.assertEqual(told, ["services.a.fallback: services must not fall back in a circle: a → b → a"])

    @settings(deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from("abcdef"),
            st.tuples(*[st.sampled_from(["", *"abcdef"])] * 3, st.booleans()),
            min_size=1,
        )
    )
    def test_what_is_refused_is_just_what_leads_nowhere_round_or_comes_from_nowhere(
        self, services: dict[str, tuple[str, str, str, bool]]
    ) -> None:
        told = messages("services:\n" + "".join(_service(name, *says) for name, says in services.items()))
        falls = {name: says[0] for name, says in services.items() if says[0]}
        ways = [(name, to) for name, says in services.items() for to in says[:3] if to]
        led_to = {to for name, to in ways if to != name}
        nowhere = [to for _, to in ways if to not in services]
        unrouted = [name for name, says in services.items() if not says[3]]
        expected = {
            "no service of this name": bool(nowhere),
            "no other service leads": any(name not in led_to for name in unrouted),
            "in a circle": any(_comes_back(name, falls) for name in services),
            "its own mirror": any(says[2] == name for name, says in services.items()),
            "means nothing": any(name in led_to and any(services[name][1:3]) for name in unrouted),
        }
        self.assertEqual({part: any(part in one for one in told) for part in expected}, expected, told)


def _service(name: str, fallback: str, split: str, mirror: str, is_routed: bool) -> str:
    """A line for a service that leads to others."""
    says = [f"targets: [http://{name}]"]
    says += [f"prefix: /{name}"] if is_routed else []
    says += [f"fallback: {{service: {fallback}}}"] if fallback else []
    says += [f"split: [{{service: {split}, share: 1%}}]"] if split else []
    says += [f"mirror: {{service: {mirror}}}"] if mirror else []
    return f"  {name}: {{{', '.join(says)}}}\n"


def _comes_back(name: str, falls: dict[str, str]) -> bool:
    """Whether the way of the fallbacks comes back to where it began."""
    at = falls.get(name, "")
    for _ in falls:
        if at == name:
            return True
        at = falls.get(at, "")
    return False
