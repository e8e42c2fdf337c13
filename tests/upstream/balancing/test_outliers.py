"""Ejection of targets that fail more than the others."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Outliers as Options
from apigateway.upstream.balancing.fitness import is_in
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.outliers import Outliers, release
from tests.upstream.balancing.world import EVENTS, befall, eject, targets_of, trip

STORIES = st.lists(
    st.tuples(EVENTS, st.lists(st.integers(0, 50), min_size=7, max_size=7), st.floats(0, 40)), max_size=12
)
"""What befalls targets, how many attempts fail at each, and how long until somebody looks."""

OPTIONS = Options(window=10.0, min_attempts=20, excess=0.3, time=30.0, max_time=100.0)


class OutliersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.begin(4)
        self.events: list[dict[str, Any]] = []
        observer: ILogObserver = self.events.append  # type: ignore[assignment]  # a callable is one, says its interface
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def begin(self, count: int) -> None:
        self.targets = targets_of([1] * count)
        self.group = Group(self.targets, 10.0)
        self.group.review(0.0)
        self.outliers = Outliers("shop", self.group, OPTIONS, 0.0)
        self.time = 0.0

    def window(self, *failures: int, attempts: int = 50) -> str:
        """A window passes in which each target had so many failures; who is ejected then."""
        for target, failed in zip(self.targets, failures, strict=True):
            target.attempts += attempts
            target.failures += failed
        return self.pass_time(10.0)

    def pass_time(self, seconds: float) -> str:
        self.time += seconds
        self.outliers.tick(self.time)
        self.group.review(self.time)
        return "".join("x" if target.standing.is_ejected else "-" for target in self.targets)

    def told(self) -> list[str]:
        return [event["event"] for event in self.events if str(event.get("event")).startswith("target-")]

    def test_who_fails_much_more_than_the_others_is_left_out_for_a_while(self) -> None:
        self.assertEqual(self.window(1, 20, 0, 2), "-x--")
        self.assertEqual(self.targets[1].standing.describe(self.time)["returns_in_s"], 30.0)
        self.assertEqual(self.pass_time(29.9), "-x--")
        self.assertEqual(self.pass_time(0.1), "----")
        self.assertEqual(self.targets[1].standing.word, "returning", "it starts slowly")
        self.assertEqual(self.told(), ["target-ejected", "target-returned"])
        (event,) = [event for event in self.events if event.get("event") == "target-ejected"]
        told = {name: event[name] for name in ("service", "target", "seconds", "failures", "attempts", "others")}
        self.assertEqual(
            told,
            {"service": "shop", "target": "target-1", "seconds": 30.0, "failures": 20, "attempts": 50, "others": 0.02},
        )

    def test_where_all_fail_alike_none_is_to_blame(self) -> None:
        self.assertEqual(self.window(40, 45, 40, 50), "----")

    def test_a_little_more_than_the_others_is_not_enough(self) -> None:
        self.assertEqual(self.window(0, 14, 0, 0), "----")

    def test_few_attempts_say_nothing(self) -> None:
        self.assertEqual(self.window(0, 19, 0, 0, attempts=19), "----")
        self.begin(2)
        self.targets[0].attempts = 50
        self.targets[0].failures = 50
        self.assertEqual(self.window(0, 0, attempts=5), "--", "there is nobody to compare it with")

    def test_attempts_under_way_do_not_count_yet(self) -> None:
        self.targets[1].in_flight = 40
        self.assertEqual(self.window(0, 10, 0, 0), "----")

    def test_nothing_is_said_before_the_window_is_over(self) -> None:
        self.targets[1].attempts = self.targets[1].failures = 50
        self.assertEqual(self.pass_time(9.9), "----")

    def test_what_happened_in_the_window_before_counts_no_more(self) -> None:
        self.window(0, 14, 0, 0)
        self.assertEqual(self.window(0, 14, 0, 0), "----")

    def test_the_next_time_is_longer_up_to_a_bound_and_good_behaviour_shortens_it_again(self) -> None:
        lengths = []
        for _ in range(5):
            self.window(0, 50, 0, 0)
            lengths.append(self.targets[1].standing.describe(self.time)["returns_in_s"])
            self.pass_time(lengths[-1])
        self.assertEqual(lengths, [30.0, 60.0, 90.0, 100.0, 100.0])
        for _ in range(9):
            self.window(0, 0, 0, 0)
        self.window(0, 50, 0, 0)
        self.assertEqual(self.targets[1].standing.describe(self.time)["returns_in_s"], 30.0)
        self.assertEqual(self.targets[1].standing.ejections, 6)

    def test_never_more_than_half_are_ejected_and_the_worst_come_first(self) -> None:
        self.assertEqual(self.window(50, 0, 50, 0), "x-x-")
        self.begin(5)
        self.assertEqual(self.window(40, 0, 50, 45, 0), "--xx-")
        self.begin(3)
        self.assertEqual(self.window(50, 0, 0), "x--")
        self.begin(1)
        self.assertEqual(self.window(50), "-")

    def test_those_that_are_ill_or_rest_are_among_that_half(self) -> None:
        self.targets[0].health.healthy = False
        trip(self.targets[1])
        self.assertEqual(self.window(0, 0, 50, 0), "----")

    def test_when_others_fall_out_later_those_that_would_return_first_do_so_at_once(self) -> None:
        self.window(50, 0, 0, 0)
        self.assertEqual(self.window(0, 50, 0, 0), "xx--")
        self.targets[2].health.healthy = False
        self.assertEqual(self.pass_time(0.25), "-x--")
        reasons = [event["reason"] for event in self.events if event.get("event") == "target-returned"]
        self.assertEqual(reasons, ["too few others are left"])

    def test_what_a_target_did_while_it_was_out_is_not_held_against_it(self) -> None:
        self.window(0, 50, 0, 0)
        self.targets[1].attempts += 50
        self.targets[1].failures += 50
        self.assertEqual(self.pass_time(30.0), "----")

    def test_a_target_whose_rest_is_over_by_its_breaker_is_not_ejected_while_it_rests(self) -> None:
        trip(self.targets[1])
        self.assertEqual(self.window(0, 50, 0, 0), "----")

    def test_without_anybody_who_ejects_nobody_stays_ejected(self) -> None:
        eject(self.targets[0])
        release(self.targets)
        self.assertFalse(self.targets[0].standing.is_ejected)

    def test_repr_tells_who_is_ejected(self) -> None:
        self.window(0, 50, 0, 0)
        self.assertEqual(repr(self.outliers), "<Outliers shop ejected=['target-1']>")
        self.assertEqual(repr(self.targets[1]), "<Target target-1 closed unchecked ejected in_flight=0>")

    @settings(deadline=None)
    @given(st.integers(1, 7), STORIES)
    def test_an_ejection_never_leaves_more_than_half_without_work(
        self, count: int, story: list[tuple[list[tuple[int, str]], list[int], float]]
    ) -> None:
        self.begin(count)
        for events, failures, seconds in story:
            befall(self.targets, [(which, event) for which, event in events if event not in ("eject", "return")])
            for target, failed in zip(self.targets, failures, strict=False):
                target.attempts += 50
                target.failures += failed
            self.pass_time(seconds)
            ejected = [target for target in self.targets if target.standing.is_ejected]
            out = [target for target in self.targets if not is_in(target)]
            self.assertLessEqual(len(ejected), count // 2)
            self.assertTrue(not ejected or len(out) <= count // 2, (self.group, len(out)))
