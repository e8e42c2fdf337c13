"""The services of a snapshot."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from apigateway.http.answers import Answer
from apigateway.interfaces import ICircuitBreaker, IHealthChecker, ITransport
from apigateway.routing.tree import locate
from apigateway.upstream.native.transport import NativeTransport
from apigateway.upstream.treq.transport import TreqTransport
from tests.assembly.world import AssemblyTestCase


class ServicesTests(AssemblyTestCase):
    def routes_at(self, path: bytes) -> list[tuple[str, str]]:
        _, proxy = locate(self.snapshot.resource, path)
        assert proxy is not None
        return [(route.service.name, route.name) for route in proxy.routes]

    def test_each_service_gets_the_transport_that_it_names(self) -> None:
        kinds = {name: type(one.targets[0].transport) for name, one in self.snapshot.services.items()}
        self.assertEqual(kinds, {"shop": NativeTransport, "old": TreqTransport})

    def test_what_the_components_make_provides_its_interface(self) -> None:
        for one in self.snapshot.services.values():
            for target in one.targets:
                verifyObject(ITransport, target.transport)
        verifyObject(ICircuitBreaker, self.snapshot.services["shop"].targets[0].breaker)
        checkers = self.registry.all("checker")
        self.assertEqual(len(checkers), 2)
        for checker in checkers:
            verifyObject(IHealthChecker, checker)

    def test_a_breaker_that_is_switched_off_is_not_there(self) -> None:
        self.assertIsNone(self.snapshot.services["old"].targets[0].breaker)

    def test_hosts_leave_out_the_default_port(self) -> None:
        self.assertEqual([target.host for target in self.snapshot.services["shop"].targets], [b"a:8002", b"b"])

    def test_fallbacks_are_an_answer_or_the_other_service(self) -> None:
        fixed = self.snapshot.services["shop"].fallback
        assert isinstance(fixed, Answer)
        self.assertEqual((fixed.status, fixed.body), (203, b"nothing"))
        self.assertIs(self.snapshot.services["old"].fallback, self.snapshot.services["shop"])
