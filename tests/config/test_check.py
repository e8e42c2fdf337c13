"""The table of routes."""

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.check import routes_table
from apigateway.config.read import load_environment

from .reading import read


class RoutesTableTests(SynchronousTestCase):
    """`--check` shows it after "ok"."""

    def test_has_a_line_for_each_route_in_aligned_columns(self) -> None:
        policies = "100/1m, breaker, health, retry"
        self.assertEqual(
            routes_table(load_environment({})).splitlines(),
            [
                "METHODS                           HOST  PATH   SERVICE  TARGETS                POLICIES",
                f"POST                              *     /auth  auth     http://localhost:8001  {policies}",
                f"GET,POST,PUT,DELETE,HEAD,OPTIONS  *     /api   product  http://localhost:8002  {policies}",
            ],
        )

    def test_tells_how_targets_are_discovered(self) -> None:
        table = routes_table(load_environment({"AUTH_SERVICE_DNS": "http://auth.internal", "A_SERVICE_SRV": "_http.a"}))
        self.assertIn("auth     dns http://auth.internal  ", table)
        self.assertIn("a        srv _http.a  ", table)

    def test_tells_everything_that_is_on_in_a_word(self) -> None:
        text = """
            services:
              a:
                transport: treq
                targets: [https://a, {url: https://b, weight: 2}]
                fallback: {status: 204}
                hedging: {after: p95}
                balance: {strategy: hash, sticky: {secret: 0123456789abcdef}}
                tls: {verify: false}
                cors: {origins: ["*"]}
                max_body: 1MiB
                content_types: [text/plain]
                required_headers: [X-A]
                rate_limit: [{limit: 1, window: 1s}, {limit: 9}]
                routes: [{path: /a, host: h, match_headers: {X-B: c}, strip_prefix: true}]
        """
        line = routes_table(read(text)).splitlines()[1]
        self.assertEqual(
            [part.strip() for part in line.split("  ") if part.strip()],
            [
                "*",
                "h",
                "/a (stripped)",
                "a",
                "https://a, https://b *2",
                "1/1s, 9/1m, match X-B, cors, body <= 1MiB, content types, required headers, hedge, breaker, health,"
                " retry, fallback, treq, hash, sticky, TLS unverified",
            ],
        )

    def test_tells_where_else_requests_go_and_what_services_without_a_route_are_for(self) -> None:
        text = """
            services:
              b: {targets: [http://b], circuit_breaker: false, health_check: false, retries: false}
              a:
                prefix: /a
                targets: [http://a]
                rate_limit: false
                split: [{service: b, headers: {X-B: c}, cookie: {d: e}}, {service: b, share: 2.5%}]
                mirror: {service: b, share: 10%}
        """
        first, second = routes_table(read(text)).splitlines()[1:]
        self.assertTrue(first.endswith("breaker, health, retry, split b by X-B d, split b 2.5%, mirror b 10%"), first)
        self.assertEqual(second.split(), ["-", "-", "-", "b", "http://b", "-"])

    def test_says_so_where_nothing_is_on(self) -> None:
        off = "rate_limit: false, circuit_breaker: false, health_check: false, retries: false"
        table = routes_table(read(f"services: {{a: {{prefix: /, targets: [http://a], {off}}}}}"))
        self.assertEqual(table.splitlines()[1].split(), ["*", "*", "/", "a", "http://a", "-"])

    def test_has_the_longest_path_first(self) -> None:
        table = routes_table(
            read("services: {a: {targets: [http://a], routes: [{path: /}, {path: /a/b}, {path: /a}]}}")
        )
        self.assertEqual([line.split()[2] for line in table.splitlines()], ["PATH", "/a/b", "/a", "/"])
