from ipaddress import IPv6Address

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.policies.client_key import CACHED_ADDRESSES, _by_network, limit_key


class ClientKeyTests(SynchronousTestCase):
    def test_so_many_networks_are_kept_ready(self) -> None:
        for number in range(CACHED_ADDRESSES + 100):
            limit_key(f"2001:db8:{number:x}::1")
        self.assertEqual(_by_network.cache_info().currsize, CACHED_ADDRESSES)

    def test_an_ipv4_address_is_a_client(self) -> None:
        self.assertEqual(limit_key("192.0.2.1"), "192.0.2.1")

    def test_an_ipv6_network_of_64_bits_is_one_client(self) -> None:
        self.assertEqual(limit_key("2001:db8:0:7::1"), "2001:db8:0:7::/64")
        self.assertEqual(limit_key("2001:db8:0:7:ffff:ffff:ffff:ffff"), limit_key("2001:db8:0:7::1"))
        self.assertNotEqual(limit_key("2001:db8:0:8::1"), limit_key("2001:db8:0:7::1"))

    def test_ipv4_over_an_ipv6_socket_is_ipv4(self) -> None:
        self.assertEqual(limit_key("::ffff:192.0.2.1"), "192.0.2.1")
        self.assertEqual(limit_key("::ffff:c000:201"), "192.0.2.1")

    def test_an_interface_name_does_not_matter(self) -> None:
        self.assertEqual(limit_key("fe80::1%eth0"), "fe80::/64")

    def test_what_is_no_address_stands_for_itself(self) -> None:
        for text in ("", "unix", "unix:/run/socket", "::zz"):
            self.assertEqual(limit_key(text), text)

    @settings(deadline=None)
    @given(st.integers(1 << 48, (1 << 64) - 1), st.integers(0, (1 << 64) - 1), st.booleans())
    def test_the_last_64_bits_and_the_spelling_never_matter(self, network: int, host: int, exploded: bool) -> None:
        address = IPv6Address(network << 64 | host)
        first = IPv6Address(network << 64)
        self.assertEqual(limit_key(address.exploded if exploded else str(address)), limit_key(str(first)))
