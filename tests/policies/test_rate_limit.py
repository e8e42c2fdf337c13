import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import RateLimit
from apigateway.testing.downstream import RecordingDownstream
from apigateway.testing.exchanges import exchange_for
from tests.policies.passing import answered, compiled, options


class Clients:
    """Clients of one route with these windows, on a clock of their own."""

    def __init__(self, *windows: RateLimit) -> None:
        self.clock = Clock()
        self.policies = compiled(options(rate_limit=windows), self.clock.seconds)

    def ask(self, client: str = "192.0.2.1", **fields: str) -> RecordingDownstream:
        sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
        return answered(self.policies, exchange_for(client=client, fields=sent))

    def statuses(self, times: int, client: str = "192.0.2.1", **fields: str) -> list[int]:
        return [self.ask(client, **fields).status for _ in range(times)]


class OneWindowTests(SynchronousTestCase):
    def test_requests_above_the_limit_are_refused_with_429(self) -> None:
        clients = Clients(RateLimit(2, 60.0))
        self.assertEqual(clients.statuses(3), [200, 200, 429])

    def test_a_refusal_says_what_the_limit_is(self) -> None:
        clients = Clients(RateLimit(1, 60.0))
        clients.ask()
        problem = json.loads(clients.ask().body)
        self.assertEqual(problem["cause"], "rate-limited")
        self.assertEqual(problem["detail"], "At most 1 requests are admitted in 60 s.")

    def test_retry_after_is_true(self) -> None:
        clients = Clients(RateLimit(1, 10.0))
        clients.ask()
        clients.clock.advance(3.5)
        self.assertEqual(clients.ask().get(b"Retry-After"), b"7")
        clients.clock.advance(7)
        self.assertEqual(clients.ask().status, 200)

    def test_retry_after_is_never_none_at_all(self) -> None:
        clients = Clients(RateLimit(1, 0.01))
        clients.ask()
        self.assertEqual(clients.ask().get(b"Retry-After"), b"1")

    def test_clients_do_not_use_up_each_others_limits(self) -> None:
        clients = Clients(RateLimit(1, 60.0))
        self.assertEqual(clients.statuses(2, "192.0.2.1"), [200, 429])
        self.assertEqual(clients.statuses(2, "192.0.2.2"), [200, 429])

    def test_an_ipv6_client_can_not_evade_by_changing_its_address(self) -> None:
        clients = Clients(RateLimit(1, 60.0))
        self.assertEqual(clients.ask("2001:db8::1").status, 200)
        self.assertEqual(clients.ask("2001:db8::2").status, 429)

    def test_every_answer_tells_what_is_left_and_when_there_is_more(self) -> None:
        clients = Clients(RateLimit(2, 60.0))
        told = []
        for _ in range(3):
            answer = clients.ask()
            told.append(answer.get(b"RateLimit"))
            self.assertEqual(answer.get(b"RateLimit-Policy"), b'"60s";q=2;w=60')
            clients.clock.advance(0.5)
        self.assertEqual(told, [b'"60s";r=1;t=60', b'"60s";r=0;t=60', b'"60s";r=0;t=59'])

    def test_a_refusal_carries_the_fields_once(self) -> None:
        clients = Clients(RateLimit(1, 60.0))
        clients.ask()
        names = [name for name, _ in clients.ask().fields]
        self.assertEqual((names.count(b"RateLimit"), names.count(b"RateLimit-Policy")), (1, 1))

    def test_a_window_that_is_no_whole_number_of_seconds_has_its_name_only(self) -> None:
        clients = Clients(RateLimit(5, 0.25))
        self.assertEqual(clients.ask().get(b"RateLimit-Policy"), b'"0.25s";q=5')

    def test_long_windows_are_named_in_full(self) -> None:
        clients = Clients(RateLimit(5, 1_209_600.0))
        self.assertEqual(clients.ask().get(b"RateLimit-Policy"), b'"1209600s";q=5;w=1209600')


