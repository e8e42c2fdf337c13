"""The demo's list of products."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.demo.catalogue import MOST_PRODUCTS
from apigateway.demo.product import product_site
from tests.demo.asking import Answer, ask

BAD_NAMES = [{"name": name, "price": 1} for name in ("", "x" * 101, 7)]
BAD_PRICES = [{"name": "x", "price": price} for price in ("1", -1, 1e9, True, None)]


class ProductTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = product_site(Clock())

    def ask(self, method: str, path: str, body: object = b"") -> Answer:
        return ask(self.site, method, path, body)

    def test_the_list_begins_with_three_products(self) -> None:
        names = [item["name"] for item in self.ask("GET", "/api/products").value()["items"]]
        self.assertEqual(names, ["Teapot", "Kettle", "Cup"])

    def test_a_page_tries_the_others_and_tells_who_served_it(self) -> None:
        site = product_site(Clock(), "product:1")
        for path in ("/api", "/api/"):
            page = ask(site, "GET", path)
            self.assertEqual((page.status, page.fields["content-type"]), (200, "text/html; charset=utf-8"))
            for piece in (b"<b>product:1</b>", b'"/api/products"', b'"/api/events"', b"/api/echo"):
                self.assertIn(piece, page.body)

    def test_a_product_is_shown(self) -> None:
        self.assertEqual(self.ask("GET", "/api/products/1").value(), {"id": 1, "name": "Teapot", "price": 24.5})

    def test_a_new_product_gets_a_number_and_its_own_address(self) -> None:
        added = self.ask("POST", "/api/products", {"name": "Spoon", "price": 2})
        self.assertEqual((added.status, added.fields["location"]), (201, "/api/products/4"))
        self.assertEqual(self.ask("GET", "/api/products/4").value(), {"id": 4, "name": "Spoon", "price": 2})

    def test_a_product_is_changed(self) -> None:
        self.assertEqual(self.ask("PUT", "/api/products/1", {"name": "Teapot", "price": 20}).status, 200)
        self.assertEqual(self.ask("GET", "/api/products/1").value()["price"], 20)

    def test_a_removed_product_is_gone(self) -> None:
        removed = self.ask("DELETE", "/api/products/1")
        self.assertEqual((removed.status, removed.body), (204, b""))
        self.assertEqual(self.ask("GET", "/api/products/1").status, 404)
        self.assertEqual(self.ask("DELETE", "/api/products/1").status, 404)

    def test_numbers_are_not_used_twice(self) -> None:
        self.ask("DELETE", "/api/products/3")
        self.assertEqual(self.ask("POST", "/api/products", {"name": "Spoon", "price": 2}).value()["id"], 4)

    def test_a_product_that_makes_no_sense_is_refused(self) -> None:
        for body in (b"", b"{", b"[]", {}, {"name": "x"}, *BAD_NAMES, *BAD_PRICES):
            self.assertEqual(self.ask("POST", "/api/products", body).status, 400, body)
            self.assertEqual(self.ask("PUT", "/api/products/1", body).status, 400, body)

    def test_a_body_that_is_too_long_to_keep_is_refused(self) -> None:
        self.assertEqual(self.ask("POST", "/api/products", {"name": "x", "price": 1, "more": "x" * 70_000}).status, 400)

    def test_the_list_stops_growing(self) -> None:
        for _ in range(MOST_PRODUCTS - 3):
            self.assertEqual(self.ask("POST", "/api/products", {"name": "x", "price": 1}).status, 201)
        self.assertEqual(self.ask("POST", "/api/products", {"name": "x", "price": 1}).status, 507)

    def test_what_is_not_there_is_not_found(self) -> None:
        for path in (
            "/",
            "/apis",
            "/api/nothing",
            "/api/products/99",
            "/api/products/x",
            "/api/products/1/2",
            "/nothing",
        ):
            answer = self.ask("GET", path)
            self.assertEqual((answer.status, answer.value()), (404, {"error": "not found"}), path)

    def test_another_method_is_not_allowed_and_told_which_are(self) -> None:
        refused = self.ask("PATCH", "/api/products")
        self.assertEqual((refused.status, refused.fields["allow"]), (405, "GET, POST"))

    def test_head_is_get_without_the_body(self) -> None:
        got, head = self.ask("GET", "/api/products"), self.ask("HEAD", "/api/products")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.fields["content-length"], got.fields["content-length"])

    def test_it_is_healthy(self) -> None:
        self.assertEqual(self.ask("GET", "/health").value(), {"status": "healthy"})
