"""Relays to one service, counted and bounded."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import GatewayError
from apigateway.upstream.relays import Account, Relays, UpgradeRules
from tests.upstream.forward_world import World


class Moved:
    """A relay as far as it is counted."""

    def __init__(self, bytes_in: int, bytes_out: int) -> None:
        self.bytes_in = bytes_in
        self.bytes_out = bytes_out


class RelaysTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.relays = Relays("chat", lambda: b"mask")

    def test_bytes_of_those_that_are_open_and_of_those_that_were_are_told(self) -> None:
        first, second = Moved(1, 2), Moved(10, 20)
        self.relays.began(first)
        self.relays.began(second)
        self.assertEqual(self.relays.describe(), {"open": 2, "total": 2, "bytes_in": 11, "bytes_out": 22})
        self.relays.ended(first)
        second.bytes_in = 11
        self.assertEqual(self.relays.describe(), {"open": 1, "total": 2, "bytes_in": 12, "bytes_out": 22})
        self.relays.ended(second)
        self.assertEqual(self.relays.describe(), {"open": 0, "total": 2, "bytes_in": 12, "bytes_out": 22})
        self.assertEqual(repr(self.relays), "<Relays chat open=0 total=2>")

    def test_there_may_be_no_more_than_so_many(self) -> None:
        rules = UpgradeRules(most=2)
        first = Moved(0, 0)
        for one in (first, Moved(0, 0)):
            rules.check(self.relays)
            self.relays.began(one)
        error = self.assertRaises(GatewayError, rules.check, self.relays)
        self.assertEqual((error.cause.code, error.retry_after_s), ("service-overloaded", 30))
        self.assertIn("'chat' has 2", error.detail)
        self.relays.ended(first)
        rules.check(self.relays)

    def test_that_some_are_refused_is_told_once(self) -> None:
        for _ in range(3):
            self.relays.refusal(1)
        self.assertEqual(self.relays.spell.refused, 3)
        self.relays.sweep(1.0)
        self.assertTrue(self.relays.spell.lasts)
        self.relays.sweep(7.0)
        self.assertFalse(self.relays.spell.lasts)


class AccountTests(SynchronousTestCase):
    def test_a_relay_is_in_flight_at_its_target_as_long_as_it_lives(self) -> None:
        relays, target = Relays("chat", lambda: b"mask"), World().targets[0]
        account = Account(7.0, relays, target, True)
        relay = Moved(0, 0)
        account.began(relay)
        self.assertEqual((target.in_flight, len(relays.open)), (1, 1))
        account.ended(relay)
        self.assertEqual((target.in_flight, len(relays.open)), (0, 0))
        self.assertEqual((account.idle_s, account.is_websocket, account.mask()), (7.0, True, b"mask"))
