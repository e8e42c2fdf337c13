"""The keys for many targets."""

from twisted.trial.unittest import SynchronousTestCase

from apigateway.assembly.balancers import _STRATEGIES
from apigateway.config.keys.balance import STRATEGIES
from apigateway.config.model import Balance, Outliers, Sticky
from tests.config.reading import orders, problems, read


def balance(text: str) -> Balance:
    """What is made of the keys of a service."""
    found: Balance = read(orders(f"balance: {text}")).services[0].balance
    return found


class BalanceTests(SynchronousTestCase):
    def test_a_strategy_may_stand_alone(self) -> None:
        for name in STRATEGIES:
            self.assertEqual(balance(name), Balance(strategy=name))
            self.assertEqual(balance(f"{{strategy: {name}}}"), Balance(strategy=name))

    def test_there_is_one_for_each_name(self) -> None:
        self.assertEqual(set(STRATEGIES), set(_STRATEGIES))

    def test_keys_are_a_client_a_path_a_field_or_a_cookie(self) -> None:
        for key in ("client", "path", "header:X-Tenant", "cookie:session"):
            self.assertEqual(balance(f"{{strategy: hash, key: '{key}'}}").key, key)
        for key in ("user", "header:", "cookie:a b", "Header:X"):
            self.assertEqual(len(problems(orders(f"balance: {{key: '{key}'}}"))), 1, key)

    def test_what_only_one_strategy_heeds_needs_that_strategy(self) -> None:
        for text, key, strategy in (
            ("key: path", "key", "hash"),
            ("bound: 2", "bound", "hash"),
            ("decay: 5s", "decay", "latency"),
        ):
            (problem,) = problems(orders(f"balance: {{{text}}}"))
            self.assertIn(f"balance.{key}: is heeded by `strategy: {strategy}` only", str(problem))
            self.assertEqual(problems(orders(f"balance: {{strategy: random, {text}}}")), [])

    def test_a_service_lays_its_keys_over_the_defaults(self) -> None:
        text = "defaults: {balance: {strategy: hash, bound: 2}}\n" + orders("balance: {key: path}")
        self.assertEqual(read(text).services[0].balance, Balance("hash", "path", 2.0))

    def test_a_cookie_needs_a_secret_which_is_told_to_nobody(self) -> None:
        found = balance("{sticky: {secret: 0123456789abcdef, max_age: 1h}}").sticky
        self.assertEqual(found, Sticky("0123456789abcdef", None, 3600))
        self.assertNotIn("0123456789", repr(found))
        (problem,) = problems(orders("balance: {sticky: {cookie: stay}}"))
        self.assertIn("needs `secret`", str(problem))
        for wrong in ("my s3cret, which is long", "s3cret"):
            (problem,) = problems(orders(f"balance: {{sticky: {{secret: '{wrong}'}}}}"))
            self.assertNotIn("s3cret", str(problem))
            self.assertIn("openssl rand -hex 32", str(problem))

    def test_outliers_can_be_switched_off(self) -> None:
        self.assertEqual(read(orders("")).services[0].outliers, Outliers())
        self.assertIsNone(read(orders("outliers: false")).services[0].outliers)

    def test_the_longest_ejection_is_no_shorter_than_the_first(self) -> None:
        (problem,) = problems(orders("outliers: {time: 10m}"))
        self.assertIn("is shorter than `time`", str(problem))
        self.assertEqual(problems(orders("outliers: {time: 10m, max_time: 10m}")), [])
