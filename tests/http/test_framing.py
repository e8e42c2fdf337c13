"""From parsed pieces to a request head: what must not be forwarded is refused, and says why."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import GatewayError
from apigateway.http.fields import Fields
from apigateway.http.framing import read_head
from apigateway.http.heads import CHUNKED, RequestHead

HOST = (b"Host", b"example.com")


def read(
    method: bytes = b"GET", target: bytes = b"/", version: str = "1.1", fields: Fields | None = None, stays: bool = True
) -> RequestHead:
    return read_head(method, target, version, [HOST] if fields is None else fields, stays)


class HeadCase(SynchronousTestCase):
    def refused(self, cause: str = "bad-request", **parts: object) -> None:
        try:
            head = read(**parts)  # type: ignore[arg-type]  # the tests name the parts
        except GatewayError as error:
            self.assertEqual(error.cause.code, cause, parts)
            self.assertTrue(error.detail)
        else:
            self.fail(f"{parts} were read as {head.method!r} {head.target!r} {head.special!r}")


class TargetTests(HeadCase):
    def test_a_path_is_taken_as_it_is(self) -> None:
        for target in (b"/", b"/a/b?c=d", b"//a", b"/a?b?c", b"/%2e%2e"):
            self.assertEqual(read(target=target).target, target)

    def test_the_absolute_form_becomes_a_path_and_its_authority_the_host(self) -> None:
        for target, path, host in (
            (b"http://other.example/a?b", b"/a?b", b"other.example"),
            (b"HTTPS://other.example:8443", b"/", b"other.example:8443"),
            (b"http://[::1]:80/", b"/", b"[::1]:80"),
            (b"http://other.example?b", b"/?b", b"other.example"),
        ):
            head = read(target=target)
            self.assertEqual((head.target, head.special[b"host"]), (path, host))

    def test_an_absolute_form_with_an_unfit_authority_is_refused(self) -> None:
        for target in (b"http://", b"http:///a", b"http://u@h/", b"http://h h/", b"http://h:x/", b"http://h/#a"):
            self.refused(target=target)

    def test_an_absolute_form_excuses_no_bad_host(self) -> None:
        for fields in ([], [(b"Host", b"a b")], [HOST, HOST]):
            self.refused(target=b"http://h/", fields=fields)

    def test_of_an_absolute_form_policies_see_the_host_that_the_service_does(self) -> None:
        head = read(target=b"http://other.example/a", fields=[(b"A", b"b"), (b"hOST", b"h"), (b"C", b"d")])
        self.assertEqual(head.fields, [(b"Host", b"other.example"), (b"A", b"b"), (b"C", b"d")])
        self.assertEqual((head.get(b"host"), head.plain), (b"other.example", [(b"A", b"b"), (b"C", b"d")]))

    def test_other_forms_are_refused(self) -> None:
        for target in (b"a", b"?a", b"", b"h:443", b"ftp://h/", b"file:///etc/passwd", b"\\a"):
            self.refused(target=target)

    def test_a_fragment_is_refused(self) -> None:
        for target in (b"/a#b", b"/a?b#c", b"/#"):
            self.refused(target=target)

    def test_a_star_is_for_options_only(self) -> None:
        self.assertEqual(read(b"OPTIONS", b"*").target, b"*")
        self.refused(method=b"GET", target=b"*")


class MethodTests(HeadCase):
    def test_tunnels_and_other_protocols_are_not_served(self) -> None:
        for method in (b"CONNECT", b"PRI", b"DESCRIBE", b"SOURCE"):
            self.refused(method=method)


class VersionTests(HeadCase):
    def test_1_1_and_1_0_are_served(self) -> None:
        self.assertEqual([read(version=version).minor for version in ("1.1", "1.0")], [1, 0])

    def test_others_are_not(self) -> None:
        for version in ("0.9", "1.2", "2.0", "3.0"):
            self.refused(version=version)


class HostTests(HeadCase):
    def test_1_1_needs_a_host_and_1_0_does_not(self) -> None:
        self.refused(fields=[])
        self.assertNotIn(b"host", read(version="1.0", fields=[]).special)

    def test_hosts_that_are_names_or_addresses_are_taken(self) -> None:
        for host in (b"a", b"a.example:80", b"10.0.0.1", b"[2001:db8::1]", b"[::1]:8000", b"", b"a_b", b"h \t"):
            self.assertEqual(read(fields=[(b"Host", host)]).special[b"host"], host)

    def test_others_are_refused(self) -> None:
        for host in (b"a b", b"a/b", b"u@h", b"h:x", b"[::1", b"::1", b'a"b', b"\xff", b"a\\b", b"a,b", b"a%2fb", b"*"):
            self.refused(fields=[(b"Host", host)])

    def test_a_port_is_one_that_exists_and_has_a_name_before_it(self) -> None:
        for host in (b"h:", b"h:0", b"h:65535", b"[::1]:65535", b"h:08000"):
            self.assertEqual(read(fields=[(b"Host", host)]).special[b"host"], host)
        for host in (b":80", b"h:65536", b"h:99999", b"h:100000", b"h:-1", b"h:80:80"):
            self.refused(fields=[(b"Host", host)])


class ConnectionTests(HeadCase):
    def test_close_goes_before_keep_alive(self) -> None:
        asked = (b"Connection", b"keep-alive, Close")
        self.assertFalse(read(version="1.0", fields=[HOST, asked], stays=True).keep_alive)

    def test_what_the_parser_found_stands_otherwise(self) -> None:
        self.assertEqual([read(stays=stays).keep_alive for stays in (True, False)], [True, False])
        self.assertTrue(read(version="1.0", fields=[HOST, (b"Connection", b"keep-alive")]).keep_alive)


class FramingTests(HeadCase):
    def length(self, *fields: tuple[bytes, bytes], version: str = "1.1", host: bool = True) -> int:
        return read(b"PUT", version=version, fields=[*([HOST] if host else []), *fields]).length

    def test_without_framing_there_is_no_body(self) -> None:
        self.assertEqual(self.length(), 0)

    def test_a_length_is_read_with_and_without_a_host(self) -> None:
        for version, host in (("1.1", True), ("1.0", True), ("1.0", False)):
            self.assertEqual(self.length((b"Content-Length", b"12 "), version=version, host=host), 12)

    def test_chunked_is_the_only_coding(self) -> None:
        for value in (b"chunked", b" Chunked "):
            self.assertEqual(self.length((b"Transfer-Encoding", value)), CHUNKED)
        for value in (b"gzip, chunked", b"identity", b"chunked, chunked", b"", b"chunked;q=1", b"xchunked"):
            self.refused(fields=[HOST, (b"Transfer-Encoding", value)])

    def test_and_only_on_1_1(self) -> None:
        chunked = (b"Transfer-Encoding", b"chunked")
        self.refused(version="1.0", fields=[HOST, chunked])
        self.refused(version="1.0", fields=[chunked])

    def test_a_length_beside_chunks_is_refused_whatever_the_parser_thinks(self) -> None:
        self.refused(fields=[HOST, (b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked")])

    def test_a_length_is_digits_whatever_the_parser_thinks(self) -> None:
        for value in (b"+3", b"-3", b"1_0", b"3, 3", b"0x3", b"", b"\x0b3", b"\xb3"):
            self.refused(fields=[HOST, (b"Content-Length", value)])

    def test_space_is_all_that_may_stand_around_a_coding(self) -> None:
        for value in (b"\x0bchunked", b"chunked\x0c", b"chunked\t", b"\xa0chunked"):
            self.refused(fields=[HOST, (b"Transfer-Encoding", value)])

    def test_an_expectation_other_than_100_continue_is_refused(self) -> None:
        self.assertEqual(self.length((b"Expect", b"100-Continue "), (b"Content-Length", b"1")), 1)
        self.refused("expectation-failed", fields=[HOST, (b"Expect", b"200-ok")])
        self.refused("expectation-failed", version="1.0", fields=[(b"Expect", b"200-ok")])

    def test_what_is_for_this_hop_only_is_not_taken_for_the_services(self) -> None:
        fields = [HOST, (b"Connection", b"x-key, host"), (b"X-Key", b"k"), (b"Accept", b"*/*")]
        head = read_head(b"GET", b"/", "1.1", fields, True)
        self.assertIsNone(head.get(b"x-key"))
        self.assertEqual(head.plain, [(b"Accept", b"*/*")])
        self.assertEqual((head.get(b"host"), head.get(b"accept")), (HOST[1], b"*/*"))

    def test_a_wish_to_upgrade_changes_nothing_about_the_body(self) -> None:
        upgrade = (b"Upgrade", b"h2c")
        self.assertEqual(self.length(upgrade, (b"Content-Length", b"1")), 1)
        self.assertEqual(self.length(upgrade, (b"Transfer-Encoding", b"chunked")), -1)
        self.assertEqual(self.length(upgrade, (b"Content-Length", b"0")), 0)
