"""The terms of services and routes, as the configuration has them."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from apigateway.assembly.registry import Draft
from apigateway.assembly.terms import terms_of
from apigateway.config import model
from apigateway.upstream.steps.retry import IDEMPOTENT
from apigateway.upstream.steps.terms import Terms
from apigateway.upstream.steps.time_limits import NEVER, TimeLimits

SERVICE = model.Service("shop", (), ())


class TermsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.kept = Draft({})

    def test_those_of_the_defaults_are_the_defaults(self) -> None:
        terms = terms_of(SERVICE, SERVICE, self.kept)
        self.assertEqual(terms, Terms(TimeLimits(10.0, 30.0, 60.0)))
        self.assertEqual((terms.total, terms.methods, terms.statuses), (NEVER, IDEMPOTENT, frozenset()))

    def test_a_route_that_says_nothing_has_the_same(self) -> None:
        hedging = model.Hedging("p90")
        service = replace(SERVICE, hedging=hedging, deadline_header="X-Left")
        route = model.Policies(hedging=hedging, deadline_header="X-Left")
        self.assertEqual(terms_of(service, route, self.kept), terms_of(service, service, self.kept))

    def test_what_a_route_says_is_its_own_but_connections_are_the_services(self) -> None:
        route = model.Policies(
            timeouts=model.RouteTimeouts(response=1.0, idle=2.0, total=3.0),
            retries=model.RouteRetries(4, ("POST",), ((502, 503),), True, 5, 0.1, 0.2),
        )
        terms = terms_of(replace(SERVICE, timeouts=model.Timeouts(connect=7.0, pool=8.0)), route, self.kept)
        self.assertEqual((terms.limits, terms.total), (TimeLimits(15.0, 1.0, 2.0), 3.0))
        self.assertEqual((terms.retries, terms.methods, terms.statuses), (4, {b"POST"}, {502, 503}))
        self.assertEqual((terms.after_timeout, terms.replay), (True, 5))
        self.assertEqual((terms.backoff_s, terms.most_backoff_s), (0.1, 0.2))

    def test_hedging_after_a_time_needs_to_know_nothing_of_the_service(self) -> None:
        hedging = terms_of(SERVICE, model.Policies(hedging=model.Hedging(0.2)), self.kept).hedging
        assert hedging is not None
        self.assertEqual((hedging.after_s, hedging.heads, self.kept.used), (0.2, None, {}))

    def test_after_a_share_routes_learn_together_and_over_reloads(self) -> None:
        routes = [model.Policies(hedging=model.Hedging(share, 0.1)) for share in ("p90", "p95")]
        first, second = (terms_of(SERVICE, route, self.kept).hedging for route in routes)
        after = terms_of(SERVICE, routes[0], Draft(self.kept.used)).hedging
        assert first is not None
        assert second is not None
        assert after is not None
        self.assertIs(first.heads, second.heads)
        self.assertIs(first.heads, after.heads)
        self.assertEqual((first.share, second.share, first.least_s), (0.9, 0.95, 0.1))
