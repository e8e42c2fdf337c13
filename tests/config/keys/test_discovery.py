"""What may be said of discovery."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Discovery, Service, Target
from apigateway.config.read import parse_text
from tests.config.reading import messages, read


def service(discovery: str, more: str = "") -> str:
    return f"services: {{orders: {{prefix: /orders, discovery: {discovery}{more}}}}}"


def discovery(text: str) -> Discovery | None:
    """What is read."""
    return read(service(text)).services[0].discovery


class DiscoveryTests(SynchronousTestCase):
    def test_a_service_may_have_its_targets_found_by_a_file_a_name_or_srv_records(self) -> None:
        self.assertEqual(discovery("{file: targets.yaml}"), Discovery(file="targets.yaml"))
        self.assertEqual(discovery("{dns: 'http://Orders.internal:80/'}"), Discovery(dns="http://orders.internal"))
        self.assertEqual(discovery("{srv: _HTTP._tcp.orders.}"), Discovery(srv="_http._tcp.orders"))
        kinds = [Discovery(file="f"), Discovery(dns="http://a"), Discovery(srv="s")]
        self.assertEqual([(one.kind, one.subject) for one in kinds], [("file", "f"), ("dns", "http://a"), ("srv", "s")])

    def test_it_has_no_targets_then(self) -> None:
        one = read(service("{dns: 'http://a.b'}")).services[0]
        self.assertEqual((one.targets, one.name), ((), "orders"))

    def test_names_have_options(self) -> None:
        self.assertEqual(
            discovery("{srv: a.b, scheme: https, nameservers: ['10.0.0.2', '::1', '[::1]:5353'], family: both,"
                      " min_ttl: 5s, max_ttl: 1m, hold: 0s}"),
            Discovery(None, None, "a.b", "https", ("10.0.0.2:53", "[::1]:53", "[::1]:5353"), "both", 5.0, 60.0, 0.0),
        )  # fmt: skip

    def test_the_path_of_a_file_begins_in_the_folder_of_the_configuration(self) -> None:
        for given, path in (("targets.yaml", "/etc/gw/targets.yaml"), ("/run/t.json", "/run/t.json")):
            made = parse_text(service(f"{{file: {given}}}"), "/etc/gw/gateway.yaml", {}).services[0].discovery
            self.assertEqual(made, Discovery(file=path))

    def test_exactly_one_way_is_taken(self) -> None:
        told = ["services.orders.discovery{}: needs exactly one of `file`, `dns` and `srv`"]
        self.assertEqual(messages(service("{}")), [told[0].format("")])
        self.assertEqual(messages(service("{file: a, dns: 'http://a'}")), [told[0].format(".dns")])

    def test_targets_are_named_or_found_not_both_and_not_neither(self) -> None:
        self.assertEqual(
            messages(service("{file: a}", ", targets: ['http://a']")),
            ["services.orders.discovery: stands for `targets`; leave one of the two out"],
        )
        self.assertEqual(
            messages("services: {orders: {prefix: /orders}}"), ["services.orders: needs `targets` or `discovery`"]
        )

    def test_what_means_nothing_is_refused(self) -> None:
        place = "services.orders.discovery"
        for text, told in (
            ("{file: a, hold: 1s}", f"{place}.hold: is about names; a `file` has no further options"),
            ("{dns: 'http://a', scheme: http}", f"{place}.scheme: belongs to `srv`; the URL of `dns` says its own"),
            ("{dns: 'http://a', min_ttl: 2m}", f"{place}.min_ttl: `min_ttl` must not be longer than `max_ttl`"),
            ("{dns: 'http://a', max_ttl: 500ms}", f"{place}.max_ttl: `min_ttl` must not be longer than `max_ttl`"),
        ):
            self.assertEqual(messages(service(text)), [told])
        for url in ("http://10.0.0.1:80", "http://[::1]"):
            self.assertEqual(
                messages(service(f"{{dns: '{url}'}}")),
                [f"{place}.dns: holds an address, of which there is nothing to discover; name it in `targets`"],
            )

    def test_values_are_checked(self) -> None:
        for text in (
            "{srv: 'a b'}", "{srv: ''}", "{dns: orders}", "{dns: 'http://a/path'}", "{file: ''}",
            "{srv: a, nameservers: [dns.example]}", "{srv: a, nameservers: ['10.0.0.1:0']}",
            "{srv: a, nameservers: ['10.0.0.1:70000']}", "{srv: a, nameservers: ['10.0.0.300']}",
            "{srv: a, family: ipv5}", "{srv: a, min_ttl: 0s}", "{srv: a, scheme: ftp}",
        ):  # fmt: skip
            self.assertEqual(len(messages(service(text))), 1, text)


class PlaceTests(SynchronousTestCase):
    def test_the_place_of_a_target_is_its_url_or_that_of_the_address_behind_its_name(self) -> None:
        for url, address, place in (
            ("http://a.b:8080", None, "http://a.b:8080"),
            ("http://a.b:8080", "10.0.0.1", "http://10.0.0.1:8080"),
            ("http://a.b", "10.0.0.1", "http://10.0.0.1"),
            ("https://a.b:8443", "::1", "https://[::1]:8443"),
            ("https://a.b", "::1", "https://[::1]"),
        ):
            self.assertEqual(Target(url, 1, address).place, place)

    def test_a_service_has_none_unless_it_says_so(self) -> None:
        self.assertIsNone(Service("a", (), ()).discovery)
