import subprocess
import sys
from collections import defaultdict
from copy import deepcopy
from fractions import Fraction
from math import ceil
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import apigateway
from apigateway.interfaces import IRateLimiter
from apigateway.stores.memory import SWEEP_KEYS, MemoryRateLimiter

limits = st.one_of(st.integers(1, 5), st.integers(6, 200))
windows = st.one_of(st.sampled_from([0.01, 1.0, 60.0, 86_400.0]), st.floats(0.01, 86_400))
starts = st.one_of(st.just(0.0), st.floats(0, 1e9))
# Times between arrivals as parts of a window: together, anything, and what lies near the borders of cells and windows.
gaps = st.one_of(
    st.just(0.0),
    st.floats(0, 2),
    st.floats(0, 0.02),
    st.sampled_from([1 / 16, 1 / 32, 15 / 16, 1.0, 1 - 2**-52, 1 + 2**-52, 0.1, 0.3]),
)
arrivals = st.lists(st.tuples(gaps, st.integers(1, 60), st.sampled_from("abc")), max_size=40)


def many_keys_limiter(limit: int, window: float) -> MemoryRateLimiter:
    """One that packs and unpacks all the time, since it keeps only one key ready."""
    return MemoryRateLimiter(limit, window, max_keys=100, recent_keys=1)


