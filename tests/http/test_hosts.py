"""Names of hosts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.hosts import host_name, is_named


class NameTests(SynchronousTestCase):
    def test_case_port_blanks_and_the_final_dot_do_not_count(self) -> None:
        for host in (b"Shop.Example", b" shop.example:80 ", b"shop.example.", b"SHOP.example.:8000"):
            self.assertEqual(host_name(host), b"shop.example", host)

    def test_an_address_of_version_6_keeps_its_brackets(self) -> None:
        self.assertEqual([host_name(b"[::1]"), host_name(b"[::1]:80")], [b"[::1]"] * 2)

    def test_a_name_is_the_pattern_s_or_below_it_where_there_is_a_star(self) -> None:
        for name, pattern, expected in (
            (b"a.example", b"a.example", True),
            (b"b.a.example", b"a.example", False),
            (b"b.a.example", b"*.a.example", True),
            (b"c.b.a.example", b"*.a.example", True),
            (b"a.example", b"*.a.example", False),
        ):
            self.assertEqual(is_named(name, pattern), expected, (name, pattern))
