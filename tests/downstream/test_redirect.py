"""Listeners that redirect: where to, what is let in, and what is not answered so."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.listeners import Listeners
from apigateway.downstream.opening import Opening
from apigateway.downstream.redirect import Redirecting, Redirection
from apigateway.errors import GatewayError
from apigateway.exchange import Exchange
from apigateway.testing.exchanges import request_head
from apigateway.testing.wire import Message
from tests.downstream.stand import Stand, ask, echo

HTTPS = Redirection("https", None, 308)


def location(target: str, host: str, redirection: Redirection = HTTPS) -> str | None:
    """Where a request is sent; None where it is refused."""
    head = request_head("GET", "/")
    head.target = target.encode()
    head.special = {b"host": host.encode("latin-1")}
    try:
        return redirection.location(head).decode()
    except GatewayError:
        return None


class LocationTests(SynchronousTestCase):
    def test_is_the_same_url_by_https(self) -> None:
        for target, host, expected in (
            ("/", "example.com", "https://example.com/"),
            ("/a/b?c=d&e", "example.com:80", "https://example.com/a/b?c=d&e"),
            ("/a%2Fb;x=1?", "EXAMPLE.com.:8000", "https://EXAMPLE.com./a%2Fb;x=1?"),
            ("/a", "192.0.2.1:8000", "https://192.0.2.1/a"), ("/a", "[2001:db8::1]:8000", "https://[2001:db8::1]/a"),
            ("/a", "a_b.internal:", "https://a_b.internal/a"), ("//evil.example/a", "e", "https://e//evil.example/a"),
        ):  # fmt: skip
            self.assertEqual(location(target, host), expected)

    def test_has_the_port_that_was_told_where_it_is_not_the_schemes_own(self) -> None:
        for port, expected in ((8443, "https://e:8443/a"), (443, "https://e/a"), (80, "https://e:80/a")):
            self.assertEqual(location("/a", "e:8000", Redirection("https", port, 308)), expected)

    def test_nobody_is_sent_to_what_is_no_host(self) -> None:
        for host in (
            "", " ", "evil.example/x", "evil.example#", "evil.example?x", "a@evil.example", "a b", "a,b", "a%2eb", "-a",
            ".", "a\\b", "..", "a..b", "[::1", "::1", "[x]", "[::1]x", "a:b", "a:123456", "a:80:80", "\xe9.example",
        ):  # fmt: skip
            self.assertIsNone(location("/", host), host)

    def test_what_names_no_page_is_refused(self) -> None:
        for target in ("*", "", "x", "http://e/"):
            self.assertIsNone(location(target, "e"), target)

    @settings(deadline=None)
    @given(st.binary(max_size=30), st.from_regex(rb"[a-z]{1,5}(\.[a-z]{1,5})?(:[0-9]{1,5})?", fullmatch=True))
    def test_names_that_host_whatever_the_target_holds(self, rest: bytes, host: bytes) -> None:
        head = request_head("GET", "/")
        head.target = b"/" + rest
        head.special = {b"host": host}
        found = HTTPS.location(head)
        self.assertTrue(found.startswith(b"https://" + host.split(b":")[0] + b"/"), found)
        self.assertRegex(found, rb"^[!-~]+$")
        self.assertNotRegex(found, rb"[\"<>\\^`{|}#]")


class ListenerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stand = Stand(echo)
        self.redirection = HTTPS

    def ask(self, *sent: bytes) -> list[Message]:
        """What a client that has sent this is answered."""
        listeners = Listeners(self.stand.site, self.stand.network.reactor, lambda port: port)
        listener = self.successResultOf(listeners.begin(Opening("tcp:8001", redirect=self.redirection)))
        client = self.stand.network.client(8001)
        self.stand.network.pump()
        self.stand.send(client, *sent)
        closing = Deferred.fromCoroutine(listeners.close([listener]))
        self.stand.after(0.01)
        self.successResultOf(closing)
        return client.answers()

    def test_every_method_is_redirected_and_the_connection_stays(self) -> None:
        answers = self.ask(ask("GET", "/a?b"), ask("POST", "/b", body=b"x"), ask("OPTIONS", "/c"))
        self.assertEqual([(answer.status, answer.get(b"location")) for answer in answers],
                         [(308, b"https://h/a?b"), (308, b"https://h/b"), (308, b"https://h/c")])  # fmt: skip
        self.assertEqual([answer.get(b"content-length") for answer in answers], [b"0"] * 3)
        self.assertTrue(all(answer.get(b"x-request-id") for answer in answers))
        self.assertEqual(self.stand.exchanges, [])

    def test_the_status_can_be_another(self) -> None:
        self.redirection = Redirection("https", 8443, 301)
        (answer,) = self.ask(ask())
        self.assertEqual((answer.status, answer.get(b"location")), (301, b"https://h:8443/"))

    def test_bodies_are_not_waited_for(self) -> None:
        (answer,) = self.ask(ask("POST", "/a", "Content-Length: 1000000", body=b"x"))
        self.assertEqual((answer.status, answer.get(b"connection")), (308, b"close"))

    def test_without_a_host_there_is_nowhere_to_go(self) -> None:
        for request in (ask(version="1.0", host=""), ask(host="a..b"), ask("OPTIONS", "*")):
            (answer,) = self.ask(request)
            self.assertEqual(answer.status, 400, request)

    def test_health_pages_and_the_challenges_of_acme_are_let_in_for_those_who_read(self) -> None:
        for target in ("/health", "/health/live", "/health/ready?x", "/.well-known/acme-challenge/aB_-9"):
            for method, expected in (("GET", 200), ("HEAD", 200), ("POST", 308)):
                (answer,) = self.ask(ask(method, target))
                self.assertEqual(answer.status, expected, (method, target))

    def test_nothing_else_is_that_looks_like_it(self) -> None:
        for target in (
            "/health/", "/health/x", "/healthy", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/a/b",
            "/.well-known/acme-challenge/../x", "/.well-known/acme-challenge/%2e", "//health", "/x/health",
        ):  # fmt: skip
            self.assertEqual([answer.status for answer in self.ask(ask("GET", target))], [308], target)

    def test_who_came_by_tls_to_a_trusted_proxy_is_let_in(self) -> None:
        identify = self.stand.site.identify

        def identified(exchange: Exchange) -> None:
            identify(exchange)
            exchange.secure = exchange.head.get(b"x-forwarded-proto") == b"https"

        self.stand.site.identify = identified
        answers = self.ask(ask("GET", "/", "X-Forwarded-Proto: https"), ask())
        self.assertEqual([answer.status for answer in answers], [200, 308])

    def test_repr_tells_where_to(self) -> None:
        redirecting = Redirecting(HTTPS, lambda exchange: None, lambda exchange: None)
        self.assertEqual(repr(redirecting), "<Redirecting to https>")
