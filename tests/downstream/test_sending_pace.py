"""How fast a body must come: silence, windows, and when nobody waits for the client."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.sending_pace import SendingPace


class SendingPaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pace = SendingPace(60.0, 1000)

    def piece(self, size: int, now: float) -> float:
        self.pace.sent(size)
        return self.pace.awaited(now)

    def test_silence_ends_it_after_a_window(self) -> None:
        self.assertEqual(self.pace.awaited(0.0), 60.0)
        self.assertEqual(self.pace.next_window(60.0), 60.0)

    def test_each_window_asks_for_its_bytes(self) -> None:
        self.pace.awaited(0.0)
        self.assertEqual(self.piece(999, 30.0), 60.0)
        self.assertEqual(self.pace.next_window(60.0), 60.0)

    def test_who_moves_enough_has_another_window(self) -> None:
        self.pace.awaited(0.0)
        self.piece(1000, 30.0)
        self.assertEqual(self.pace.next_window(60.0), 90.0, "silent since 30")
        self.assertEqual(self.piece(999, 70.0), 120.0)
        self.assertEqual(self.pace.next_window(120.0), 120.0, "999 of 1000 in the second window")

    def test_who_sent_much_and_then_nothing_is_silent_all_the_same(self) -> None:
        self.pace.awaited(0.0)
        self.piece(10**6, 10.0)
        self.assertEqual(self.pace.next_window(60.0), 70.0)
        self.assertEqual(self.pace.next_window(70.0), 70.0)

    def test_nothing_counts_while_the_client_is_held_back(self) -> None:
        self.pace.awaited(0.0)
        self.pace.held()
        self.assertEqual(self.pace.awaited(500.0), 560.0)

    def test_without_a_rate_only_silence_ends_it(self) -> None:
        self.pace = SendingPace(60.0, 0)
        until = self.pace.awaited(0.0)
        for now in range(50, 1000, 50):
            while until <= now:
                later = self.pace.next_window(until)
                self.assertGreater(later, until)
                until = later
            until = self.piece(1, float(now))
        for _ in range(2):
            until = self.pace.next_window(until)
        self.assertEqual((until, self.pace.next_window(until)), (1010.0, 1010.0))

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.floats(0.01, 59.9), st.integers(1, 5000)), min_size=1, max_size=60))
    def test_who_is_let_go_on_for_long_has_moved_the_rate(self, pieces: list[tuple[float, int]]) -> None:
        self.pace = SendingPace(60.0, 1000)
        now, until, total = 0.0, self.pace.awaited(0.0), 0
        for after, size in pieces:
            while until <= now + after:
                later = self.pace.next_window(until)
                if later <= until:
                    return
                until = later
            now += after
            total += size
            until = self.piece(size, now)
        self.assertGreaterEqual(total, int(now / 60.0) * 1000)
