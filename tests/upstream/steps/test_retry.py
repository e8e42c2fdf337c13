"""When a failed attempt may be followed by another, and how many of them a service bears."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import (
    BAD_RESPONSE,
    CAUSES,
    CLIENT_GONE,
    CONNECT_FAILED,
    CONNECT_TIMEOUT,
    CONNECTION_LOST,
    NAME_NOT_RESOLVED,
    POOL_EXHAUSTED,
    RESPONSE_TIMEOUT,
    Cause,
    GatewayError,
    Retry,
)
from apigateway.upstream.steps.retry import IDEMPOTENT, RetryBudget, RetryCounts, may_repeat


def allowed(cause: Cause, method: bytes = b"GET", body_touched: bool = False, sent: bool = True) -> bool:
    return may_repeat(GatewayError(cause), method, body_touched, sent)


class MayRepeatTests(SynchronousTestCase):
    def test_what_was_never_sent_may_be_tried_again_with_any_method(self) -> None:
        for cause in (CONNECT_FAILED, CONNECT_TIMEOUT, NAME_NOT_RESOLVED):
            for method in (b"GET", b"POST", b"PATCH", b"QUERY"):
                self.assertTrue(allowed(cause, method, sent=False))

    def test_an_idempotent_request_may_be_repeated_when_its_connection_has_died(self) -> None:
        for method in (b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"):
            self.assertTrue(allowed(CONNECTION_LOST, method))

    def test_other_methods_may_not_be_repeated_once_sent(self) -> None:
        for method in (b"POST", b"PATCH", b"CONNECT", b"PROPFIND", b"get"):
            self.assertFalse(allowed(CONNECTION_LOST, method))

    def test_the_methods_that_may_be_sent_twice_may_be_others(self) -> None:
        for method, may in ((b"POST", True), (b"GET", False)):
            error = GatewayError(CONNECTION_LOST)
            self.assertEqual(may_repeat(error, method, False, True, methods=(b"POST",)), may)

    def test_an_answer_that_was_not_waited_for_may_be_asked_for_again_where_that_is_wanted(self) -> None:
        error = GatewayError(RESPONSE_TIMEOUT)
        self.assertTrue(may_repeat(error, b"GET", False, True, after_timeout=True))
        self.assertFalse(may_repeat(error, b"POST", False, True, after_timeout=True))
        self.assertFalse(may_repeat(error, b"GET", True, True, after_timeout=True))

    def test_a_body_that_was_begun_cannot_be_sent_again(self) -> None:
        self.assertFalse(allowed(CONNECTION_LOST, b"PUT", body_touched=True))

    def test_answers_limits_and_clients_are_no_reason_to_repeat(self) -> None:
        for cause in (BAD_RESPONSE, RESPONSE_TIMEOUT, POOL_EXHAUSTED, CLIENT_GONE):
            self.assertFalse(allowed(cause))
            self.assertFalse(allowed(cause, sent=False))

    @given(
        st.sampled_from(sorted(CAUSES)), st.sampled_from((b"GET", b"PUT", b"POST")), st.booleans(), st.booleans()
    )  # fmt: skip
    def test_a_repeat_is_always_safe(self, code: str, method: bytes, touched: bool, sent: bool) -> None:
        cause = CAUSES[code]
        if allowed(cause, method, touched, sent):
            self.assertFalse(touched)
            self.assertTrue(method in IDEMPOTENT or not sent)
            self.assertIsNot(cause.retry, Retry.NEVER)


class RetryBudgetTests(SynchronousTestCase):
    def withdrawn(self, budget: RetryBudget, now: float, tries: int = 1000) -> int:
        return sum(budget.withdraw(now) for _ in range(tries))

    def test_a_quiet_service_may_retry_three_times_a_second(self) -> None:
        self.assertEqual(self.withdrawn(RetryBudget(), 0.0), 30)

    def test_a_busy_service_may_retry_a_fifth_of_its_exchanges_more(self) -> None:
        budget = RetryBudget()
        for _ in range(500):
            budget.earn(1, 0.0)
        self.assertEqual(self.withdrawn(budget, 0.0), 130)
        self.assertEqual(repr(budget), "<RetryBudget 130 retries for 500 exchanges>")

    def test_exchanges_may_be_counted_together(self) -> None:
        budget = RetryBudget()
        budget.earn(500, 0.0)
        self.assertEqual(self.withdrawn(budget, 0.0), 130)

    def test_exchanges_of_long_ago_earn_nothing(self) -> None:
        budget = RetryBudget()
        for _ in range(500):
            budget.earn(1, 0.0)
        self.assertEqual(self.withdrawn(budget, 10.0), 30)

    def test_a_spent_budget_recovers(self) -> None:
        budget = RetryBudget()
        self.withdrawn(budget, 0.0)
        self.assertFalse(budget.withdraw(9.9))
        self.assertTrue(budget.withdraw(10.0))

    def test_without_a_share_and_a_floor_there_are_no_retries(self) -> None:
        budget = RetryBudget(0.0, 0.0)
        budget.earn(1, 0.0)
        self.assertFalse(budget.withdraw(0.0))

    @settings(deadline=None)
    @given(
        st.floats(0.0, 1.0),
        st.sampled_from((0.0, 0.5, 3.0)),
        st.lists(st.tuples(st.sampled_from((0, 0, 0, 1, 4, 30)), st.integers(0, 30), st.integers(0, 30)), max_size=40),
    )
    def test_retries_stay_within_their_share_over_any_ten_seconds(
        self, ratio: float, floor: float, bursts: list[tuple[int, int, int]]
    ) -> None:
        budget, now = RetryBudget(ratio, floor), 0
        exchanges: Counter[int] = Counter()
        retries: Counter[int] = Counter()
        for pause, begun, wanted in bursts:
            now += pause
            for _ in range(begun):
                budget.earn(1, now)
            exchanges[now] += begun
            retries[now] += self.withdrawn(budget, now, wanted)
            last_ten = range(now - 9, now + 1)
            most = ratio * sum(exchanges[at] for at in last_ten) + floor * 10
            if retries[now]:
                self.assertLessEqual(sum(retries[at] for at in last_ten), most)


class RetryCountsTests(SynchronousTestCase):
    def test_they_are_told_by_name(self) -> None:
        counts = RetryCounts()
        counts.refused += 1
        self.assertEqual(counts.describe(), {"retries": 0, "refused": 1, "hedges": 0, "hedges_won": 0})