class FieldKeyTests(SynchronousTestCase):
    def test_a_field_can_be_what_is_counted(self) -> None:
        clients = Clients(RateLimit(1, 60.0, "header:X-Api-Key"))
        self.assertEqual(clients.statuses(2, "192.0.2.1", x_api_key="a"), [200, 429])
        self.assertEqual(clients.ask("192.0.2.2", X_Api_Key="a").status, 429)
        self.assertEqual(clients.ask("192.0.2.2", x_api_key="b").status, 200)

    def test_without_the_field_the_client_is_counted(self) -> None:
        clients = Clients(RateLimit(1, 60.0, "header:X-Api-Key"))
        self.assertEqual(clients.statuses(2, "192.0.2.1"), [200, 429])
        self.assertEqual(clients.ask("192.0.2.1", x_api_key="").status, 429)
        self.assertEqual(clients.ask("192.0.2.2").status, 200)

    def test_nobody_can_use_up_the_limit_of_a_client_by_sending_its_address(self) -> None:
        clients = Clients(RateLimit(1, 60.0, "header:X-Api-Key"))
        clients.ask("198.51.100.1", x_api_key="192.0.2.1")
        self.assertEqual(clients.ask("192.0.2.1").status, 200)

    def test_long_values_are_told_apart_too(self) -> None:
        clients = Clients(RateLimit(1, 60.0, "header:Authorization"))
        self.assertEqual(clients.statuses(2, authorization="x" * 5000 + "a"), [200, 429])
        self.assertEqual(clients.ask(authorization="x" * 5000 + "b").status, 200)


class SeveralWindowsTests(SynchronousTestCase):
    def test_a_request_must_be_within_each_window(self) -> None:
        clients = Clients(RateLimit(2, 1.0), RateLimit(3, 60.0))
        self.assertEqual(clients.statuses(3), [200, 200, 429])
        clients.clock.advance(1)
        self.assertEqual(clients.statuses(2), [200, 429])

    def test_a_request_that_one_window_refuses_counts_in_none(self) -> None:
        for windows in ((RateLimit(1, 1.0), RateLimit(2, 60.0)), (RateLimit(2, 60.0), RateLimit(1, 1.0))):
            clients = Clients(*windows)
            self.assertEqual(clients.statuses(10), [200] + [429] * 9)
            clients.clock.advance(1)
            self.assertEqual(clients.statuses(10), [200] + [429] * 9)

    def test_the_longest_wait_is_told_and_true(self) -> None:
        clients = Clients(RateLimit(1, 1.0), RateLimit(2, 60.0))
        clients.ask()
        clients.clock.advance(1)
        clients.ask()
        refused = clients.ask()
        self.assertEqual(refused.get(b"Retry-After"), b"59")
        self.assertIn(b"At most 2 requests are admitted in 60 s.", refused.body)
        clients.clock.advance(59)
        self.assertEqual(clients.ask().status, 200)

    def test_every_window_is_described_in_one_list(self) -> None:
        clients = Clients(RateLimit(1, 1.0), RateLimit(3, 60.0))
        answer = clients.ask()
        self.assertEqual(answer.get(b"RateLimit-Policy"), b'"1s";q=1;w=1, "60s";q=3;w=60')
        self.assertEqual(answer.get(b"RateLimit"), b'"1s";r=0;t=1, "60s";r=2;t=60')
        self.assertEqual(clients.ask().get(b"RateLimit"), b'"1s";r=0;t=1, "60s";r=2;t=60')

    def test_windows_of_one_length_have_names_of_their_own_and_count_apart(self) -> None:
        clients = Clients(RateLimit(1, 60.0, "header:X-Api-Key"), RateLimit(2, 60.0))
        self.assertEqual(clients.ask(x_api_key="a").get(b"RateLimit-Policy"), b'"60s";q=1;w=60, "60s-2";q=2;w=60')
        self.assertEqual(clients.statuses(2, x_api_key="a"), [429, 429])
        self.assertEqual(clients.statuses(2, x_api_key="b"), [200, 429])
        self.assertEqual(clients.ask(x_api_key="c").status, 429)
