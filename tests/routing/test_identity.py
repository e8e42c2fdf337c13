"""Who the client is: what a request says of it is believed from trusted proxies only."""

from __future__ import annotations

import re
from ipaddress import ip_network

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.exchange import Exchange
from apigateway.routing.identity import Identity
from apigateway.testing.exchanges import exchange_for

NETWORKS = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]
PROXY, STRANGER = "10.1.2.3", "203.0.113.7"

proxies = st.sampled_from(("10.0.0.1", "10.255.0.9", "2001:db8::5", "::ffff:10.0.0.7", "[2001:db8::6]"))
strangers = st.sampled_from(("192.0.2.1", "203.0.113.9", "2001:db9::1", "::1", "[2400::1]", "11.0.0.1"))


class IdentityCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.bits = 0

    def random_bits(self, count: int) -> int:
        self.bits += 1
        return (self.bits << (count - 8)) % (1 << count)

    def identified(self, peer: str, *fields: tuple[bytes, bytes], trusting: bool = True) -> Exchange:
        exchange = exchange_for("GET", "/", fields, client=peer)
        Identity(NETWORKS if trusting else [], self.random_bits)(exchange)
        return exchange


class ClientTests(IdentityCase):
    def client(self, peer: str, forwarded_for: bytes, trusting: bool = True) -> str:
        return self.identified(peer, (b"X-Forwarded-For", forwarded_for), trusting=trusting).client

    def test_a_client_is_its_peer(self) -> None:
        self.assertEqual(self.identified(STRANGER).client, STRANGER)

    def test_what_a_stranger_says_is_not_believed(self) -> None:
        self.assertEqual(self.client(STRANGER, b"192.0.2.1"), STRANGER)
        self.assertFalse(self.identified(STRANGER).trusted)

    def test_nor_is_anybody_where_none_is_trusted(self) -> None:
        self.assertEqual(self.client(PROXY, b"192.0.2.1", trusting=False), PROXY)

    def test_a_trusted_proxy_names_its_client(self) -> None:
        self.assertEqual(self.client(PROXY, b"192.0.2.1"), "192.0.2.1")
        self.assertTrue(self.identified(PROXY).trusted)

    def test_of_a_list_the_last_that_is_not_trusted_is_the_client(self) -> None:
        for forwarded_for, client in (
            (b"1.1.1.1, 192.0.2.1", "192.0.2.1"),
            (b"1.1.1.1, 192.0.2.1, 10.9.9.9", "192.0.2.1"),
            (b"10.0.0.1,10.0.0.2", "10.0.0.1"),
            (b" 2001:db9::1 , 2001:db8::9", "2001:db9::1"),
            (b"[2001:db9::1]", "2001:db9::1"),
        ):
            self.assertEqual(self.client(PROXY, forwarded_for), client, forwarded_for)

    def test_repeated_fields_are_one_list(self) -> None:
        fields = (b"X-Forwarded-For", b"1.1.1.1"), (b"x-forwarded-for", b"192.0.2.1")
        self.assertEqual(self.identified(PROXY, *fields).client, "192.0.2.1")

    def test_a_list_is_read_as_far_as_it_makes_sense(self) -> None:
        for forwarded_for, client in (
            (b"", PROXY),
            (b"nobody", PROXY),
            (b"192.0.2.1, unknown", PROXY),
            (b"192.0.2.1, <script>, 10.0.0.1", "10.0.0.1"),
            (b"\xff", PROXY),
            (b"192.0.2.1:1234", PROXY),
            (b"fe80::1%eth0", PROXY),
            (b"::1%\x1b[2J", PROXY),
        ):
            self.assertEqual(self.client(PROXY, forwarded_for), client, forwarded_for)

    def test_a_client_has_one_name_however_its_address_is_spelled(self) -> None:
        for spelling in (b"2001:db9::1", b"2001:DB9::1", b"2001:db9:0:0:0:0:0:1", b"[2001:0db9::0001]"):
            self.assertEqual(self.client(PROXY, spelling), "2001:db9::1", spelling)
        self.assertEqual(self.client(PROXY, b"::ffff:192.0.2.1"), "192.0.2.1")

    def test_a_proxy_that_came_as_ipv4_over_ipv6_is_the_same_proxy(self) -> None:
        self.assertEqual(self.client("::ffff:10.1.2.3", b"192.0.2.1"), "192.0.2.1")

    def test_a_peer_without_an_address_is_on_this_machine_and_trusted_where_any_is(self) -> None:
        self.assertEqual(self.client("unix", b"192.0.2.1"), "192.0.2.1")
        self.assertEqual(self.client("unix", b"192.0.2.1", trusting=False), "unix")

    @settings(deadline=None)
    @given(st.lists(st.one_of(proxies, strangers), max_size=6), strangers)
    def test_a_stranger_stays_itself_whatever_it_says(self, said: list[str], peer: str) -> None:
        peer = peer.strip("[]")
        exchange = self.identified(peer, (b"X-Forwarded-For", ", ".join(said).encode()))
        self.assertEqual((exchange.client, exchange.trusted), (peer, False))

    @settings(deadline=None)
    @given(st.lists(st.one_of(proxies, strangers), max_size=6), st.lists(proxies, max_size=3), strangers)
    def test_what_a_client_says_before_its_own_address_never_counts(
        self, said: list[str], chain: list[str], client: str
    ) -> None:
        forwarded_for = ", ".join([*said, client, *chain]).encode()
        self.assertEqual(self.client(PROXY, forwarded_for), client.strip("[]"))


class RequestIdTests(IdentityCase):
    def request_id(self, peer: str, value: bytes | None = None) -> bytes:
        fields = [] if value is None else [(b"X-Request-Id", value)]
        return self.identified(peer, *fields).request_id

    def test_it_is_made_of_random_bits(self) -> None:
        self.assertRegex(self.request_id(STRANGER), rb"^[0-9a-f]{32}$")
        self.assertNotEqual(self.request_id(STRANGER), self.request_id(STRANGER))

    def test_a_strangers_is_not_taken(self) -> None:
        self.assertNotEqual(self.request_id(STRANGER, b"mine"), b"mine")

    def test_a_trusted_peers_is(self) -> None:
        for value in (b"mine", b" 8d3f-1:a/b+c=d@e._ ", b"a" * 128):
            self.assertEqual(self.request_id(PROXY, value), value.strip())

    def test_unless_it_could_do_harm(self) -> None:
        for value in (b"", b"a b", b"a" * 129, b"<script>", b'a"b', b"\xe9", b"a,b", b"a;b"):
            self.assertTrue(re.fullmatch(rb"[0-9a-f]{32}", self.request_id(PROXY, value)), value)


class SecurityTests(IdentityCase):
    def test_a_trusted_proxy_may_say_that_it_ended_the_tls(self) -> None:
        for peer, value, secure in (
            (PROXY, b"https", True),
            (PROXY, b" HTTPS ", True),
            (PROXY, b"http", False),
            (STRANGER, b"https", False),
        ):
            exchange = self.identified(peer, (b"X-Forwarded-Proto", value))
            self.assertEqual(exchange.secure, secure, (peer, value))
