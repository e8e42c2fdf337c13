"""A service with one target."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.only import Only
from tests.upstream.balancing.world import eject, make_target, order, pick, trip


class OnlyTests(SynchronousTestCase):
    def test_it_is_a_balancer(self) -> None:
        verifyObject(IBalancer, Only([make_target("a")]))

    def test_the_target_is_the_pick_whatever_its_state(self) -> None:
        target = make_target("a")
        target.health.healthy = False
        trip(target)
        eject(target)
        self.assertIs(pick(Only([target])), target)

    def test_there_is_no_other_for_who_has_tried_it(self) -> None:
        self.assertEqual(order(Only([make_target("a")])), "a")

    def test_without_targets_there_is_no_pick(self) -> None:
        self.assertIsNone(pick(Only([])))
