"""The circuit breaker: when a target is given a rest, when it is tried again, and what other attempts may do."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.config.model import CircuitBreaker as Options
from apigateway.interfaces import ICircuitBreaker
from apigateway.upstream.breaker import CircuitBreaker
from apigateway.upstream.breaker_table import CLOSED, HALF_OPEN, OPEN


class BreakerCase(SynchronousTestCase):
    """A breaker with the default numbers and a list of its changes."""

    def setUp(self) -> None:
        self.changes: list[tuple[str, str, str, float]] = []
        self.breaker = self.make(Options())

    def make(self, options: Options) -> CircuitBreaker:
        return CircuitBreaker(options, lambda *change: self.changes.append(change), probe_s=40.0)

    def go_wrong(self, times: int, now: float = 0.0) -> None:
        for _ in range(times):
            self.breaker.failure(self.breaker.allows(now), now, "status 500")

    def answer(self, now: float = 0.0) -> None:
        self.breaker.success(self.breaker.allows(now), now)

    def shows(self, state: str) -> None:
        self.assertEqual(repr(self.breaker), f"<CircuitBreaker {state}>")


class ConsecutiveFailuresTests(BreakerCase):
    def test_it_is_a_circuit_breaker(self) -> None:
        verifyObject(ICircuitBreaker, self.breaker)

    def test_it_is_closed_at_first(self) -> None:
        self.shows("closed failures=0")
        self.assertTrue(self.breaker.allows(0.0))
        self.assertEqual(self.breaker.retry_after(0.0), 0.0)

    def test_four_failures_leave_it_closed(self) -> None:
        self.go_wrong(4)
        self.shows("closed failures=4")
        self.assertTrue(self.breaker.allows(0.0))

    def test_five_failures_in_a_row_open_it(self) -> None:
        self.go_wrong(5)
        self.shows("open failures=5")
        self.assertFalse(self.breaker.allows(0.0))

    def test_an_answer_ends_the_row(self) -> None:
        self.go_wrong(4)
        self.answer()
        self.go_wrong(4)
        self.shows("closed failures=4")

    def test_a_cancelled_attempt_neither_adds_to_the_row_nor_ends_it(self) -> None:
        self.go_wrong(4)
        self.breaker.cancelled(self.breaker.allows(0.0), 0.0)
        self.shows("closed failures=4")
        self.go_wrong(1)
        self.shows("open failures=5")

    def test_the_change_is_told_with_its_reason(self) -> None:
        self.go_wrong(5, now=7.0)
        self.assertEqual(self.changes, [("closed", "open", "5 failures in a row, the last: status 500", 7.0)])


class RecoveryTests(BreakerCase):
    def setUp(self) -> None:
        super().setUp()
        self.old_permit = self.breaker.allows(0.0)
        self.go_wrong(5)

    def test_it_stays_open_for_the_recovery_time(self) -> None:
        self.assertFalse(self.breaker.allows(29.9))
        self.assertEqual(self.breaker.retry_after(20.0), 10.0)
        self.shows("open failures=5")

    def test_then_one_probe_is_let_through(self) -> None:
        self.assertTrue(self.breaker.allows(30.0))
        self.shows("half-open failures=5 probing")

    def test_no_second_probe_goes_while_the_first_is_under_way(self) -> None:
        self.breaker.allows(30.0)
        self.assertFalse(self.breaker.allows(69.9))
        self.assertGreater(self.breaker.retry_after(69.9), 0.0)

    def test_a_probe_that_takes_longer_than_it_may_is_not_waited_for(self) -> None:
        old = self.breaker.allows(30.0)
        self.assertEqual(self.breaker.retry_after(70.0), 0.0)
        new = self.breaker.allows(70.0)
        self.assertTrue(new)
        self.assertFalse(self.breaker.allows(70.1))
        self.breaker.failure(old, 71.0, "response-timeout")
        self.shows("half-open failures=5 probing")
        self.breaker.success(new, 71.0)
        self.shows("closed failures=0")

    def test_waiting_is_told_no_longer_than_a_probe_may_take(self) -> None:
        self.breaker.allows(30.0)
        self.assertEqual(self.breaker.retry_after(69.5), 0.5)

    def test_an_answered_probe_closes_it(self) -> None:
        self.answer(30.0)
        self.shows("closed failures=0")

    def test_a_failed_probe_opens_it_for_another_recovery_time(self) -> None:
        self.go_wrong(1, now=31.0)
        self.shows("open failures=6")
        self.assertEqual(self.breaker.retry_after(31.0), 30.0)
        self.assertEqual(self.changes[-1], ("half-open", "open", "the probe failed: status 500", 31.0))

    def test_a_cancelled_probe_decides_nothing_and_lets_the_next_one_go(self) -> None:
        self.breaker.cancelled(self.breaker.allows(30.0), 30.5)
        self.shows("half-open failures=5")
        self.assertEqual(self.breaker.retry_after(30.5), 0.0)
        self.assertTrue(self.breaker.allows(30.5))

    def test_an_answer_to_an_older_attempt_does_not_close_it(self) -> None:
        self.breaker.success(self.old_permit, 1.0)
        self.shows("open failures=5")
        self.breaker.allows(30.0)
        self.breaker.success(self.old_permit, 30.1)
        self.shows("half-open failures=5 probing")

    def test_the_failure_of_an_older_attempt_does_not_prolong_the_rest(self) -> None:
        self.breaker.failure(self.old_permit, 20.0, "response-timeout")
        self.assertEqual(self.breaker.retry_after(20.0), 10.0)
        self.breaker.allows(30.0)
        self.breaker.failure(self.old_permit, 30.1, "response-timeout")
        self.shows("half-open failures=5 probing")

    def test_the_cancelling_of_an_older_attempt_does_not_free_the_probe(self) -> None:
        self.breaker.allows(30.0)
        self.breaker.cancelled(self.old_permit, 30.1)
        self.assertFalse(self.breaker.allows(30.2))

    def test_attempts_older_than_the_rest_say_nothing_once_it_is_closed_again(self) -> None:
        self.answer(30.0)
        for _ in range(5):
            self.breaker.failure(self.old_permit, 31.0, "response-timeout")
        self.shows("closed failures=0")

    def test_a_permit_that_was_never_given_is_an_error(self) -> None:
        for permit in (0, 99):
            with self.assertRaises(ValueError):
                self.breaker.success(permit, 1.0)

    def test_it_describes_itself_with_its_last_changes(self) -> None:
        self.answer(30.0)
        described = self.breaker.describe(40.0)
        changes = described.pop("changes")
        self.assertEqual(described, {"state": "closed", "failures": 0, "retry_after_s": 0.0})
        self.assertEqual([(change["from"], change["to"], change["ago_s"]) for change in changes], [
            ("half-open", "closed", 10.0), ("open", "half-open", 10.0), ("closed", "open", 40.0),
        ])  # fmt: skip
        self.assertEqual(changes[0]["reason"], "the probe was answered")

    def test_it_remembers_the_last_ten_changes(self) -> None:
        for turn in range(1, 20):
            self.go_wrong(1, now=30.0 * turn)
        self.assertEqual(len(self.breaker.describe(1000.0)["changes"]), 10)


class FailureRatioTests(BreakerCase):
    def setUp(self) -> None:
        super().setUp()
        self.breaker = self.make(Options(failures=1000, ratio=0.5, window=10.0, min_volume=10))

    def alternate(self, pairs: int, now: float = 0.0) -> None:
        for _ in range(pairs):
            self.answer(now)
            self.go_wrong(1, now)

    def test_so_large_a_share_of_failures_opens_it(self) -> None:
        self.alternate(4)
        self.shows("closed failures=1")
        self.alternate(1)
        self.shows("open failures=1")
        self.assertEqual(self.changes[0][2], "5 of 10 attempts failed within 10 s, the last: status 500")

    def test_a_smaller_share_leaves_it_closed(self) -> None:
        for _ in range(10):
            self.answer()
            self.alternate(1)
        self.shows("closed failures=1")

    def test_few_attempts_leave_it_closed(self) -> None:
        self.go_wrong(9)
        self.shows("closed failures=9")

    def test_attempts_older_than_the_window_do_not_count(self) -> None:
        self.go_wrong(9, now=0.5)
        self.go_wrong(1, now=10.5)
        self.shows("closed failures=10")

    def test_both_rules_hold_side_by_side(self) -> None:
        self.breaker = self.make(Options(failures=3, ratio=0.5, min_volume=10))
        self.go_wrong(3)
        self.shows("open failures=3")

    def test_the_share_is_taken_anew_after_the_rest(self) -> None:
        self.go_wrong(10)
        self.answer(30.0)
        self.go_wrong(9, now=30.0)
        self.shows("closed failures=9")

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60))
    def test_it_opens_exactly_when_a_count_of_the_window_says_so(self, events: list[tuple[int, bool]]) -> None:
        options = Options(failures=1000, ratio=0.5, window=10.0, min_volume=5)
        breaker = self.make(options)
        now, outcomes = 0, []
        for pause, failed in events:
            now += pause
            outcomes.append((now, failed))
            permit = breaker.allows(now)
            if failed:
                breaker.failure(permit, now, "status 500")
            else:
                breaker.success(permit, now)
            recent = [bad for at, bad in outcomes if at > now - 10]
            limit_reached = failed and len(recent) >= 5 and sum(recent) >= 0.5 * len(recent)
            self.assertEqual(breaker.state == OPEN, limit_reached)
            if limit_reached:
                return


class AnyOrder(RuleBasedStateMachine):
    """Any order of attempts, outcomes and time against a plain account of what must be true."""

    FAILURES, RECOVERY, PROBE = 3, 10.0, 12.0

    def __init__(self) -> None:
        super().__init__()
        options = Options(failures=self.FAILURES, recovery=self.RECOVERY)
        self.breaker = CircuitBreaker(options, lambda *change: None, self.PROBE)
        self.now = 0.0
        self.state = CLOSED
        self.in_a_row = 0
        self.until = 0.0
        self.era = 0
        self.under_way: list[tuple[int, int, bool]] = []

    def may_start(self) -> bool:
        if self.state == OPEN:
            return self.now >= self.until
        is_probing = any(is_probe for _, era, is_probe in self.under_way if era == self.era)
        return self.state == CLOSED or not is_probing or self.now >= self.until

    def enter(self, state: str) -> None:
        self.state = state
        self.era += 1
        if state == OPEN:
            self.until = self.now + self.RECOVERY
        if state == CLOSED:
            self.in_a_row = 0

    def take(self, which: int) -> tuple[int, bool]:
        """One attempt ends: its permit, and whether what becomes of it counts."""
        permit, era, _ = self.under_way.pop(which % len(self.under_way))
        return permit, era == self.era

    @rule(seconds=st.sampled_from((0.0, 1.0, 9.999, 10.0, 25.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def ask(self) -> None:
        expected = self.may_start()
        permit = self.breaker.allows(self.now)
        assert bool(permit) == expected
        if permit:
            if self.state != CLOSED:
                # A probe that took too long is one of an older time, like all that began before.
                self.enter(HALF_OPEN)
                self.until = self.now + self.PROBE
            self.under_way.append((permit, self.era, self.state == HALF_OPEN))

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 100))
    def succeed(self, which: int) -> None:
        permit, counts = self.take(which)
        self.breaker.success(permit, self.now)
        if counts:
            self.in_a_row = 0
            if self.state == HALF_OPEN:
                self.enter(CLOSED)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 100))
    def fail(self, which: int) -> None:
        permit, counts = self.take(which)
        self.breaker.failure(permit, self.now, "status 500")
        if counts:
            self.in_a_row += 1
            if self.state == HALF_OPEN or self.in_a_row >= self.FAILURES:
                self.enter(OPEN)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 100))
    def cancel(self, which: int) -> None:
        permit, _ = self.take(which)
        self.breaker.cancelled(permit, self.now)

    @invariant()
    def both_agree(self) -> None:
        assert self.breaker.state == self.state
        assert self.breaker.describe(self.now)["failures"] == self.in_a_row

    @invariant()
    def at_most_one_probe_is_under_way(self) -> None:
        assert sum(is_probe and era == self.era for _, era, is_probe in self.under_way) <= 1

    @invariant()
    def waiting_as_told_is_enough(self) -> None:
        if self.state == OPEN:
            assert self.breaker.retry_after(self.now + self.breaker.retry_after(self.now)) < 1e-9


class AnyOrderTests(SynchronousTestCase):
    def test_any_order_of_events_keeps_the_rules(self) -> None:
        run_state_machine_as_test(AnyOrder, settings=settings(deadline=None, stateful_step_count=40))
