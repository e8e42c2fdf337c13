from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Headers
from apigateway.testing.exchanges import exchange_for
from tests.policies.passing import answered, compiled, options

ANSWER = [
    (b"server", b"gunicorn"),
    (b"X-Powered-By", b"Express"),
    (b"Set-Cookie", b"a=b"),
    (b"set-cookie", b"c=d"),
    (b"X-Debug", b"1"),
]


def received(rules: Headers) -> list[tuple[bytes, bytes]]:
    return answered(compiled(options(headers=rules)), exchange_for(), ANSWER).fields


class ResponseHeaderTests(SynchronousTestCase):
    def test_what_the_service_runs_on_is_hidden(self) -> None:
        self.assertEqual(received(Headers()), ANSWER[2:])

    def test_hiding_can_be_switched_off(self) -> None:
        self.assertEqual(received(Headers(hide_server=False)), ANSWER)

    def test_fields_are_removed_whatever_their_spelling(self) -> None:
        self.assertEqual(received(Headers(remove_response=("x-debug", "SET-COOKIE"))), [])

    def test_fields_are_replaced_all_at_once_or_added(self) -> None:
        rules = Headers(set_response=(("Set-Cookie", "e=f"), ("X-Env", "live"), ("Server", "ours")))
        expected = [(b"X-Debug", b"1"), (b"Set-Cookie", b"e=f"), (b"X-Env", b"live"), (b"Server", b"ours")]
        self.assertEqual(received(rules), expected)

    def test_the_gateways_own_answers_are_left_alone(self) -> None:
        policies = compiled(options(max_body=0, headers=Headers(set_response=(("Content-Type", "text/html"),))))
        answer = answered(policies, exchange_for("POST", body=b"x"))
        types = [value for name, value in answer.fields if name == b"Content-Type"]
        self.assertEqual((answer.status, types), (413, [b"application/problem+json"]))
