from twisted.trial.unittest import SynchronousTestCase

from apigateway.policies.field_rules import encoded, lower_names, without


class FieldRuleTests(SynchronousTestCase):
    def test_names_are_compared_without_case(self) -> None:
        fields = [(b"X-Debug", b"1"), (b"accept", b"*/*"), (b"x-DEBUG", b"2")]
        self.assertEqual(without(fields, lower_names(["X-debug"])), [(b"accept", b"*/*")])

    def test_fields_go_over_the_wire_as_they_are_spelled(self) -> None:
        self.assertEqual(encoded([("X-Name", "größe")]), ((b"X-Name", "größe".encode()),))
