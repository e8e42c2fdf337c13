from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.lines import join_lines, lines_named, split_lines
from apigateway.policies.field_rules import encoded, lower_names


class FieldRuleTests(SynchronousTestCase):
    def test_names_are_compared_without_case(self) -> None:
        fields = [(b"X-Debug", b"1"), (b"accept", b"*/*"), (b"x-DEBUG", b"2")]
        kept = lines_named(lower_names(["X-debug"])).sub(b"", join_lines(fields))
        self.assertEqual(split_lines(kept), [(b"accept", b"*/*")])

    def test_fields_go_over_the_wire_as_they_are_spelled(self) -> None:
        self.assertEqual(encoded([("X-Name", "größe")]), ((b"X-Name", "größe".encode()),))