class PromiseTests(SynchronousTestCase):
    def test_it_is_a_rate_limiter(self) -> None:
        verifyObject(IRateLimiter, MemoryRateLimiter(1, 1.0))

    @settings(deadline=None, max_examples=300)
    @given(limits, windows, starts, arrivals)
    def test_no_window_ever_holds_more_than_the_limit_whatever_the_arrivals(
        self, limit: int, window: float, now: float, arrivals: list[tuple[float, int, str]]
    ) -> None:
        limiter = many_keys_limiter(limit, window)
        admitted: dict[str, list[float]] = defaultdict(list)
        for gap, burst, key in arrivals:
            now += gap * window
            admitted[key] += [now for _ in range(burst) if limiter.admit(key, now)[0]]
        for times in admitted.values():
            for early, late in zip(times, times[limit:], strict=False):
                self.assertGreaterEqual(Fraction(late) - Fraction(early), Fraction(window))

    @settings(deadline=None)
    @given(st.one_of(st.integers(1, 60), st.integers(61, 1000)), windows, starts, st.floats(1, 3))
    def test_a_client_evenly_spaced_at_90_percent_of_the_limit_is_never_refused(
        self, limit: int, window: float, start: float, slower: float
    ) -> None:
        limiter = many_keys_limiter(limit, window)
        spacing = slower * window / (0.9 * limit)
        for number in range(2 * limit + 40):
            now = start + number * spacing
            self.assertTrue(limiter.admit("steady", now)[0], number)
            limiter.admit("other", now)

    @settings(deadline=None, max_examples=300)
    @given(limits, windows, starts, arrivals)
    def test_a_refused_client_is_admitted_after_the_wait_and_not_much_earlier(
        self, limit: int, window: float, now: float, arrivals: list[tuple[float, int, str]]
    ) -> None:
        limiter = many_keys_limiter(limit, window)
        times: list[float] = []
        for gap, burst, _ in arrivals:
            now += gap * window
            for _ in range(burst + limit // 4):
                admitted, _, wait = limiter.admit("a", now)
                if not admitted:
                    break
                times.append(now)
            else:
                continue
            for later in (now + wait, now + ceil(wait)):
                self.assertTrue(deepcopy(limiter).admit("a", later)[0])
            shortest = times[-limit] + window - now
            self.assertLessEqual(wait, shortest + window / 16 + 1e-6)

    @settings(deadline=None)
    @given(limits, windows, starts, arrivals)
    def test_remaining_is_how_many_more_are_admitted_at_once(
        self, limit: int, window: float, now: float, arrivals: list[tuple[float, int, str]]
    ) -> None:
        limiter = many_keys_limiter(limit, window)
        for gap, burst, key in arrivals:
            now += gap * window
            for _ in range(burst):
                before = limiter.peek(key, now)
                admitted, remaining, _ = limiter.admit(key, now)
                self.assertEqual((before[0], before[1] - admitted), (admitted, remaining))
        for key in "abc":
            _, remaining, _ = limiter.peek(key, now)
            self.assertEqual([limiter.admit(key, now)[0] for _ in range(remaining + 1)], [True] * remaining + [False])


class AdmittingTests(SynchronousTestCase):
    def test_a_whole_limit_may_be_used_at_once_and_again_one_window_later(self) -> None:
        limiter = MemoryRateLimiter(100, 60.0)
        first = [limiter.admit("a", 5.0)[0] for _ in range(101)]
        again = [limiter.admit("a", 65.0)[0] for _ in range(101)]
        self.assertEqual(first, [True] * 100 + [False])
        self.assertEqual(again, first)

    def test_a_limit_recovers_gradually_as_its_requests_leave_the_window(self) -> None:
        limiter = MemoryRateLimiter(60, 60.0)
        for second in range(60):
            limiter.admit("a", float(second))
        remaining = [limiter.peek("a", 60.0 + second)[1] for second in range(60)]
        for left, count in enumerate(remaining, 1):
            self.assertTrue(left - 60 / 16 <= count <= left, (left, count))

    def test_a_refused_request_does_not_count(self) -> None:
        limiter = MemoryRateLimiter(1, 10.0)
        limiter.admit("a", 0.0)
        for second in range(1, 10):
            self.assertEqual(limiter.admit("a", float(second)), (False, 0, 10.0 - second))
        self.assertTrue(limiter.admit("a", 10.0)[0])

    def test_it_tells_how_many_more_are_admitted_and_when_the_count_recovers(self) -> None:
        limiter = MemoryRateLimiter(2, 10.0)
        self.assertEqual(limiter.admit("a", 0.0), (True, 1, 10.0))
        self.assertEqual(limiter.admit("a", 4.0), (True, 0, 6.0))
        self.assertEqual(limiter.admit("a", 5.0), (False, 0, 5.0))
        self.assertEqual(limiter.admit("a", 10.0), (True, 0, 4.0))

    def test_keys_have_nothing_to_do_with_each_other(self) -> None:
        limiter = MemoryRateLimiter(1, 60.0)
        self.assertTrue(limiter.admit("a", 0.0)[0])
        self.assertTrue(limiter.admit("b", 0.0)[0])
        self.assertFalse(limiter.admit("a", 0.0)[0])

    def test_looking_counts_nothing_and_remembers_nothing(self) -> None:
        limiter = MemoryRateLimiter(2, 60.0)
        self.assertEqual(limiter.peek("a", 0.0), (True, 2, 0.0))
        self.assertEqual(limiter.tracked(), 0)
        limiter.admit("a", 1.0)
        self.assertEqual([limiter.peek("a", 2.0) for _ in range(2)], [(True, 1, 59.0)] * 2)
        limiter.admit("a", 3.0)
        self.assertEqual(limiter.peek("a", 4.0), (False, 0, 57.0))

    def test_a_limit_that_admits_nothing_or_has_no_window_is_an_error(self) -> None:
        for limit, window, keys in ((0, 60.0, 1), (1, 0.0, 1), (1, float("nan"), 1), (1, 60.0, 0)):
            with self.assertRaises(ValueError):
                MemoryRateLimiter(limit, window, keys)

    def test_its_repr_shows_its_rule_and_how_full_it_is(self) -> None:
        limiter = MemoryRateLimiter(100, 60.0, max_keys=10)
        limiter.admit("a", 0.0)
        self.assertEqual(repr(limiter), "<MemoryRateLimiter 100 in 60 s, 1 of 10 keys>")


class ForgettingTests(SynchronousTestCase):
    def known(self, limiter: MemoryRateLimiter, keys: str, now: float) -> str:
        return "".join(key for key in keys if limiter.peek(key, now)[1] < limiter.limit)

    def test_the_key_not_seen_for_the_longest_time_is_forgotten_first(self) -> None:
        for recent_keys in (1, 2, 3):
            limiter = MemoryRateLimiter(2, 60.0, max_keys=3, recent_keys=recent_keys)
            for key in "abcade":
                limiter.admit(key, 0.0)
            self.assertEqual(limiter.tracked(), 3)
            self.assertEqual(self.known(limiter, "abcde", 0.0), "ade")

    def test_a_client_that_keeps_being_refused_is_not_forgotten_for_it(self) -> None:
        limiter = MemoryRateLimiter(1, 60.0, max_keys=2)
        for key in "abac":
            limiter.admit(key, 0.0)
        self.assertEqual(self.known(limiter, "abc", 0.0), "ac")

    def test_never_more_keys_are_remembered_than_allowed(self) -> None:
        limiter = MemoryRateLimiter(5, 60.0, max_keys=70_000, recent_keys=100)
        tracked = set()
        for number in range(75_000):
            limiter.admit(str(number), 0.0)
            tracked.add(limiter.tracked())
        self.assertEqual(max(tracked), 70_000)
        self.assertGreater(limiter.tracked(), 69_990)
        self.assertEqual(limiter.peek("0", 0.0)[1], 5)
        self.assertEqual(limiter.peek("74999", 0.0)[1], 4)

    def test_many_requests_of_many_clients_are_bounded_too(self) -> None:
        limiter = MemoryRateLimiter(32, 60.0, max_keys=100, recent_keys=1)
        for number in range(100):
            for _ in range(32):
                limiter.admit(str(number), 0.0)
        self.assertEqual(limiter.tracked(), 1 + 600 // 32)
        self.assertEqual(limiter.peek("99", 0.0)[1], 0)

    def test_a_sweep_forgets_who_has_nothing_left_in_the_window(self) -> None:
        limiter = MemoryRateLimiter(2, 60.0, max_keys=10, recent_keys=2)
        for second, key in enumerate("abcde"):
            limiter.admit(key, float(second))
        left = []
        for now in (59.0, 60.0, 61.0, 62.0, 63.0, 64.0):
            limiter.sweep(now)
            left.append(limiter.tracked())
        self.assertEqual(left, [5, 4, 3, 2, 1, 0])

    def test_a_sweep_does_a_bounded_amount_of_work(self) -> None:
        limiter = MemoryRateLimiter(2, 60.0, max_keys=100_000)
        for number in range(20_000):
            limiter.admit(str(number), 0.0)
        left = []
        while limiter.tracked():
            before = limiter.tracked()
            limiter.sweep(60.0)
            left.append(before - limiter.tracked())
        self.assertEqual(max(left), SWEEP_KEYS)
        self.assertLess(len(left), 2 * 20_000 / SWEEP_KEYS)

    def test_a_forgotten_client_may_begin_anew(self) -> None:
        limiter = MemoryRateLimiter(1, 60.0)
        limiter.admit("a", 0.0)
        limiter.sweep(60.0)
        self.assertTrue(limiter.admit("a", 60.0)[0])


MILLION_CLIENTS = """
import resource, sys
from apigateway.stores.memory import MemoryRateLimiter

def peak_kib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)

limiter = MemoryRateLimiter(100, 60.0)
before = peak_kib()
for number in range(1_000_000):
    limiter.admit(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", number * 1e-6)
print(limiter.tracked(), peak_kib() - before)
"""


class MemoryTests(SynchronousTestCase):
    def test_a_million_clients_fit_into_300_mib(self) -> None:
        command = [sys.executable, "-c", MILLION_CLIENTS]
        folder = Path(apigateway.__file__).parents[1]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True)
        tracked, kib = map(int, done.stdout.split())
        self.assertEqual(tracked, 1_000_000)
        self.assertLess(kib, 300 * 1024)
