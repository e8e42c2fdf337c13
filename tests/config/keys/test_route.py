"""The keys of routes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.keys.route import METHODS, ROUTE, ROUTE_KEYS
from apigateway.config.problems import Problems
from apigateway.config.source import parse_tree


class MethodsTests(SynchronousTestCase):
    def methods(self, text: str) -> object:
        problems = Problems()
        built = METHODS.build(METHODS.read(parse_tree(text, "g", {}, problems), problems), problems)
        problems.raise_any()
        return built

    def test_with_get_comes_head(self) -> None:
        self.assertEqual(self.methods("[get, POST]"), ("GET", "POST", "HEAD"))

    def test_without_get_it_does_not(self) -> None:
        self.assertEqual(self.methods("[POST]"), ("POST",))


class LayerTests(SynchronousTestCase):
    def test_a_route_takes_what_it_matches_and_every_policy(self) -> None:
        self.assertLess(set(ROUTE_KEYS), set(ROUTE.keys))
        self.assertIn("cors", ROUTE.keys)
