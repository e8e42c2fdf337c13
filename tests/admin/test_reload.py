"""`POST /gateway/reload`: who may, with what method, and what the answers say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from twisted.internet.defer import Deferred

from apigateway.admin.pages import gateway_pages
from apigateway.telemetry.reloads import FAILED, REFUSED, RELOADED, Reload
from tests.admin.runtime import Answered, PagesTestCase

GOOD = Reload(RELOADED, "page", 1_763_852_281.0, 0.0123, "It is in use.", ("limits",))
BAD = replace(GOOD, outcome=FAILED, detail="It cannot be used.", changes=(), problems=("a.yaml:3: no", "b <c>"))


class ReloadTests(PagesTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.asked: list[str] = []
        self.result = GOOD
        self.reloads_with(self.reload)

    def reloads_with(self, reload: Callable[[str], Deferred[Reload]]) -> None:
        """What the pages ask for a reload."""
        self.runtime.pages = gateway_pages(replace(self.runtime.view, reload=reload))

    def reload(self, asked_by: str) -> Deferred[Reload]:
        self.asked.append(asked_by)
        done: Deferred[Reload] = Deferred()
        done.callback(self.result)
        return done

    def post(self, **fields: str) -> Answered:
        return self.ask("/gateway/reload", "POST", **fields)

    def test_it_tells_what_has_changed(self) -> None:
        answer = self.post()
        self.assertEqual((answer.status, answer.json["outcome"], answer.json["changes"]), (200, "reloaded", ["limits"]))
        self.assertEqual((answer.json["took_ms"], self.asked), (12.3, ["page"]))

    def test_it_tells_every_problem(self) -> None:
        self.result = BAD
        answer = self.post()
        self.assertEqual((answer.status, answer.fields["content-type"]), (422, "application/problem+json"))
        self.assertEqual((answer.json["cause"], answer.json["problems"]), ("configuration-refused", list(BAD.problems)))

    def test_also_to_who_wants_text_or_a_page(self) -> None:
        self.result = BAD
        for accept, shown in (("text/plain", b"b <c>"), ("text/html", b"b &lt;c&gt;")):
            self.assertIn(shown, self.post(Accept=accept).body)

    def test_a_gateway_that_stops_says_so(self) -> None:
        self.result = replace(BAD, outcome=REFUSED)
        answer = self.post()
        self.assertEqual((answer.status, answer.json["cause"]), (503, "stopping"))

    def test_it_must_be_asked_for_with_post(self) -> None:
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            answer = self.ask("/gateway/reload", method)
            self.assertEqual((answer.status, answer.fields["allow"]), (405, "POST"))
        self.assertEqual(self.ask("/gateway/stats", "POST").status, 405)
        self.assertEqual(self.asked, [])

    def test_only_those_may_who_may_see_the_pages(self) -> None:
        self.from_client("192.0.2.1")
        self.assertEqual(self.post().status, 403)
        self.assertEqual(self.post(Authorization="Bearer wrong").status, 403)
        self.assertEqual(self.asked, [])
        self.assertEqual(self.post(Authorization="Bearer s3cret").status, 200)

    def test_pages_of_other_sites_may_not_even_with_the_token(self) -> None:
        for fields in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        ):
            for token in ({}, {"Authorization": "Bearer s3cret"}):
                self.assertEqual(self.post(**fields, **token).status, 403, fields)
        self.assertEqual(self.asked, [])

    def test_a_page_of_the_gateway_itself_may(self) -> None:
        token = {"Authorization": "Bearer s3cret"}
        self.assertEqual(self.post(Origin="http://127.0.0.1:8000", **token).status, 200)
        self.assertEqual(self.post(**{"Sec-Fetch-Site": "same-origin"}, **token).status, 200)

    def test_what_goes_wrong_unforeseen_is_answered_too(self) -> None:
        def fail(asked_by: str) -> Deferred[Reload]:
            failed: Deferred[Reload] = Deferred()
            failed.errback(ZeroDivisionError())
            return failed

        self.reloads_with(fail)
        self.assertEqual(self.post().status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
