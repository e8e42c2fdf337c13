"""Kinds of single values that name things of the web."""

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config import web
from apigateway.config.scalars import Scalar

from .test_scalars import value


class WebTests(SynchronousTestCase):
    """URLs, paths, hosts, networks, fields and statuses."""

    def assert_reads(self, kind: Scalar, **expected: object) -> None:
        """Compare what is read from some texts."""
        self.assertEqual({text: value(kind, text) for text in expected}, expected)

    def assert_refuses(self, kind: Scalar, *texts: str) -> None:
        """Each text is a problem, and each says what is accepted."""
        for text in texts:
            self.assertEqual(value(kind, text), f"expected {kind.noun}, not {text!r}")

    def test_a_target_is_a_scheme_a_host_and_a_port(self) -> None:
        written = {
            "http://a": "http://a",
            "http://Orders_1.example.com:8003/": "http://orders_1.example.com:8003",
            "http://a:80": "http://a",
            "https://a:443": "https://a",
            "https://10.0.0.1:80": "https://10.0.0.1:80",
            "http://[::1]:8000": "http://[::1]:8000",
            "http://[2001:DB8:0:0::1]": "http://[2001:db8::1]",
        }
        self.assert_reads(web.TARGET_URL, **written)

    def test_a_target_that_is_none_is_told_what_is_wrong_with_it(self) -> None:
        self.assert_reads(
            web.TARGET_URL,
            **{
                "": "is empty; expected a URL such as http://host:port",
                "a:80": "a target's URL begins with http:// or https://",
                "ftp://a": "a target's URL begins with http:// or https://",
                "http://a/x": "a target's URL holds no path: the path of the request is what is forwarded",
                "http://a?x": "a target's URL holds no query and no fragment",
                "http://a/#x": "a target's URL holds no query and no fragment",
                "http://a:0": "0 is not a port, from 1 to 65535",
                "http://a:65536": "65536 is not a port, from 1 to 65535",
                "http://[1.2.3.4]": "[1.2.3.4] is not an IPv6 address",
                "http://": "expected a URL such as http://host:port",
                "http://a b": "expected a URL such as http://host:port",
                "http://a\n": "expected a URL such as http://host:port",
                "http://bücher": "expected a URL such as http://host:port",
            },
        )

    def test_a_password_in_a_target_is_refused_and_not_repeated(self) -> None:
        self.assert_reads(
            web.TARGET_URL, **{"http://me:secret@a/x?y": "a target's URL holds no user name and no password"}
        )

    def test_a_prefix_begins_with_a_slash_and_may_end_with_one(self) -> None:
        self.assert_reads(
            web.PREFIX, **{"/": "/", "/api": "/api", "/api/": "/api", "/a/b.c/~d": "/a/b.c/~d", "/...": "/..."}
        )
        self.assert_refuses(web.PREFIX, "", "api", "/a?b", "/a#b", "/a b", "/a\\b", "/a\n", "/a%2fb", "/é", "/%41")

    def test_a_prefix_that_could_be_read_in_two_ways_is_refused(self) -> None:
        for text in ("//", "/a//b", "/a/../b", "/..", "/.", "/a/./", "/a//"):
            self.assertEqual(value(web.PREFIX, text), f"{text!r} holds an empty segment, `.` or `..`")

    def test_a_probe_has_a_path_and_perhaps_a_query(self) -> None:
        self.assert_reads(web.PROBE_PATH, **{"/health?full=1": "/health?full=1"})
        self.assert_refuses(web.PROBE_PATH, "health", "/a b", "/a#b", "/a\r\nX: y")

    def test_a_host_has_no_port_and_no_case(self) -> None:
        self.assert_reads(
            web.HOST, **{"Shop.Example.com": "shop.example.com", "*.Example.com": "*.example.com", "[::1]": "[::1]"}
        )
        self.assert_refuses(web.HOST, "", "*", "shop:80", "http://shop", "a*.example.com", "a..b")

    def test_a_network_is_written_without_host_bits(self) -> None:
        self.assert_reads(
            web.NETWORK,
            **{
                "10.0.0.0/8": "10.0.0.0/8",
                "127.0.0.1": "127.0.0.1/32",
                "::1": "::1/128",
                "10.0.0.1/8": "10.0.0.1/8 has bits outside its network; did you mean 10.0.0.0/8?",
            },
        )
        self.assert_refuses(web.NETWORK, "", "10.0.0", "10.0.0.0/33", "example.com")

    def test_an_origin_has_no_path_and_leaves_its_default_port_out(self) -> None:
        self.assert_reads(
            web.ORIGIN,
            **{
                "*": "*",
                "https://Shop.example.com": "https://shop.example.com",
                "https://a:443": "https://a",
                "http://localhost:3000": "http://localhost:3000",
                "capacitor://localhost": "capacitor://localhost",
                "https://*.Example.com:8443": "https://*.example.com:8443",
                "https://*.Example.com:443": "https://*.example.com",
            },
        )
        self.assert_refuses(web.ORIGIN, "", "null", "shop.example.com", "https://a/", "https://a.*.com", "https://*")

    def test_a_method_is_a_token_in_capitals(self) -> None:
        self.assert_reads(web.METHOD, get="GET", M_SEARCH="M_SEARCH")
        self.assert_refuses(web.METHOD, "", "*", "GET POST", "G(T")
        self.assertEqual(value(web.CORS_METHOD, "*"), "*")

    def test_a_field_name_is_a_token(self) -> None:
        self.assert_reads(web.FIELD_NAME, **{"X-Api-Key": "X-Api-Key"})
        self.assert_refuses(web.FIELD_NAME, "", "a b", "a:", "é", "a\n")

    def test_a_field_value_cannot_hold_a_second_field(self) -> None:
        self.assert_reads(web.FIELD_VALUE, **{" a\tb ": "a\tb", "": "", "é": "é"})
        for text in ("a\r\nb", "a\nb", "a\0b", "a\x7fb"):
            self.assertIn("no line breaks and no control characters", str(value(web.FIELD_VALUE, text)))

    def test_fields_that_frame_a_message_cannot_be_changed(self) -> None:
        for name in (
            "Host",
            "content-length",
            "Transfer-Encoding",
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Upgrade",
        ):
            self.assertIn("belongs to the connection", str(value(web.CHANGED_FIELD, name)))
        self.assertEqual(value(web.CHANGED_FIELD, "X-Own"), "X-Own")

    def test_fields_that_tell_where_a_request_has_been_cannot_be_changed(self) -> None:
        for name in ("Forwarded", "via", "X-Forwarded-For", "X-Real-IP", "X-Request-Id"):
            self.assertIn("tells where a request has been", str(value(web.CHANGED_FIELD, name)))

    def test_a_media_type_has_no_parameters(self) -> None:
        self.assert_reads(web.MEDIA_TYPE, **{"Application/JSON": "application/json", "text/*": "text/*"})
        self.assert_refuses(web.MEDIA_TYPE, "json", "text/html; charset=utf-8", "a/b/c")

    def test_a_limit_counts_clients_or_values_of_a_field(self) -> None:
        self.assert_reads(web.LIMIT_KEY, **{text: text for text in ("client", "header:X-Api-Key")})
        self.assert_refuses(web.LIMIT_KEY, "ip", "header:", "header:a b")

    def test_a_service_name_fits_into_logs_and_metrics(self) -> None:
        self.assert_reads(web.SERVICE_NAME, **{"gift-cards_2.0": "gift-cards_2.0"})
        self.assert_refuses(web.SERVICE_NAME, "", "a b", "-a", 'a"b')

    def test_a_token_is_visible_and_never_repeated(self) -> None:
        self.assertEqual(value(web.TOKEN, "s3cret!"), "s3cret!")
        for text in ("", "two words", "tab\t", "é"):
            message = str(value(web.TOKEN, text))
            self.assertIn("at least one visible ASCII character", message)
            self.assertFalse(text and text in message)

    def test_a_status_range_is_one_status_or_two_in_order(self) -> None:
        self.assert_reads(web.STATUS_RANGE, **{"200": (200, 200), "200-399": (200, 399)})
        self.assert_refuses(web.STATUS_RANGE, "", "99", "600", "399-200", "200-", "2xx", "200-300-400", "-200", "0200")
