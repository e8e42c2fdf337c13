"""The gateway's own pages as a client sees them."""

from __future__ import annotations

from apigateway import __version__
from apigateway.errors import FORBIDDEN, METHOD_NOT_ALLOWED
from tests.admin.runtime import PagesTestCase

PATHS = ("/", "/health", "/health/live", "/health/ready", "/gateway", "/gateway/stats", "/gateway/metrics")


class AllPagesTests(PagesTestCase):
    """What all pages have in common."""

    def test_each_is_there_and_nobody_may_keep_or_reinterpret_it(self) -> None:
        for path in PATHS:
            answer = self.ask(path)
            self.assertEqual(answer.status, 200, path)
            self.assertEqual(answer.fields["cache-control"], "no-store", path)
            self.assertEqual(answer.fields["x-content-type-options"], "nosniff", path)

    def test_all_are_json_but_the_metrics(self) -> None:
        types = {path: self.ask(path).fields["content-type"] for path in PATHS}
        self.assertEqual(types.pop("/gateway/metrics"), "text/plain; version=0.0.4; charset=utf-8")
        self.assertEqual(set(types.values()), {"application/json"})

    def test_a_slash_at_the_end_changes_nothing(self) -> None:
        for path in PATHS[1:]:
            self.assertEqual(self.ask(path + "/").status, 200, path)

    def test_head_is_answered_like_get_without_the_body(self) -> None:
        for path in ("/", "/health", "/health/live", "/gateway"):
            got, head = self.ask(path), self.ask(path, "HEAD")
            self.assertEqual((head.status, head.body), (200, b""), path)
            self.assertEqual(head.fields["content-type"], got.fields["content-type"], path)
            self.assertEqual(head.fields["content-length"], str(len(got.body)), path)

    def test_other_methods_are_refused_with_those_that_are_allowed(self) -> None:
        for path in PATHS:
            for method in ("POST", "PUT", "DELETE", "OPTIONS"):
                answer = self.ask(path, method)
                self.assertEqual((answer.status, answer.fields["allow"]), (405, "GET, HEAD"), (path, method))
                self.assertEqual(answer.json["cause"], "method-not-allowed")

    def test_there_are_no_others(self) -> None:
        for path in ("/health/nothing", "/gateway/nothing", "/gateway/stats/more", "/health/live/more"):
            answer = self.ask(path)
            self.assertEqual((answer.status, answer.json["cause"]), (404, "no-route"), path)
            self.assertEqual(answer.fields["content-type"], "application/problem+json")


class AboutTests(PagesTestCase):
    """`GET /`."""

    def test_it_tells_name_version_status_and_uptime(self) -> None:
        self.runtime.clock.advance(12.5)
        self.assertEqual(
            self.ask("/").json,
            {"name": "apigateway", "version": __version__, "status": "running", "uptime_s": 12.5},
        )

    def test_it_tells_that_the_gateway_stops(self) -> None:
        self.runtime.is_stopping = True
        self.assertEqual(self.ask("/").json["status"], "stopping")


class ProblemTests(PagesTestCase):
    """Pages that can't be shown."""

    def test_the_problem_names_the_exchange_and_the_exchange_notes_the_cause(self) -> None:
        self.from_client("203.0.113.7")
        assert self.exchange is not None
        answer = self.ask("/gateway/stats")
        self.assertEqual((answer.status, answer.json["request_id"]), (403, "5f1d7c0aa3"))
        self.assertIs(self.exchange.cause, FORBIDDEN)

    def test_the_request_id_is_left_to_whoever_answers_the_exchange(self) -> None:
        self.from_client("203.0.113.7")
        self.assertNotIn("x-request-id", self.ask("/gateway/stats").fields)

    def test_people_get_a_problem_that_they_can_read(self) -> None:
        answer = self.ask("/health", "POST", Accept="text/html")
        self.assertEqual(answer.fields["content-type"], "text/html; charset=utf-8")
        self.assertIn(METHOD_NOT_ALLOWED.title.encode(), answer.body)

    def test_a_page_that_is_shown_has_no_cause(self) -> None:
        self.from_client("127.0.0.1")
        assert self.exchange is not None
        self.ask("/gateway/stats")
        self.assertIsNone(self.exchange.cause)


class IndexTests(PagesTestCase):
    """`GET /gateway`."""

    def test_it_lists_pages_that_are_there(self) -> None:
        for path in self.ask("/gateway").json["pages"]:
            self.assertEqual(self.ask(path).status, 200, path)
