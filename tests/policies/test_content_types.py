import json

from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.exchanges import exchange_for
from tests.policies.passing import answered, compiled, options


class ContentTypeTests(SynchronousTestCase):
    policies = compiled(options(content_types=("application/json", "image/*")))

    def status(self, *types: bytes, body: bytes = b"{}", chunked: bool = False) -> int:
        fields = [(b"Content-Type", name) for name in types]
        return answered(self.policies, exchange_for("POST", fields=fields, body=body, chunked=chunked)).status

    def test_listed_types_are_accepted_whatever_their_case_and_parameters(self) -> None:
        for name in (b"application/json", b"Application/JSON; charset=utf-8", b"application/json;v=1"):
            self.assertEqual(self.status(name), 200, name)

    def test_a_star_stands_for_every_subtype(self) -> None:
        self.assertEqual(self.status(b"image/png"), 200)
        self.assertEqual(self.status(b"image/svg+xml"), 200)
        self.assertEqual(self.status(b"images/png"), 415)

    def test_two_stars_stand_for_every_type_but_not_for_none(self) -> None:
        policies = compiled(options(content_types=("*/*",)))
        fields = [(b"Content-Type", b"text/anything")]
        self.assertEqual(answered(policies, exchange_for("POST", fields=fields, body=b"x")).status, 200)
        self.assertEqual(answered(policies, exchange_for("POST", body=b"x")).status, 415)

    def test_other_types_are_refused_with_what_would_be_accepted(self) -> None:
        exchange = exchange_for("POST", fields=[(b"Content-Type", b"text/xml")], body=b"<a/>")
        answer = answered(self.policies, exchange)
        self.assertEqual((answer.status, answer.get(b"Accept")), (415, b"application/json, image/*"))
        self.assertEqual(json.loads(answer.body)["detail"], "Accepted: application/json, image/*.")

    def test_a_body_without_a_type_is_refused(self) -> None:
        self.assertEqual(self.status(), 415)
        self.assertEqual(self.status(b""), 415)
        self.assertEqual(self.status(chunked=True), 415)

    def test_a_request_without_a_body_needs_no_type(self) -> None:
        self.assertEqual(self.status(body=b""), 200)
        self.assertEqual(self.status(b"text/xml", body=b""), 200)

    def test_a_second_type_does_not_slip_past_the_first(self) -> None:
        self.assertEqual(self.status(b"application/json", b"text/xml"), 415)
        self.assertEqual(self.status(b"application/json, text/xml"), 415)
        self.assertEqual(self.status(b"application/json", b"application/json"), 200)
