"""The keys about what connections may become."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Upgrades
from apigateway.http.upgrade import NEVER
from tests.config.reading import orders, problems, read


def upgrades(text: str) -> Upgrades | None:
    """What is made of the keys of a service."""
    found: Upgrades | None = read(orders(text)).services[0].routes[0].policies.upgrades
    return found


class UpgradesTests(SynchronousTestCase):
    def test_websockets_are_allowed_unless_they_are_switched_off(self) -> None:
        self.assertEqual(upgrades(""), Upgrades(("websocket",), 300.0, 10_000))
        self.assertIsNone(upgrades("upgrades: false"))

    def test_other_protocols_are_named_in_any_case(self) -> None:
        found = upgrades("upgrades: {protocols: [WebSocket, IRC/6.9], idle: 1h, most: 5}")
        self.assertEqual(found, Upgrades(("websocket", "irc/6.9"), 3600.0, 5))

    def test_some_never_are(self) -> None:
        for name, why in (("h2c", "no policy"), ("H2C", "no policy"), ("h2", "within TLS"), ("HTTP/2.0", "no policy"),
                          ("TLS/1.2", "begins with the connection")):  # fmt: skip
            (problem,) = problems(orders(f"upgrades: {{protocols: [{name}]}}"))
            self.assertIn(why, str(problem))

    def test_nor_is_any_that_would_be_passed_over(self) -> None:
        for name in NEVER:
            self.assertEqual(len(problems(orders(f"upgrades: {{protocols: [{name.decode()}]}}"))), 1, name)

    def test_a_name_is_a_token_perhaps_with_a_version(self) -> None:
        for name in ("a b", "a/b/c", "'a,b'", "''", "/1", "a/"):
            self.assertEqual(len(problems(orders(f"upgrades: {{protocols: [{name}]}}"))), 1, name)

    def test_defaults_and_services_lie_over_one_another(self) -> None:
        text = "defaults: {upgrades: {idle: 10m}}\n" + orders("upgrades: {most: 3}")
        self.assertEqual(read(text).services[0].routes[0].policies.upgrades, Upgrades(("websocket",), 600.0, 3))
