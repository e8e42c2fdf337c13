"""The ways to discover targets, made from what a configuration says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.registry import Components
from zope.interface.verify import verifyObject

from apigateway.assembly import discoveries
from apigateway.assembly.components import Surroundings
from apigateway.assembly.discoveries import DiscoverySpec, add_discoveries
from apigateway.config.model import Discovery, Target
from apigateway.interfaces import IDiscovery
from apigateway.lifecycle.watched_file import WatchedFile
from apigateway.testing.memory import MemoryNetwork
from tests.discovery.names import Zone


class ZoneServers:
    """Name servers that a test has in its hands: asks `zone`, and keeps whom it should have asked."""

    zone = Zone()
    servers: list[Any] = []

    def __init__(self, reactor: object, servers: Any) -> None:
        type(self).servers = servers()
        self.ask = self.zone.ask


class DiscoveriesTests(SynchronousTestCase):
    def setUp(self) -> None:
        ZoneServers.zone = self.zone = Zone()
        self.patch(discoveries, "NameServers", ZoneServers)
        self.clock = Clock()
        self.network = MemoryNetwork()
        self.components = Components("test")
        add_discoveries(self.components)

    def discovery(self, **options: Any) -> Any:
        around = Surroundings(self.clock, self.network.reactor.connectTCP, self.clock.seconds)
        spec = DiscoverySpec(
            "orders", Discovery(**options), lambda: None, lambda path: WatchedFile(path, self.clock), around
        )
        made: Any = self.components.getAdapter(spec, IDiscovery, spec.options.kind)
        verifyObject(IDiscovery, made)
        self.addCleanup(made.stop)
        made.start()
        return made

    def test_addresses_of_a_name_are_targets_that_keep_the_name(self) -> None:
        self.zone.has("orders.internal", "A", "10.0.0.1", "10.0.0.2")
        made = self.discovery(dns="http://orders.internal:8080")
        self.assertEqual(
            made.targets, tuple(Target("http://orders.internal:8080", 1, f"10.0.0.{number}") for number in (1, 2))
        )
        self.assertEqual([one.place for one in made.targets], ["http://10.0.0.1:8080", "http://10.0.0.2:8080"])
        self.assertEqual(made.describe()["by"], "dns http://orders.internal:8080")

    def test_the_port_of_a_name_is_that_of_its_url_and_a_dot_at_its_end_is_not_asked_for(self) -> None:
        self.zone.has("orders.internal", "AAAA", "2001:db8::1")
        for url, place in (
            ("http://orders.internal.", "http://[2001:db8::1]"),
            ("https://orders.internal", "https://[2001:db8::1]"),
            ("https://orders.internal:8443", "https://[2001:db8::1]:8443"),
        ):
            (target,) = self.discovery(dns=url).targets
            self.assertEqual((target.url, target.place), (url, place))

    def test_hosts_of_srv_records_are_targets_with_their_names_ports_and_weights(self) -> None:
        self.zone.has("_http._tcp.orders", "SRV", (0, 3, 8080, "a.internal"), (0, 1, 443, "b.internal"))
        self.zone.has("a.internal", "A", "10.0.0.1")
        self.zone.has("b.internal", "A", "10.0.0.2")
        self.assertEqual(
            self.discovery(srv="_http._tcp.orders").targets,
            (Target("http://a.internal:8080", 3, "10.0.0.1"), Target("http://b.internal:443", 1, "10.0.0.2")),
        )
        self.assertEqual(self.discovery(srv="_http._tcp.orders", scheme="https").targets[1].url, "https://b.internal")

    def test_the_options_are_heeded(self) -> None:
        self.zone.has("orders.internal", "A", "10.0.0.1", ttl=3600)
        self.zone.has("orders.internal", "AAAA", "::1", ttl=3600)
        made = self.discovery(
            dns="http://orders.internal", family="ipv6", max_ttl=5.0, hold=20.0, nameservers=("10.0.0.53:5353",)
        )
        self.assertEqual(ZoneServers.servers, [("10.0.0.53", 5353)])
        self.assertEqual([one.address for one in made.targets], ["::1"])
        self.zone.lacks("orders.internal")
        self.clock.pump([0.5] * 12)
        self.assertIsNotNone(made.describe()["error"])
        self.clock.pump([0.5] * 38)
        self.assertEqual(len(made.targets), 1)
        self.clock.pump([0.5] * 10)
        self.assertEqual(made.targets, ())

    def test_of_many_faults_some_are_told(self) -> None:
        path = Path(self.mktemp())
        path.write_text("- x\n" * 100)
        error = self.discovery(file=str(path)).describe()["error"]
        self.assertEqual((error.count("begins with http://"), error[-13:]), (5, "; and 95 more"))

    def test_a_file_that_is_too_large_is_not_read(self) -> None:
        path = Path(self.mktemp())
        path.write_text("- http://a:1\n" + "#" * discoveries.MOST_BYTES)
        self.assertEqual(self.discovery(file=str(path)).describe()["error"], f"{path} is larger than 256 KiB")

    def test_a_file_lists_targets_or_its_faults_are_told(self) -> None:
        path = Path(self.mktemp())
        path.write_text("- http://a:1\n- {url: http://b, weight: 3}\n")
        made = self.discovery(file=str(path))
        self.assertEqual(made.targets, (Target("http://a:1"), Target("http://b", 3)))
        path.write_text("- nonsense\n- http://a:0\n")
        self.clock.pump([1.0] * 3)
        self.assertEqual(len(made.targets), 2)
        self.assertEqual(
            made.describe()["error"],
            f"{path}:1: [0]: a target's URL begins with http:// or https://; "
            f"{path}:2: [1]: 0 is not a port, from 1 to 65535",
        )
