"""The services that the environment names, where there is no file."""

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Configuration, Discovery, Service, Target
from apigateway.config.read import ConfigurationError, load_environment


def services(**environ: str) -> dict[str, Service]:
    """The services of an environment by name."""
    return {service.name: service for service in load_environment(environ).services}


def problems(**environ: str) -> list[str]:
    """What is wrong with an environment."""
    try:
        load_environment(environ)
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


class EnvironmentTests(SynchronousTestCase):
    """Starting without a file."""

    def test_an_empty_environment_has_the_auth_and_the_product_service(self) -> None:
        found = services()
        self.assertEqual([*found], ["auth", "product"])
        self.assertEqual(found["auth"].targets, (Target("http://localhost:8001"),))
        self.assertEqual(found["product"].targets, (Target("http://localhost:8002"),))
        self.assertEqual([r.path for s in found.values() for r in s.routes], ["/auth", "/api"])

    def test_auth_takes_posts_and_product_what_a_list_of_things_needs(self) -> None:
        found = services()
        self.assertEqual(found["auth"].routes[0].methods, ("POST",))
        self.assertEqual(set(found["product"].routes[0].methods), {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"})

    def test_everything_else_is_as_by_default(self) -> None:
        configuration = load_environment({})
        self.assertEqual(configuration, Configuration(services=configuration.services))
        auth = configuration.services[0]
        self.assertEqual(auth, Service(name="auth", routes=auth.routes, targets=auth.targets))

    def test_a_variable_moves_a_default_service_to_another_target(self) -> None:
        self.assertEqual(services(AUTH_SERVICE_URL="http://auth:9000/")["auth"].targets, (Target("http://auth:9000"),))

    def test_any_other_variable_adds_a_service_with_all_methods(self) -> None:
        route = services(GIFT_CARDS_SERVICE_URL="http://cards")["gift-cards"].routes[0]
        self.assertEqual((route.path, route.methods), ("/gift-cards", ()))

    def test_a_prefix_variable_moves_any_service_to_another_path(self) -> None:
        found = services(AUTH_SERVICE_PREFIX="/login", A_SERVICE_URL="http://a", A_SERVICE_PREFIX="/x/y")
        self.assertEqual([found[name].routes[0].path for name in ("auth", "a")], ["/login", "/x/y"])
        self.assertEqual(found["auth"].routes[0].methods, ("POST",))

    def test_commas_separate_several_targets(self) -> None:
        found = services(PRODUCT_SERVICE_URL="http://a:1, http://b:2")
        self.assertEqual(found["product"].targets, (Target("http://a:1"), Target("http://b:2")))

    def test_other_variables_mean_nothing(self) -> None:
        self.assertEqual(
            [*services(PATH="/bin", SERVICE_URL="x", a_SERVICE_URL="x", A_SERVICE_URLS="x")], ["auth", "product"]
        )

    def test_problems_name_the_variable(self) -> None:
        self.assertEqual(
            problems(AUTH_SERVICE_URL="localhost:80", B_SERVICE_URL="", C_SERVICE_PREFIX="c", C_SERVICE_URL="http://c"),
            [
                "environment: AUTH_SERVICE_URL: a target's URL begins with http:// or https://",
                "environment: B_SERVICE_URL: is empty; expected a URL such as http://host:port",
                "environment: C_SERVICE_PREFIX: expected a path such as /orders, without a query and percent signs,"
                " not 'c'",
            ],
        )

    def test_a_prefix_without_a_url_is_a_problem(self) -> None:
        self.assertEqual(
            problems(A_SERVICE_PREFIX="/a"),
            ["environment: A_SERVICE_URL: is empty; expected a URL such as http://host:port"],
        )

    def test_two_services_at_one_path_are_a_problem(self) -> None:
        self.assertEqual(
            problems(A_SERVICE_URL="http://a", A_SERVICE_PREFIX="/auth"),
            ["environment: A_SERVICE_PREFIX: matches POST /auth like AUTH_SERVICE_PREFIX"],
        )


class DiscoveryTests(SynchronousTestCase):
    """Targets that are to be found."""

    def test_a_name_or_srv_records_may_stand_for_the_urls(self) -> None:
        found = services(ORDERS_SERVICE_DNS="http://orders.internal:8080", AUTH_SERVICE_SRV="_http._tcp.auth")
        self.assertEqual(found["orders"].discovery, Discovery(dns="http://orders.internal:8080"))
        self.assertEqual((found["auth"].discovery, found["auth"].targets), (Discovery(srv="_http._tcp.auth"), ()))
        self.assertEqual((found["auth"].routes[0].path, found["auth"].routes[0].methods), ("/auth", ("POST",)))
        self.assertIsNone(found["product"].discovery)

    def test_a_variable_that_is_empty_says_nothing(self) -> None:
        self.assertIsNone(services(AUTH_SERVICE_DNS="")["auth"].discovery)

    def test_two_ways_for_one_service_are_a_problem(self) -> None:
        self.assertEqual(
            problems(AUTH_SERVICE_DNS="http://auth", AUTH_SERVICE_URL="http://auth"),
            ["environment: AUTH_SERVICE_DNS: stands for `targets`; leave one of the two out"],
        )
        self.assertEqual(
            problems(AUTH_SERVICE_DNS="http://auth", AUTH_SERVICE_SRV="auth"),
            ["environment: AUTH_SERVICE_SRV: needs exactly one of `file`, `dns` and `srv`"],
        )
