"""The counters of exchanges, and the parts of an exchange's time."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import CLIENT_GONE, CONNECT_FAILED, RATE_LIMITED
from apigateway.telemetry.tally import Tally, own_seconds, status_of
from tests.telemetry.ended import ended


class OwnShareTests(SynchronousTestCase):
    """How much of an exchange's time is the gateway's own."""

    def test_of_an_exchange_that_reached_a_target_it_ends_when_the_request_goes_out(self) -> None:
        self.assertAlmostEqual(own_seconds(ended(own=0.002, total=0.5)), 0.002)

    def test_of_an_exchange_that_never_did_it_is_the_whole(self) -> None:
        self.assertAlmostEqual(own_seconds(ended(attempts=0, total=0.5)), 0.5)


class StatusTests(SynchronousTestCase):
    """Which status an exchange is counted under."""

    def test_what_was_sent_is_counted_even_if_the_answer_was_cut_later(self) -> None:
        self.assertEqual(status_of(ended(status=200, cause=CLIENT_GONE)), 200)

    def test_a_client_that_left_before_any_answer_counts_as_499(self) -> None:
        self.assertEqual(status_of(ended(status=0, cause=CLIENT_GONE)), 499)

    def test_without_status_and_cause_there_is_none(self) -> None:
        self.assertEqual(status_of(ended(status=0)), 0)


class TallyTests(SynchronousTestCase):
    """What is counted."""

    def test_an_exchange_is_counted_with_its_sizes_attempts_and_times(self) -> None:
        tally = Tally()
        tally.add(ended(attempts=3))
        self.assertEqual((tally.requests, tally.attempts, tally.repeats), (1, 3, 2))
        self.assertEqual((tally.bytes_in, tally.bytes_out), (7, 300))
        self.assertEqual(tally.statuses[2], 1)
        self.assertAlmostEqual(tally.total.maximum, 0.025)
        self.assertAlmostEqual(tally.own.maximum, 0.001)

    def test_causes_and_fallbacks_are_counted(self) -> None:
        tally = Tally()
        tally.add(ended(status=429, cause=RATE_LIMITED, attempts=0))
        replaced = ended(status=200, cause=CONNECT_FAILED)
        replaced.fallback = True
        tally.add(replaced)
        self.assertEqual(tally.causes, {"rate-limited": 1, "connect-failed": 1})
        self.assertEqual(tally.fallbacks, 1)

    def test_a_status_that_no_class_of_http_has_is_counted_all_the_same(self) -> None:
        tally = Tally()
        tally.add(ended(status=999))
        self.assertEqual(tally.statuses[9], 1)

    def test_two_merged_tell_the_same_as_one_that_was_given_everything(self) -> None:
        exchanges = [ended(), ended(status=429, cause=RATE_LIMITED, attempts=0), ended(attempts=2)]
        whole, first, second = Tally(), Tally(), Tally()
        for exchange in exchanges:
            whole.add(exchange)
        first.add(exchanges[0])
        second.add(exchanges[1])
        second.add(exchanges[2])
        first.merge(second)
        for name in ("requests", "statuses", "causes", "fallbacks", "attempts", "repeats", "bytes_in", "bytes_out"):
            self.assertEqual(getattr(first, name), getattr(whole, name), name)
        self.assertEqual((first.total.counts, first.own.counts), (whole.total.counts, whole.own.counts))
