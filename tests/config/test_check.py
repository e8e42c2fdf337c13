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

    def test_tells_everything_that_is_on_in_a_word(self) -> None:
        text = """
            services:
              a:
                transport: treq
                targets: [https://a, {url: https://b, weight: 2}]
                fallback: {status: 204}
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
                "1/1s, 9/1m, match X-B, cors, body <= 1MiB, content types, required headers, breaker, health, retry,"
                " fallback, treq",
            ],
        )

    def test_says_so_where_nothing_is_on(self) -> None:
        off = "rate_limit: false, circuit_breaker: false, health_check: false, retries: false"
        table = routes_table(read(f"services: {{a: {{prefix: /, targets: [http://a], {off}}}}}"))
        self.assertEqual(table.splitlines()[1].split(), ["*", "*", "/", "a", "http://a", "-"])

    def test_has_the_longest_path_first(self) -> None:
        table = routes_table(
            read("services: {a: {targets: [http://a], routes: [{path: /}, {path: /a/b}, {path: /a}]}}")
        )
        self.assertEqual([line.split()[2] for line in table.splitlines()], ["PATH", "/a/b", "/a", "/"])
