"""The health pages: what makes a service, and the whole, healthy, degraded or unhealthy."""

from __future__ import annotations

from apigateway.upstream.service import Service
from tests.admin.runtime import PagesTestCase


class HealthTests(PagesTestCase):
    """`GET /health`."""

    def setUp(self) -> None:
        super().setUp()
        self.auth = self.runtime.service("auth", "http://auth.internal:8001")
        self.product = self.runtime.service("product", "http://a.internal:8002", "http://b.internal:8002")

    def told(self) -> tuple[int, str, dict[str, str]]:
        """The HTTP status, the overall status and that of each service."""
        answer = self.ask("/health")
        services = answer.json["services"]
        return answer.status, answer.json["status"], {name: one["status"] for name, one in services.items()}

    def lose(self, service: Service) -> None:
        for target in service.targets:
            self.runtime.check(target, "refused")

    def test_before_the_first_check_everything_counts_as_healthy(self) -> None:
        self.assertEqual(self.told(), (200, "healthy", {"auth": "healthy", "product": "healthy"}))

    def test_one_bad_target_of_several_degrades_its_service_and_the_whole(self) -> None:
        self.runtime.check(self.product.targets[0], "refused")
        self.assertEqual(self.told(), (200, "degraded", {"auth": "healthy", "product": "degraded"}))

    def test_an_open_breaker_degrades_like_a_bad_target(self) -> None:
        self.runtime.fail(self.product.targets[1])
        self.assertEqual(self.told(), (200, "degraded", {"auth": "healthy", "product": "degraded"}))

    def test_a_half_open_breaker_leaves_a_service_usable_but_not_whole(self) -> None:
        (target,) = self.auth.targets
        self.runtime.fail(target)
        self.assertEqual(self.told()[2]["auth"], "unhealthy")
        self.runtime.clock.advance(30)
        assert target.breaker is not None
        target.breaker.allows(self.runtime.now())
        self.assertEqual(self.told(), (200, "degraded", {"auth": "degraded", "product": "healthy"}))

    def test_a_service_without_a_usable_target_is_unhealthy_and_the_whole_degraded(self) -> None:
        self.lose(self.auth)
        self.assertEqual(self.told(), (200, "degraded", {"auth": "unhealthy", "product": "healthy"}))

    def test_targets_lost_for_different_reasons_are_lost_all_the_same(self) -> None:
        self.runtime.check(self.product.targets[0], "refused")
        self.runtime.fail(self.product.targets[1])
        self.assertEqual(self.told()[2]["product"], "unhealthy")

    def test_a_service_that_only_gets_requests_again_makes_the_whole_neither_ill_nor_well(self) -> None:
        shadow = self.runtime.service("shadow", "http://c.internal:1")
        self.runtime.routes.pop()
        self.runtime.mirror(self.auth, shadow)
        self.lose(shadow)
        self.assertEqual(self.told()[:2], (200, "healthy"))
        self.assertEqual(self.told()[2]["shadow"], "unhealthy")
        self.runtime.check(shadow.targets[0])
        self.lose(self.auth)
        self.lose(self.product)
        self.assertEqual(self.told()[:2], (503, "unhealthy"))

    def test_without_a_usable_service_the_gateway_is_unhealthy_and_answers_503(self) -> None:
        self.lose(self.auth)
        self.lose(self.product)
        self.assertEqual(self.told(), (503, "unhealthy", {"auth": "unhealthy", "product": "unhealthy"}))

    def test_a_gateway_without_services_is_healthy(self) -> None:
        self.runtime.services.clear()
        self.assertEqual(self.told(), (200, "healthy", {}))

    def test_a_service_without_targets_is_unhealthy(self) -> None:
        self.runtime.service("later")
        self.assertEqual(self.told()[2]["later"], "unhealthy")

    def test_a_target_without_a_breaker_has_no_state_of_one(self) -> None:
        self.runtime.service("plain", "http://c:1", breaker=False)
        told = self.ask("/health").json["services"]["plain"]
        self.assertEqual((told["status"], told["breaker"], told["targets"][0]["breaker"]), ("healthy", None, None))

    def test_each_target_is_told_with_its_last_check_latency_and_error(self) -> None:
        self.runtime.check(self.product.targets[0], "a.internal refused the connection", latency=0.0025)
        self.runtime.fail(self.product.targets[0])
        self.runtime.clock.advance(2.5)
        service = self.ask("/health").json["services"]["product"]
        self.assertEqual(service["breaker"], "open")
        self.assertEqual(
            service["targets"],
            [
                {
                    "target": "http://a.internal:8002",
                    "status": "unhealthy",
                    "breaker": "open",
                    "checked": True,
                    "last_check_s_ago": 2.5,
                    "latency_ms": 2.5,
                    "error": "a.internal refused the connection",
                },
                {
                    "target": "http://b.internal:8002",
                    "status": "healthy",
                    "breaker": "closed",
                    "checked": False,
                    "last_check_s_ago": None,
                    "latency_ms": None,
                    "error": None,
                },
            ],
        )

    def test_who_may_not_see_the_statistics_learns_no_address(self) -> None:
        self.runtime.check(self.product.targets[0], "a.internal refused the connection")
        self.from_client("203.0.113.7")
        answer = self.ask("/health")
        self.assertNotIn(b"internal", answer.body)
        targets = answer.json["services"]["product"]["targets"]
        self.assertEqual([target["target"] for target in targets], [0, 1])
        self.assertEqual([target["error"] for target in targets], ["the last check failed", None])

    def test_with_the_token_addresses_are_told_to_anyone(self) -> None:
        self.from_client("203.0.113.7")
        self.assertIn(b"auth.internal", self.ask("/health", Authorization="Bearer s3cret").body)


