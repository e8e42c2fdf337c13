"""Which other services a service leads to."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.keys.service import SERVICE
from apigateway.config.problems import Problems
from apigateway.config.references import references
from apigateway.config.source import parse_tree


class ReferencesTests(SynchronousTestCase):
    def referred(self, text: str) -> list[tuple[str, str, str]]:
        given = SERVICE.read(parse_tree(text, "g", {}, Problems()), Problems())
        return [(one.how, one.service, one.where.path) for one in references(given)]

    def test_each_has_its_reason_and_its_place(self) -> None:
        self.assertEqual(
            self.referred(
                "{fallback: {service: a}, mirror: {service: d},"
                " split: [{service: b, share: 1%}, {service: c, share: 1%}]}"
            ),
            [
                ("fallback", "a", "fallback"),
                ("split", "b", "split[0].service"),
                ("split", "c", "split[1].service"),
                ("mirror", "d", "mirror.service"),
            ],
        )
        self.assertEqual(self.referred("mirror: [{service: d}]"), [("mirror", "d", "mirror[0].service")])

    def test_there_may_be_none_and_what_is_wrong_is_none(self) -> None:
        for text in ("{}", "{fallback: {status: 200}, split: false, mirror: no}", "{split: 5, mirror: {service: [x]}}",
                     "{fallback: {service: 'a b'}, split: [5, {share: 1%}]}"):  # fmt: skip
            self.assertEqual(self.referred(text), [], text)
