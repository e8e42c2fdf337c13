"""Sets of addresses: who is in them, and what is remembered of it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from twisted.trial.unittest import SynchronousTestCase

from apigateway.routing.networks import _REMEMBERED, Networks

NETWORKS = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))


class NetworksTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.networks = Networks(NETWORKS)

    def test_hold_addresses_of_both_kinds_and_ipv4_over_ipv6(self) -> None:
        for address, expected in (
            ("10.1.2.3", True), ("11.0.0.1", False), ("2001:db8::1", True), ("::1", False), ("::ffff:10.0.0.1", True),
            ("::ffff:11.0.0.1", False), ("unknown", False), ("", False), ("10.0.0.0/8", False),
        ):  # fmt: skip
            for _ in range(2):  # the second time it is remembered
                self.assertIs(self.networks.hold(address), expected, address)

    def test_whoever_may_open_the_unix_socket_is_one_of_them(self) -> None:
        self.assertTrue(Networks(()).hold("unix"))

    def test_many_addresses_do_not_fill_the_memory(self) -> None:
        for number in range(10_000):
            self.networks.hold(str(ip_address(number)))
        self.assertLessEqual(len(self.networks._known), _REMEMBERED)
        self.assertTrue(self.networks.hold("10.0.0.1"))

    def test_tell_whether_there_are_any_and_which(self) -> None:
        self.assertEqual((bool(self.networks), bool(Networks(()))), (True, False))
        self.assertEqual((repr(self.networks), repr(Networks(()))),
                         ("<Networks 10.0.0.0/8 2001:db8::/32>", "<Networks none>"))  # fmt: skip
