"""After failures of every kind, over and over, all is as it was; `python -m tests.failures leaks` makes many more."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.exchanges import exchange_for
from tests.failures.leaks import LeakHunt, grown, round_of_all
from tests.failures.world import World


class LeakTests(SynchronousTestCase):
    def test_nothing_is_left_after_a_thousand_failures(self) -> None:
        hunt = LeakHunt(at_once=2)
        hunt.rounds(round_of_all())
        before = hunt.found()
        hunt.rounds(round_of_all())
        after = hunt.found()
        self.assertGreater(hunt.failures, 1000)
        self.assertEqual(hunt.world.leftovers(), {})
        self.assertEqual(grown(before, after, round_of_all()), {})

    def test_what_is_kept_would_be_found(self) -> None:
        hunt = LeakHunt(at_once=1)
        hunt.rounds(1)
        before = hunt.found()
        kept = [exchange_for() for _ in range(4)]
        grew = grown(before, hunt.found(), 4)
        self.assertIn("apigateway.exchange.Exchange", grew)
        self.assertEqual(len(kept), 4)

    def test_what_is_under_way_would_be_found_too(self) -> None:
        world = World()
        world.gateway.client().send(b"PUT /native-one HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\n")
        world.network.pump()
        found = {"exchanges": 1, "attempts": 1, "connections": 1, "clients": 1, "sockets": 2}
        self.assertEqual(world.leftovers(), found)
