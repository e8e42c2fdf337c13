"""What the configuration's listeners become."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.assembly.openings import openings
from apigateway.config.model import Configuration, Listener, Redirect
from apigateway.config.problems import Where
from apigateway.downstream.opening import Opening
from apigateway.downstream.redirect import Redirection


def opening(listener: Listener) -> Opening:
    """What a listener becomes, where 10.0.0.1 is the only trusted proxy."""
    (made,) = openings(Configuration(listen=(listener,)), lambda address: address == "10.0.0.1")
    return made


class OpeningsTests(SynchronousTestCase):
    def test_a_plain_one_is_its_endpoint_and_its_place(self) -> None:
        self.assertEqual(opening(Listener("tcp:1", where=Where("a.yaml", 3, "listen[0]"))),
                         Opening("tcp:1", "a.yaml:3: listen[0]"))  # fmt: skip

    def test_a_redirection_is_taken_over(self) -> None:
        made = opening(Listener("tcp:1", redirect=Redirect("https", 8443, 301)))
        self.assertEqual(made.redirect, Redirection("https", 8443, 301))

    def test_headers_are_taken_from_the_proxies_that_are_named_or_else_from_the_trusted_ones(self) -> None:
        addresses = ("10.0.0.1", "10.0.0.2", "10.9.0.1")
        for listener, expected in (
            (Listener("tcp:1", True), [True, False, False]),
            (Listener("tcp:1", True, ("10.9.0.0/16",)), [False, False, True]),
        ):
            proxies = opening(listener).proxies
            assert proxies is not None
            self.assertEqual([proxies(address) for address in addresses], expected)
