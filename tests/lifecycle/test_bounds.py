"""The bounds on clients that follow from a configuration."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Configuration, Limits, Policies, Pool, Route, Service, Target, Upgrades
from apigateway.lifecycle.bounds import connections_to_services, site_limits


class BoundsTests(SynchronousTestCase):
    def test_limits_are_those_of_the_configuration(self) -> None:
        limits = Limits(connections=100, connections_per_client=40, head=2048, fields=7, uri=99, head_timeout=1.5)
        made = site_limits(Configuration(limits=limits))
        self.assertEqual((made.connections, made.connections_per_client, made.head_s), (100, 40, 1.5))
        self.assertEqual((made.head.head, made.head.fields, made.head.uri), (2048, 7, 99))

    def test_one_client_may_have_half_of_all_at_most(self) -> None:
        for connections, most in ((100, 50), (1, 1)):
            limits = Limits(connections=connections, connections_per_client=1000)
            self.assertEqual(site_limits(Configuration(limits=limits)).connections_per_client, most)

    def test_connections_to_services_are_those_of_all_pools(self) -> None:
        one = Service("a", (), (Target("http://a"), Target("http://b")), pool=Pool(connections=10))
        two = replace(one, name="b", targets=(), pool=Pool(connections=99))
        self.assertEqual(connections_to_services(Configuration((one, two))), 20)

    def test_and_one_for_each_client_that_may_have_switched(self) -> None:
        def routes(*most: int) -> tuple[Route, ...]:
            upgrades = [Upgrades(most=one) if one else None for one in most]
            return tuple(Route("/", policies=Policies(upgrades=one)) for one in upgrades)

        services = (Service("a", routes(5, 70, 0), ()), Service("b", routes(20), ()), Service("c", routes(0), ()))
        for clients, expected in ((1000, 90), (50, 50)):
            configuration = Configuration(services, limits=Limits(connections=clients))
            self.assertEqual(connections_to_services(configuration), expected)
