"""What the demo's pages have in common."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request

from apigateway.demo.bodies import DemoSite
from apigateway.demo.pages import Folder, Page, answer, argument, body_of, health, read_object
from tests.demo.asking import ask


def echo_number(request: Request) -> bytes:
    return answer(request, 200, argument(request, b"n", 5, 1, 10))


def echo_object(request: Request) -> bytes:
    return answer(request, 200, [read_object(request), body_of(request).length])


class PageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = DemoSite(Folder(n=Page(GET=echo_number), o=Page(POST=echo_object), health=Page(GET=health)), "demo")

    def test_a_page_has_nothing_below_it(self) -> None:
        self.assertEqual(ask(self.site, "GET", "/health/more").status, 404)

    def test_an_argument_has_a_default_and_bounds(self) -> None:
        for query, number in (
            ("", 5),
            ("?n=7", 7),
            ("?n=", 5),
            ("?n=x", 5),
            ("?n=0", 1),
            ("?n=99", 10),
            ("?n=nan", 5),
            ("?n=inf", 10),
        ):
            self.assertEqual(ask(self.site, "GET", f"/n{query}").value(), number, query)

    def test_a_body_that_is_no_object_reads_as_an_empty_one(self) -> None:
        for body, found in ((b"", {}), (b"[1]", {}), (b"{", {}), (b"\xff", {}), (b'{"a": 1}', {"a": 1})):
            self.assertEqual(ask(self.site, "POST", "/o", body).value(), [found, len(body)])

    def test_a_form_is_left_alone(self) -> None:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.assertEqual(ask(self.site, "POST", "/o", b"n=7", **form).value(), [{}, 3])
