"""Services and their routes: what lies over what, and what goes together."""

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import CircuitBreaker, Fallback, Headers, Policies, RateLimit, Retries, Target, Timeouts

from .reading import messages, orders, orders_service, read


class OneServiceTests(SynchronousTestCase):
    """A service with a prefix."""

    def test_is_one_route_with_every_default(self) -> None:
        service = orders_service("")
        self.assertEqual(service.targets, (Target("http://orders:8003"),))
        route = service.routes[0]
        self.assertEqual((route.path, route.host, route.methods, route.strip_prefix), ("/orders", None, (), False))
        self.assertEqual(route.policies, Policies())

    def test_may_tell_host_methods_and_whether_the_prefix_is_cut(self) -> None:
        route = orders_service("host: A.example.com\nmethods: [post]\nstrip_prefix: true").routes[0]
        self.assertEqual((route.host, route.methods, route.strip_prefix), ("a.example.com", ("POST",), True))

    def test_head_is_admitted_where_get_is(self) -> None:
        self.assertEqual(orders_service("methods: [GET, POST]").routes[0].methods, ("GET", "POST", "HEAD"))
        self.assertEqual(orders_service("methods: [HEAD, GET, HEAD]").routes[0].methods, ("HEAD", "GET"))
        self.assertEqual(orders_service("methods: [POST]").routes[0].methods, ("POST",))

    def test_targets_are_urls_or_urls_with_weights(self) -> None:
        text = "services: {a: {prefix: /a, targets: [http://x, {url: http://y}, {url: http://z, weight: 3}]}}"
        self.assertEqual(
            read(text).services[0].targets, (Target("http://x"), Target("http://y"), Target("http://z", 3))
        )

    def test_a_target_twice_is_a_problem(self) -> None:
        self.assertEqual(
            messages("services: {a: {prefix: /a, targets: [http://x, http://X:80/]}}"),
            ["services.a.targets[1]: http://x is given twice; use `weight` to give a target a larger share"],
        )

    def test_either_transport_speaks_tls(self) -> None:
        read("services: {a: {prefix: /a, targets: [https://x]}}")
        unknown = messages("services: {a: {prefix: /a, transport: tls, targets: [https://x]}}")
        self.assertEqual(unknown, ["services.a.transport: expected `native` or `treq`, not 'tls'"])
        read("services: {a: {prefix: /a, transport: treq, targets: [https://x]}}")
        read("{defaults: {transport: treq}, services: {a: {prefix: /a, targets: [https://x]}}}")

    def test_needs_targets_and_a_prefix_or_routes(self) -> None:
        self.assertEqual(
            messages("services: {a: {}, b: {prefix: /b, targets: []}}"),
            [
                "services.b.targets: expected at least one item, or leave the key out",
                "services.a: needs `targets` or `discovery`",
                "services.a: needs `prefix` or `routes`, as no other service leads to it (`fallback`, `split`,"
                " `mirror`)",
            ],
        )

    def test_anything_can_be_switched_off(self) -> None:
        service = orders_service(
            "rate_limit: false\ncircuit_breaker: false\nhealth_check: false\nfallback: false\ncors: false\n"
            "max_body: false\nretries: false\n"
        )
        policies = service.routes[0].policies
        self.assertEqual((policies.rate_limit, policies.cors, policies.max_body), ((), None, None))
        self.assertEqual((service.circuit_breaker, service.health_check, service.fallback), (None, None, None))
        self.assertEqual(service.retries, Retries(attempts=0))

    def test_a_fallback_is_a_fixed_answer_or_another_service(self) -> None:
        self.assertEqual(
            orders_service("fallback: {status: 203, headers: {X-A: b}, body: '[]'}").fallback,
            Fallback(203, (("X-A", "b"),), "[]"),
        )
        self.assertEqual(
            messages(orders("fallback: {service: orders, status: 200}")),
            ["services.orders.fallback.service: either another service answers or a fixed answer is given, not both"],
        )

    def test_every_origin_and_credentials_do_not_go_together(self) -> None:
        message = '"*" does not go together with `credentials: true`; name each one'
        self.assertEqual(
            messages(orders("cors: {origins: ['*'], credentials: true}")), [f"services.orders.cors.origins: {message}"]
        )
        self.assertEqual(
            messages(orders("cors: {origins: ['https://a'], expose: ['*'], credentials: true}")),
            [f"services.orders.cors.expose: {message}"],
        )
        cors = orders_service("cors: {origins: ['*']}").routes[0].policies.cors
        self.assertEqual(cors and cors.origins, ("*",))

    def test_cors_needs_origins(self) -> None:
        self.assertEqual(messages(orders("cors: {max_age: 1h}")), ["services.orders.cors: needs `origins`"])

    def test_expected_statuses_are_single_ones_or_ranges(self) -> None:
        check = orders_service("health_check: {statuses: [204, 200-299]}").health_check
        self.assertEqual(check and check.statuses, ((204, 204), (200, 299)))


