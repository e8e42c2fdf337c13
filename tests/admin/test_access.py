"""Who may see `/gateway/…`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from apigateway.admin.access import GUESSERS, GUESSES_WITHIN_S, LONG_TOKEN, MOST_GUESSES, Access, Guesses
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


class BrowserTests(PagesTestCase):
    """Requests of browsers on this machine, in which pages of anybody run."""

    NEAR = (
        "localhost", "localhost:8000", "LOCALHOST.", "127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "10.1.2.3",
        "gateway:8000",
        "a.localhost", "gw.example.org", "GW.example.org:8000", "a.b.example.net",
    )  # fmt: skip
    STRANGE = (
        "attacker.example", "attacker.example:8000", "attacker.example.", "localhost.attacker.example",
        "127.0.0.1.nip.example",
        "notlocalhost.example", "1.2.3.4.5", "x.gw.example.org", "example.net", "xexample.net",
    )  # fmt: skip

    def setUp(self) -> None:
        self.runtime = Runtime(hosts=("gw.example.org", "*.example.net"))

    def statuses(self, hosts: Sequence[str]) -> dict[str, int]:
        return {host: int(self.ask_exactly("/gateway/stats", f"Host: {host}").split()[1]) for host in hosts}

    def asked_for(self, host: str, proxy: str | None = None, told: str | None = None) -> int:
        special = {b"host": host.encode(), **({b"x-forwarded-host": told.encode()} if told else {})}
        self.from_client("10.1.0.5" if proxy else "127.0.0.1", proxy, special=special)
        return self.ask("/gateway/stats").status

    def test_a_name_that_strangers_can_point_here_opens_nothing(self) -> None:
        self.assertEqual(self.statuses(self.STRANGE), dict.fromkeys(self.STRANGE, 403))
        self.assertEqual({host: self.asked_for(host) for host in self.STRANGE}, dict.fromkeys(self.STRANGE, 403))

    def test_addresses_bare_names_and_configured_ones_are_fine(self) -> None:
        self.assertEqual(self.statuses(self.NEAR), dict.fromkeys(self.NEAR, 200))
        self.assertEqual({host: self.asked_for(host) for host in self.NEAR}, dict.fromkeys(self.NEAR, 200))

    def test_the_token_works_under_any_name(self) -> None:
        answer = self.ask("/gateway/stats", host="gateway.example", Authorization="Bearer s3cret")
        self.assertEqual(answer.status, 200)

    def test_what_a_trusted_proxy_was_asked_for_counts_too(self) -> None:
        self.assertEqual(self.asked_for("127.0.0.1", "10.9.9.9", "gw.example.org"), 200)
        self.assertEqual(self.asked_for("127.0.0.1", "10.9.9.9", "attacker.example"), 403)
        self.assertEqual(self.asked_for("attacker.example", "10.9.9.9", "localhost"), 403)
        self.assertEqual(self.asked_for("127.0.0.1", "10.9.9.9", "localhost, attacker.example"), 403)

    def test_pages_of_other_sites_open_nothing(self) -> None:
        for fields in (
            ("Origin: http://attacker.example",), ("Origin: null",), ("Origin: http://localhost:3000",),
            ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"), ("Sec-Fetch-Site: same-site",),
        ):  # fmt: skip
            answer = self.ask_exactly("/gateway/stats", "Host: localhost:8000", *fields)
            self.assertTrue(answer.startswith(b"HTTP/1.1 403 "), fields)

    def test_a_page_of_its_own_and_a_link_from_anywhere_do(self) -> None:
        for fields in (
            ("Origin: http://localhost:8000", "Sec-Fetch-Site: same-origin"),
            ("Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"),
            ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"),
        ):
            answer = self.ask_exactly("/gateway/stats", "Host: localhost:8000", *fields)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), fields)

    def test_a_link_can_only_look(self) -> None:
        fields = ("Host: localhost", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate")
        self.assertTrue(self.ask_exactly("/gateway/stats", *fields, method="POST").startswith(b"HTTP/1.1 403 "))
        self.assertTrue(
            self.ask_exactly("/gateway/stats", "Host: localhost", method="POST").startswith(b"HTTP/1.1 405 ")
        )


class SilentProxyTests(PagesTestCase):
    """Proxies in an allowed network that do not say whom they serve."""

    def test_http_1_0_is_what_they_speak(self) -> None:
        self.assertIn(b" 403 ", self.ask_exactly("/gateway/stats", version="1.0").split(b"\r\n")[0])
        self.from_client("127.0.0.1", minor=0)
        self.assertEqual(self.ask("/gateway/stats").status, 403)

    def test_but_with_the_token_that_is_fine(self) -> None:
        answer = self.ask_exactly("/gateway/stats", "Authorization: Bearer s3cret", version="1.0")
        self.assertIn(b" 200 ", answer.split(b"\r\n")[0])

    def test_a_trusted_one_may_speak_it(self) -> None:
        self.from_client("10.1.0.5", proxy="127.0.0.1", minor=0)
        self.assertEqual(self.ask("/gateway/stats", **{"X-Forwarded-For": "10.1.0.5"}).status, 200)


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


class GuessTests(PagesTestCase):
    """Whoever tries one token after the other."""

    def setUp(self) -> None:
        super().setUp()
        self.from_client("203.0.113.7")

    def status(self, token: str) -> int:
        return self.ask("/gateway/stats", Authorization=f"Bearer {token}").status

    def guess(self, times: int) -> None:
        for number in range(times):
            self.assertEqual(self.status(f"{number}"), 403)

    def test_after_too_many_not_even_the_right_one_is_looked_at_for_a_minute(self) -> None:
        self.guess(MOST_GUESSES - 1)
        self.assertEqual(self.status("s3cret"), 200)
        self.guess(1)
        self.assertEqual(self.status("s3cret"), 403)
        self.runtime.clock.advance(GUESSES_WITHIN_S + 5)
        self.assertEqual(self.status("s3cret"), 200)

    def test_others_are_not_locked_out_with_them(self) -> None:
        self.guess(MOST_GUESSES)
        self.from_client("203.0.113.8")
        self.assertEqual(self.status("s3cret"), 200)

    def test_a_long_token_is_nobodys_to_lock_out(self) -> None:
        token = "x" * LONG_TOKEN
        self.runtime = Runtime(token)
        self.guess(MOST_GUESSES + 1)
        self.assertEqual(self.status(token), 200)

    def test_it_is_told_once(self) -> None:
        events: list[LogEvent] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.guess(2 * MOST_GUESSES)
        found = [event for event in events if event.get("event") == "admin-token-guessed"]
        self.assertEqual([event["client"] for event in found], ["203.0.113.7"])

    def test_many_clients_do_not_fill_the_memory(self) -> None:
        guesses = Guesses(Clock().seconds)
        for number in range(2 * GUESSERS):
            guesses.wrong(f"client-{number}")
        self.assertLessEqual(guesses._wrong.tracked(), GUESSERS)


class ReprTests(SynchronousTestCase):
    def test_the_token_does_not_show(self) -> None:
        access = Access(Guesses(Clock().seconds), (), "s3cret")
        self.assertNotIn("s3cret", repr(access))
        self.assertNotIn("s3cret", repr(Runtime("s3cret").view))