class LivenessTests(PagesTestCase):
    """`GET /health/live`."""

    def test_it_is_200_as_long_as_the_process_serves(self) -> None:
        self.runtime.is_stopping = True
        self.runtime.check(self.runtime.service("auth", "http://a:1").targets[0], "refused")
        answer = self.ask("/health/live")
        self.assertEqual((answer.status, answer.json), (200, {"status": "live"}))


class ReadinessTests(PagesTestCase):
    """`GET /health/ready`."""

    def setUp(self) -> None:
        super().setUp()
        self.auth = self.runtime.service("auth", "http://auth.internal:8001")
        self.product = self.runtime.service("product", "http://a.internal:8002")

    def test_not_while_the_first_targets_of_a_service_are_looked_for(self) -> None:
        self.runtime.service("product", "http://a:8002")
        self.runtime.awaited = ["orders", "stock"]
        answer = self.ask("/health/ready")
        told = {"status": "not ready", "reason": "targets are looked for: orders, stock"}
        self.assertEqual((answer.status, answer.json), (503, told))
        self.runtime.awaited = []
        self.assertEqual(self.ask("/health/ready").status, 200)

    def test_it_is_200_while_some_service_can_be_reached(self) -> None:
        self.runtime.fail(self.auth.targets[0])
        answer = self.ask("/health/ready")
        self.assertEqual((answer.status, answer.json), (200, {"status": "ready"}))

    def test_it_is_503_when_no_service_can_be_reached(self) -> None:
        for service in (self.auth, self.product):
            self.runtime.fail(service.targets[0])
        answer = self.ask("/health/ready")
        self.assertEqual((answer.status, answer.json["reason"]), (503, "no service can be reached"))

    def test_it_is_200_where_only_health_checks_complain_as_all_are_tried_then(self) -> None:
        for service in (self.auth, self.product):
            self.runtime.check(service.targets[0], "status 404")
        self.assertEqual((self.ask("/health").status, self.ask("/health/ready").status), (503, 200))

    def test_what_only_gets_requests_again_does_not_make_it_ready(self) -> None:
        shadow = self.runtime.service("shadow", "http://c.internal:1")
        self.runtime.routes.pop()
        self.runtime.mirror(self.auth, shadow)
        for service in (self.auth, self.product):
            self.runtime.fail(service.targets[0])
        self.assertEqual(self.ask("/health/ready").status, 503)

    def test_it_is_503_from_the_moment_the_gateway_stops(self) -> None:
        self.runtime.is_stopping = True
        answer = self.ask("/health/ready")
        self.assertEqual((answer.status, answer.json["reason"]), (503, "the gateway is stopping"))

    def test_it_is_200_again_once_a_service_is_back(self) -> None:
        for service in (self.auth, self.product):
            self.runtime.fail(service.targets[0])
        self.assertEqual(self.ask("/health/ready").status, 503)
        breaker = self.auth.targets[0].breaker
        assert breaker is not None
        later = 1000.0
        breaker.success(breaker.allows(later), later)
        self.assertEqual(self.ask("/health/ready").status, 200)
