"""What stands in for a service that fails."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.answers import Answer
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.steps.fallback import can_fall_back, fall_back
from apigateway.upstream.steps.plan import ForwardPlan
from tests.upstream.forward_world import World

SORRY = Answer(200, [(b"Content-Type", b"text/plain")], b"later")


class WhetherTests(SynchronousTestCase):
    def test_502_503_and_504_give_way_and_nothing_else_does(self):
        replaced = [status for status in range(200, 600) if can_fall_back(SORRY, exchange_for(), status, False)]
        self.assertEqual(replaced, [502, 503, 504])

    def test_without_a_fallback_nothing_does(self):
        self.assertFalse(can_fall_back(None, exchange_for(), 503, False))

    def test_a_fallback_is_not_replaced_by_another(self):
        exchange = exchange_for()
        exchange.fallback = True
        self.assertFalse(can_fall_back(SORRY, exchange, 503, False))

    def test_a_request_whose_body_is_spent_goes_to_no_other_service_but_gets_a_fixed_answer(self):
        self.assertFalse(can_fall_back(World().service, exchange_for(), 503, True))
        self.assertTrue(can_fall_back(World().service, exchange_for(), 503, False))
        self.assertTrue(can_fall_back(SORRY, exchange_for(), 503, True))

    @settings(deadline=None)
    @given(st.integers(100, 599), st.booleans(), st.booleans(), st.booleans())
    def test_a_body_is_never_sent_in_part(self, status, touched, is_service, again):
        exchange = exchange_for()
        exchange.fallback = again
        if can_fall_back(World().service if is_service else SORRY, exchange, status, touched):
            self.assertFalse((is_service and touched) or again)


class HowTests(SynchronousTestCase):
    def test_a_fixed_answer_is_given_as_it_is_and_marked(self):
        exchange = exchange_for()
        fall_back(SORRY, exchange, ForwardPlan(), False)
        client = exchange.downstream
        self.assertEqual((client.status, client.body, client.get(b"content-type")), (200, b"later", b"text/plain"))
        self.assertEqual((client.get(b"x-gateway-fallback"), exchange.fallback), (b"static", True))

    def test_another_service_answers_the_same_request_and_is_named(self):
        world = World()
        exchange = world.exchange("GET", "/a?b")
        fall_back(world.service, exchange, world.plan, False)
        self.assertEqual(world.attempt.head[:2], (b"GET", b"/a?b"))
        world.attempt.answers(201)
        client = exchange.downstream
        self.assertEqual((client.status, client.get(b"x-gateway-fallback")), (201, b"shop"))
        self.assertEqual((exchange.service, exchange.fallback), ("shop", True))

    def test_a_body_that_has_been_asked_for_is_not_asked_for_again(self):
        world = World()
        exchange = world.exchange("PUT", "/", chunked=True)
        exchange.downstream.open_body()
        fall_back(world.service, exchange, world.plan, True)
        exchange.downstream.arrive(b"all")
        exchange.downstream.arrive_end()
        self.assertEqual(world.attempt.flushed, ["head", b"all", ("end", [])])
