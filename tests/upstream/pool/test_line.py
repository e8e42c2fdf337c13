"""Who may join the line for a connection."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.pool.line import Line

WAIT_S = 5.0


class LineTests(SynchronousTestCase):
    """A line of at most a hundred; `standing` is how many are in it."""

    def setUp(self) -> None:
        self.line = Line(100, WAIT_S)
        self.now = 50.0
        self.standing = 0

    def join(self, times: int = 1) -> int:
        """How many of so many are let in."""
        before = self.standing
        for _ in range(times):
            self.standing += self.line.takes(self.standing, self.now)
        return self.standing - before

    def serve(self, times: int = 1) -> None:
        for _ in range(times):
            self.standing -= 1
            self.line.served(self.now)

    def hold(self, seconds: float, a_second: int, offered: int) -> int:
        """Let time pass with so many served and so many coming each second; how many were let in."""
        joined = 0
        for _ in range(int(seconds)):
            self.now += 1.0
            self.serve(min(a_second, self.standing))
            joined += self.join(offered)
        return joined

    def test_a_burst_may_fill_it(self) -> None:
        self.assertEqual(self.join(150), 100)

    def test_a_line_that_is_empty_now_and_then_is_a_burst_again(self) -> None:
        for _ in range(20):
            self.assertEqual(self.join(100), 100)
            self.now += 3.0
            self.serve(100)

    def test_in_a_line_that_stands_only_those_are_let_in_who_can_be_served_in_time(self) -> None:
        self.join(100)
        self.hold(20, a_second=4, offered=50)
        # Those who wait too long leave, which the pool sees to.
        self.standing = min(self.standing, 10)
        self.join(50)
        self.assertLessEqual(self.standing, 4 * WAIT_S)
        self.assertGreaterEqual(self.standing, 4 * (WAIT_S - 1))

    def test_nobody_is_kept_from_a_service_that_is_fast_enough_for_the_line(self) -> None:
        self.join(100)
        self.assertEqual(self.hold(20, a_second=30, offered=30), 600)

    def test_a_line_where_nobody_is_served_takes_nobody_until_it_is_empty(self) -> None:
        self.join(40)
        self.now += WAIT_S
        self.assertEqual(self.join(10), 0)
        self.standing = 0
        self.assertEqual(self.join(10), 10)

    def test_a_line_without_places_takes_nobody(self) -> None:
        self.assertFalse(Line(0, WAIT_S).takes(0, 0.0))
