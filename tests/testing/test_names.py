"""Names as a test has them."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IResolutionReceiver
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from apigateway.testing.names import NEVER, ScriptedNames


@implementer(IResolutionReceiver)
class Receiver:
    """Keeps what a look-up tells; None until it is complete."""

    def __init__(self) -> None:
        self.found: list[Any] = []
        self.told: list[str] | None = None

    def resolutionBegan(self, resolutionInProgress: Any) -> None:
        self.name = resolutionInProgress.name

    def addressResolved(self, address: Any) -> None:
        self.found.append(address)

    def resolutionComplete(self) -> None:
        self.told = [one.host for one in self.found]


class NamesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.names = ScriptedNames(self.clock, {"orders": ["10.0.0.1", "::1"]})

    def look_up(self, name: str, *kinds: type) -> Receiver:
        receiver = Receiver()
        self.resolution = self.names.resolveHostName(receiver, name, 80, kinds or None)
        return receiver

    def test_it_is_a_resolver(self) -> None:
        verifyObject(IHostnameResolver, self.names)
        self.assertIn("orders", repr(self.names))

    def test_a_name_is_answered_at_once(self) -> None:
        receiver = self.look_up("orders")
        self.assertEqual((receiver.name, receiver.told), ("orders", ["10.0.0.1", "::1"]))

    def test_only_with_addresses_of_the_kind_that_is_asked_for(self) -> None:
        self.assertEqual(self.look_up("orders", IPv4Address).told, ["10.0.0.1"])
        self.assertEqual(self.look_up("orders", IPv6Address).told, ["::1"])

    def test_what_is_not_there_has_no_address_and_a_name_may_go_away(self) -> None:
        self.assertEqual(self.look_up("users").told, [])
        del self.names.hosts["orders"]
        self.assertEqual(self.look_up("orders").told, [])
        self.assertEqual(self.names.asked, ["users", "orders"])

    def test_addresses_are_their_own_names_and_nobody_asks_for_them(self) -> None:
        self.assertEqual(self.look_up("10.1.2.3").told, ["10.1.2.3"])
        self.assertEqual(self.names.asked, [])

    def test_an_answer_may_take_its_time_and_tells_what_is_true_then(self) -> None:
        self.names.delays["orders"] = 2.0
        receiver = self.look_up("orders")
        self.clock.advance(1.9)
        self.assertIsNone(receiver.told)
        self.names.hosts["orders"] = ["10.0.0.2"]
        self.clock.advance(0.1)
        self.assertEqual(receiver.told, ["10.0.0.2"])

    def test_or_never_come(self) -> None:
        self.names.delays["orders"] = NEVER
        receiver = self.look_up("orders")
        self.clock.advance(1e6)
        self.assertIsNone(receiver.told)
        self.resolution.cancel()

    def test_who_cancels_is_told_nothing(self) -> None:
        self.names.delays["orders"] = 2.0
        receiver = self.look_up("orders")
        self.resolution.cancel()
        self.clock.advance(3)
        self.assertIsNone(receiver.told)
        self.assertEqual(self.clock.getDelayedCalls(), [])