class RoutesTests(SynchronousTestCase):
    """A service with a list of routes."""

    ROUTES = "services: {a: {targets: [http://a], %s routes: [%s]}}"

    def test_each_route_matches_what_it_tells(self) -> None:
        match = "{path: /x, host: h.example.com, methods: [PUT], match_headers: {X-V: 2}, strip_prefix: true}"
        route = read(self.ROUTES % ("", match + ", {path: /y}")).services[0].routes[0]
        self.assertEqual((route.path, route.host, route.methods), ("/x", "h.example.com", ("PUT",)))
        self.assertEqual((route.headers, route.strip_prefix), ((("X-V", "2"),), True))

    def test_a_route_needs_a_path_and_a_list_of_routes_a_route(self) -> None:
        self.assertEqual(messages(self.ROUTES % ("", "{host: a}")), ["services.a.routes[0]: needs `path`"])
        self.assertEqual(
            messages(self.ROUTES % ("", "")), ["services.a.routes: expected at least one item, or leave the key out"]
        )

    def test_what_a_route_matches_stands_in_the_route(self) -> None:
        self.assertEqual(
            messages(self.ROUTES % ("prefix: /a, methods: [GET],", "{path: /x}")),
            [
                f"services.a.{key}: belongs into each of the `routes` where there are some"
                for key in ("prefix", "methods")
            ],
        )

    def test_a_routes_policies_lie_over_its_services(self) -> None:
        first, second = (
            read(
                self.ROUTES
                % (
                    "rate_limit: {limit: 5, window: 1s}, max_body: 1KiB, required_headers: [X-A, X-B],",
                    "{path: /x, rate_limit: {limit: 9}, required_headers: [X-C]},"
                    "{path: /y, rate_limit: false, max_body: false}",
                )
            )
            .services[0]
            .routes
        )
        self.assertEqual(first.policies.rate_limit, (RateLimit(9, 1.0),))
        self.assertEqual((first.policies.max_body, first.policies.required_headers), (1024, ("X-C",)))
        self.assertEqual((second.policies.rate_limit, second.policies.max_body), ((), None))


class DefaultsTests(SynchronousTestCase):
    """What services leave out."""

    TEXT = "{defaults: {%s}, services: {a: {prefix: /a, targets: [http://a], %s}}}"

    def test_come_from_defaults_key_by_key(self) -> None:
        service = read(
            self.TEXT % ("timeouts: {connect: 1s, idle: 2s}, transport: treq", "timeouts: {idle: 3s}")
        ).services[0]
        self.assertEqual(service.timeouts, Timeouts(connect=1.0, idle=3.0))
        self.assertEqual(service.transport, "treq")

    def test_reach_through_the_service_to_its_routes(self) -> None:
        text = """
            defaults: {headers: {via: false, set_request: {X-A: default, X-B: default}}}
            services:
              a:
                targets: [http://a]
                headers: {forwarded: true, set_request: {x-b: service, X-C: service}}
                routes: [{path: /a, headers: {set_request: {X-C: route}}}]
        """
        headers = read(text).services[0].routes[0].policies.headers
        fields = (("X-A", "default"), ("x-b", "service"), ("X-C", "route"))
        self.assertEqual(headers, Headers(via=False, forwarded=True, set_request=fields))

    def test_that_are_off_are_switched_on_by_a_mapping(self) -> None:
        service = read(self.TEXT % ("circuit_breaker: false", "circuit_breaker: {failures: 2}")).services[0]
        self.assertEqual(service.circuit_breaker, CircuitBreaker(failures=2))

    def test_with_several_limits_are_replaced_and_not_mixed(self) -> None:
        several = "rate_limit: [{limit: 1}, {limit: 2, window: 1h}]"
        self.assertEqual(
            read(self.TEXT % (several, "")).services[0].routes[0].policies.rate_limit,
            (RateLimit(1), RateLimit(2, 3600.0)),
        )
        self.assertEqual(
            read(self.TEXT % (several, "rate_limit: {window: 5s}")).services[0].routes[0].policies.rate_limit,
            (RateLimit(100, 5.0),),
        )

    def test_fallbacks_are_replaced_and_not_mixed(self) -> None:
        service = read(self.TEXT % ("fallback: {status: 203, body: x}", "fallback: {body: y}")).services[0]
        self.assertEqual(service.fallback, Fallback(body="y"))

    def test_that_are_wrong_are_told_once_where_they_stand(self) -> None:
        text = "defaults:\n  timeouts: {connect: x}\n  cors: {max_age: 1s}\nservices:\n" + "".join(
            f"  {name}: {{prefix: /{name}, targets: [http://{name}]}}\n" for name in "abc"
        )
        self.assertEqual(
            [message.split(":")[0] for message in messages(text)], ["defaults.timeouts.connect", "defaults.cors"]
        )
