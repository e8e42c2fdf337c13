"""The JSON Schema of the configuration file."""

from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.schema import schema, schema_text

from .keys.test_service import EXAMPLE, switched_on
from .reading import ONE_SERVICE, orders, problems
from .test_read import EXAMPLE_OF_DESIGN
from .trees import configurations

VALIDATOR = Draft202012Validator(schema())
PUBLISHED = Path(__file__).parents[2] / "docs" / "configuration.schema.json"


def faults(text: str) -> list[str]:
    """The paths of what the schema has against a text."""
    return [error.json_path for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


class SchemaTests(SynchronousTestCase):
    """What editors complete and check keys with."""

    def test_is_a_schema(self) -> None:
        Draft202012Validator.check_schema(schema())

    def test_is_published_as_it_is(self) -> None:
        self.assertEqual(
            PUBLISHED.read_text("utf-8"), schema_text(), "apigateway schema > docs/configuration.schema.json"
        )

    def test_allows_the_examples(self) -> None:
        example = EXAMPLE.read_text("utf-8")
        for text in (ONE_SERVICE, example, switched_on(example), EXAMPLE_OF_DESIGN):
            self.assertEqual(faults(text), [])

    def test_allows_variables_for_values_of_any_type(self) -> None:
        for keys in (
            "retries: {attempts: '${A}'}",
            "strip_prefix: ${A}",
            "transport: ${A}",
            "cors: ${A}",
            "max_body: ${A}",
        ):
            self.assertEqual(faults(orders(keys)), [], keys)

    def test_refuses_unknown_keys_at_every_level(self) -> None:
        self.assertEqual(faults(f"x: 1\n{ONE_SERVICE}"), ["$"])
        self.assertEqual(faults(orders("x: 1")), ["$.services.orders"])
        self.assertEqual(faults(orders("timeouts: {x: 1}")), ["$.services.orders.timeouts"])
        self.assertEqual(faults(orders("rate_limit: {x: 1}")), ["$.services.orders.rate_limit"])

    def test_refuses_values_that_are_not_of_their_kind(self) -> None:
        for keys in (
            "timeouts: {connect: soon}", "timeouts: {connect: 0}", "max_body: 1 MB", "methods: GET", "methods: []",
            "transport: tcp", "rate_limit: true", "headers: {via: maybe}", "health_check: {statuses: [2xx]}",
            "routes: [{path: /x}]", "retries: {attempts: 99}", "fallback: {status: 99}", "host: 'a:80'",
        ):  # fmt: skip
            self.assertEqual(len(faults(orders(keys))), 1, keys)

    @settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(configurations(noise=False))
    def test_allows_whatever_can_be_read(self, value: object) -> None:
        text = yaml.safe_dump(value)
        if not problems(text, {"A": "a"}):
            self.assertEqual(faults(text), [])

    def test_refuses_a_service_without_targets_or_with_two_kinds_of_paths(self) -> None:
        self.assertEqual(faults("services: {a: {prefix: /a}}"), ["$.services.a"])
        both = "services: {a: {prefix: /a, routes: [{path: /b}], targets: [http://a]}}"
        self.assertEqual(faults(both), ["$.services.a"])
        self.assertEqual(faults("services: {}"), ["$.services"])
        self.assertEqual(faults("{}"), ["$"])
