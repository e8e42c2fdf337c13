"""Who may see `/gateway/…`."""

from __future__ import annotations

from tests.admin.runtime import PagesTestCase, Runtime

FORWARDED = (
    "X-Forwarded-For", "x-forwarded-for", "X_Forwarded_For", "X-Forwarded-Host", "Forwarded", "X-Real-IP", "Via",
    "True-Client-IP", "CF-Connecting-IP",
)  # fmt: skip
SPELLINGS = (
    "/gateway", "/gateway/", "/gateway//", "/gateway/stats", "/gateway/stats/", "/gateway//stats", "/gateway/metrics",
    "/%67ateway/stats", "/gatewa%79/%73tats", "/gateway/%2e/stats", "/gateway/stats?token=s3cret", "/gateway/nothing",
    "/gateway%2fstats", "/GATEWAY/stats", "//gateway/stats", "/gateway/../gateway/stats", "/gateway/stats;x",
)  # fmt: skip


class NetworkTests(PagesTestCase):
    """Clients of the allowed networks."""

    def test_a_client_of_an_allowed_network_may(self) -> None:
        for client in ("127.0.0.1", "127.8.9.10", "::1", "10.1.200.3", "::ffff:10.1.0.1"):
            self.from_client(client)
            self.assertEqual(self.ask("/gateway/stats").status, 200, client)

    def test_any_other_client_may_not(self) -> None:
        for client in ("203.0.113.7", "10.2.0.1", "::2", "::ffff:203.0.113.7", "unix", "", "localhost", "127.0.0.1x"):
            self.from_client(client)
            self.assertEqual(self.ask("/gateway/stats").status, 403, client)

    def test_in_a_stock_site_the_peer_is_the_client(self) -> None:
        self.assertEqual(self.ask("/gateway/stats").status, 200)

    def test_a_local_proxy_does_not_make_its_clients_local(self) -> None:
        for prepare in (lambda: None, lambda: self.from_client("127.0.0.1")):
            prepare()
            for name in FORWARDED:
                self.assertEqual(self.ask("/gateway/stats", **{name: "203.0.113.7"}).status, 403, name)

    def test_behind_a_trusted_proxy_the_client_that_it_names_counts(self) -> None:
        self.from_client("10.1.0.5", proxy="127.0.0.1")
        self.assertEqual(self.ask("/gateway/stats", **{"X-Forwarded-For": "10.1.0.5"}).status, 200)
        self.from_client("203.0.113.7", proxy="127.0.0.1")
        self.assertEqual(self.ask("/gateway/stats", **{"X-Forwarded-For": "203.0.113.7"}).status, 403)

    def test_a_trusted_proxy_that_names_nobody_does_not_stand_for_its_clients(self) -> None:
        self.from_client("127.0.0.1", proxy="127.0.0.1")
        for name in FORWARDED:
            self.assertEqual(self.ask("/gateway/stats", **{name: "203.0.113.7"}).status, 403, name)
        self.assertEqual(self.ask("/gateway/stats").status, 200)


class TokenTests(PagesTestCase):
    """Clients from anywhere, with or without the token."""

    def setUp(self) -> None:
        super().setUp()
        self.from_client("203.0.113.7")

    def status(self, authorization: str) -> int:
        return self.ask("/gateway/stats", Authorization=authorization).status

    def test_whoever_knows_the_token_may(self) -> None:
        for authorization in ("Bearer s3cret", "bearer s3cret", "BEARER  s3cret "):
            self.assertEqual(self.status(authorization), 200, authorization)

    def test_whoever_knows_the_token_may_also_through_a_proxy(self) -> None:
        answer = self.ask("/gateway/stats", Authorization="Bearer s3cret", **{"X-Forwarded-For": "198.51.100.1"})
        self.assertEqual(answer.status, 200)

    def test_anything_else_is_refused(self) -> None:
        for authorization in ("Bearer wrong", "Bearer s3cret2", "Bearer", "s3cret", "Basic s3cret", "Bearer s3cre"):
            self.assertEqual(self.status(authorization), 403, authorization)

    def test_without_a_configured_token_nothing_is_one(self) -> None:
        for token in (None, ""):
            self.runtime = Runtime(token)
            for authorization in ("Bearer ", "Bearer", "Bearer None"):
                self.assertEqual(self.status(authorization), 403, authorization)


class SpellingTests(PagesTestCase):
    """Ways to write the path of a page."""

    def test_no_spelling_leads_around_the_check(self) -> None:
        self.from_client("203.0.113.7")
        for path in SPELLINGS:
            answer = self.ask_exactly(path)
            self.assertRegex(answer, rb"^HTTP/1\.1 (403|404) ", path)
            self.assertNotIn(b"since_start", answer, path)
            self.assertNotIn(b"apigateway_", answer, path)

    def test_most_of_them_would_lead_to_a_page_if_there_were_no_check(self) -> None:
        self.from_client("127.0.0.1")
        shown = [path for path in SPELLINGS if self.ask_exactly(path).startswith(b"HTTP/1.1 200 ")]
        self.assertIn("/%67ateway/stats", shown)
        self.assertIn("/gateway/stats/", shown)

    def test_no_method_leads_around_the_check(self) -> None:
        self.from_client("203.0.113.7")
        for method in ("HEAD", "POST", "OPTIONS", "DELETE"):
            self.assertEqual(self.ask("/gateway/stats", method).status, 403, method)

    def test_who_may_not_does_not_learn_which_pages_there_are(self) -> None:
        self.from_client("203.0.113.7")
        self.assertEqual(self.ask("/gateway/stats").body, self.ask("/gateway/nothing").body)
