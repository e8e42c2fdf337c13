"""Health checks: what makes a target unhealthy and healthy again, and when targets are asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.config.model import HealthCheck as Options
from apigateway.interfaces import IHealthChecker
from apigateway.testing.memory import MemoryNetwork
from apigateway.upstream.health import HealthChecker, TargetHealth
from apigateway.upstream.treq.probe import treq_probe
from tests.circles import circles

DEFAULTS = Options()


class TargetHealthTests(SynchronousTestCase):
    def observe(self, health: TargetHealth, results: str) -> None:
        """Note a "+" as a good check and a "-" as a bad one, with three bad and two good ones needed."""
        for now, result in enumerate(results):
            ok = result == "+"
            health.observe(ok, float(now), 0.25, "" if ok else "status 500", 2 if ok else 3)

    def after(self, results: str) -> str:
        health = TargetHealth()
        self.observe(health, results)
        return repr(health)

    def test_it_counts_as_healthy_until_it_is_checked(self) -> None:
        self.assertEqual(self.after(""), "unchecked")
        self.assertTrue(TargetHealth().healthy)

    def test_one_good_check_confirms_it(self) -> None:
        self.assertEqual(self.after("+"), "healthy")

    def test_two_bad_checks_are_no_verdict(self) -> None:
        self.assertEqual(self.after("--"), "healthy")

    def test_three_bad_checks_in_a_row_make_it_unhealthy(self) -> None:
        self.assertEqual(self.after("---"), "unhealthy")

    def test_a_good_check_in_between_starts_the_row_again(self) -> None:
        self.assertEqual(self.after("--+--"), "healthy")

    def test_two_good_checks_in_a_row_make_it_healthy_again(self) -> None:
        self.assertEqual(self.after("---+"), "unhealthy")
        self.assertEqual(self.after("---++"), "healthy")
        self.assertEqual(self.after("---+-+"), "unhealthy")

    def test_only_the_result_that_changes_it_says_so(self) -> None:
        health = TargetHealth()
        changes = [health.observe(False, 0.0, 0.1, "status 500", 3) for _ in range(5)]
        self.assertEqual(changes, [False, False, True, False, False])

    def test_it_describes_the_last_check(self) -> None:
        health = TargetHealth()
        self.observe(health, "--")
        self.assertEqual(
            health.describe(5.0),
            {"state": "healthy", "checked_ago_s": 4.0, "latency_s": 0.25, "error": "status 500"},
        )
        health.observe(True, 6.0, 0.125, "", 2)
        self.assertEqual(
            health.describe(6.0), {"state": "healthy", "checked_ago_s": 0.0, "latency_s": 0.125, "error": None}
        )

    def test_it_describes_that_it_was_never_checked(self) -> None:
        self.assertEqual(
            TargetHealth().describe(5.0),
            {"state": "unchecked", "checked_ago_s": None, "latency_s": None, "error": None},
        )


@dataclass
class Site:
    """A target as a check sees it."""

    url: str
    health: TargetHealth = field(default_factory=TargetHealth)


class CheckerCase(SynchronousTestCase):
    """A checker on a clock. The script tells what becomes of a probe: a status, an error or a Deferred."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[float, str, float]] = []
        self.script: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        observer: ILogObserver = self.events.append  # type: ignore[assignment]  # a callable is one, says its interface
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def probe(self, url: str, timeout: float) -> Deferred[int]:
        self.asked.append((self.clock.seconds(), url, timeout))
        result = self.script.get(url, 200)
        if isinstance(result, Exception):
            raise result
        return result if isinstance(result, Deferred) else succeed(result)

    def make(self, *urls: str, options: Options = DEFAULTS, seed: int = 1) -> HealthChecker:
        self.sites = [Site(url) for url in urls]
        checker = HealthChecker("orders", self.sites, options, self.clock, self.clock.seconds, self.probe, Random(seed))
        self.addCleanup(checker.stop)
        return checker

    def run_for(self, seconds: float) -> None:
        self.clock.pump([0.25] * round(seconds * 4))

    def times_of(self, url: str) -> list[float]:
        return [at for at, asked, _ in self.asked if asked == url]


class ScheduleTests(CheckerCase):
    def test_it_is_a_health_checker(self) -> None:
        verifyObject(IHealthChecker, self.make("http://a"))

    def test_nothing_is_asked_before_it_is_started(self) -> None:
        self.make("http://a")
        self.run_for(30)
        self.assertEqual(self.asked, [])

    def test_the_path_and_the_time_limit_are_the_configured_ones(self) -> None:
        self.make("http://a:1/", options=Options(path="/live?deep=1", timeout=0.5)).start()
        self.run_for(2)
        self.assertEqual([asked[1:] for asked in self.asked], [("http://a:1/live?deep=1", 0.5)])

    def test_each_target_is_asked_once_in_every_interval(self) -> None:
        self.make("http://a", "http://b", "http://c", "http://d").start()
        self.run_for(100)
        for site in self.sites:
            self.assertEqual(len(self.times_of(site.url + "/health")), 10)

    def test_the_checks_of_many_targets_are_spread_over_the_interval(self) -> None:
        self.make(*(f"http://target-{number}" for number in range(10))).start()
        self.run_for(10)
        self.assertEqual([int(at) for at, _, _ in self.asked], list(range(10)))

    def test_checks_are_a_little_late_by_chance(self) -> None:
        gaps = []
        for seed in (1, 2):
            self.asked.clear()
            checker = self.make("http://a", options=Options(interval=60.0), seed=seed)
            checker.start()
            self.run_for(600)
            checker.stop()
            times = self.times_of("http://a/health")
            gaps.append([later - earlier for earlier, later in pairwise(times)])
        self.assertNotEqual(gaps[0], gaps[1])
        self.assertTrue(all(54.0 <= gap <= 66.5 for gap in gaps[0] + gaps[1]))

    def test_a_check_never_overlaps_itself(self) -> None:
        slow: Deferred[int] = Deferred()
        self.script["http://a/health"] = slow
        self.make("http://a", "http://b").start()
        self.run_for(50)
        self.assertEqual(len(self.times_of("http://a/health")), 1)
        self.assertEqual(len(self.times_of("http://b/health")), 5)
        self.script.clear()
        slow.callback(200)
        self.run_for(20)
        self.assertEqual(len(self.times_of("http://a/health")), 3)

    def test_stopping_ends_the_checks_and_leaves_no_timer(self) -> None:
        checker = self.make("http://a")
        checker.start()
        self.run_for(1)
        checker.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(repr(checker), "<HealthChecker orders stopped under_way=0>")

    def test_one_that_was_stopped_does_not_wait_for_the_collector(self) -> None:
        def check(seconds: float) -> None:
            checker = HealthChecker("orders", [Site("http://a")], DEFAULTS, self.clock, self.clock.seconds, self.probe,
                                    Random(1))  # fmt: skip
            checker.start()
            self.run_for(seconds)
            checker.stop()

        for seconds in (0, 1, 11):
            with circles() as found:
                check(seconds)
            self.assertEqual(found, {})

    def test_stopping_before_the_first_check_leaves_no_timer(self) -> None:
        checker = self.make("http://a")
        checker.start()
        checker.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopping_cancels_what_is_under_way_and_takes_no_result_from_it(self) -> None:
        cancelled: list[Deferred[int]] = []
        self.script["http://a/health"] = Deferred(cancelled.append)
        checker = self.make("http://a")
        checker.start()
        self.run_for(2)
        self.assertEqual(repr(checker), "<HealthChecker orders running under_way=1>")
        checker.stop()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(repr(self.sites[0].health), "unchecked")

    def test_it_can_be_started_again(self) -> None:
        checker = self.make("http://a")
        checker.start()
        checker.start()
        checker.stop()
        checker.stop()
        checker.start()
        self.run_for(20)
        self.assertEqual(len(self.asked), 2)

    def test_the_first_that_is_asked_is_the_one_that_was_not_asked_for_longest(self) -> None:
        checker = self.make("http://a", "http://b", "http://c")
        for site, last in zip(self.sites, (5.0, 2.0, 4.0), strict=True):
            site.health.observe(True, last, 0.0, "", 1)
        checker.start()
        self.run_for(10)
        first = [url for _, url, _ in self.asked[:3]]
        self.assertEqual(first, ["http://b/health", "http://c/health", "http://a/health"])

    def test_where_targets_change_all_the_time_each_has_its_turn(self) -> None:
        urls = [f"http://{name}" for name in "abcdefgh"]
        known: dict[str, TargetHealth] = {}
        for number in range(40):
            checker = self.make(*urls, f"http://new-{number}")
            for site in self.sites:
                site.health = known.setdefault(site.url, site.health)
            checker.start()
            self.run_for(1.5)
            checker.stop()
        self.assertEqual({url for url in urls if not known[url].checked}, set())

    def test_a_service_without_targets_is_not_checked(self) -> None:
        self.make().start()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class VerdictTests(CheckerCase):
    def setUp(self) -> None:
        super().setUp()
        self.options = Options(interval=1.0, statuses=((200, 204), (401, 401)))

    def checked(self, result: Any, times: int = 3) -> str:
        self.script["http://a/health"] = result
        checker = self.make("http://a", options=self.options)
        checker.start()
        self.run_for(times)
        checker.stop()
        return repr(self.sites[0].health)

    def test_an_expected_status_is_good(self) -> None:
        for status in (200, 204, 401):
            self.assertEqual(self.checked(status), "healthy")

    def test_any_other_status_is_bad_and_named(self) -> None:
        for status in (199, 205, 400, 402, 503):
            self.assertEqual(self.checked(status), "unhealthy")
            self.assertEqual(self.sites[0].health.last_error, f"status {status}")

    def test_an_error_is_bad_and_named(self) -> None:
        self.assertEqual(self.checked(ConnectionRefusedError("refused")), "unhealthy")
        self.assertEqual(self.sites[0].health.last_error, "refused")

    def test_an_error_without_words_is_bad_too(self) -> None:
        self.assertEqual(self.checked(TimeoutError()), "unhealthy")
        self.assertEqual(self.sites[0].health.last_error, "TimeoutError()")

    def test_errors_never_stop_the_checks(self) -> None:
        self.script["http://a/health"] = ZeroDivisionError("a defect")
        self.make("http://a", options=self.options).start()
        self.run_for(20)
        self.assertEqual(len(self.asked), 20)

    def test_time_and_latency_of_a_check_are_kept(self) -> None:
        answer: Deferred[int] = Deferred()
        self.script["http://a/health"] = answer
        self.make("http://a", options=Options(interval=10.0)).start()
        self.run_for(2)
        began = self.asked[0][0]
        answer.callback(200)
        health = self.sites[0].health
        self.assertEqual((health.last_check, health.last_latency), (2.0, 2.0 - began))

    def test_a_change_is_logged_with_its_fields(self) -> None:
        self.script["http://a/health"] = 503
        self.make("http://a", options=self.options).start()
        self.run_for(10)
        self.script["http://a/health"] = 200
        self.run_for(10)
        told = [
            (event["log_level"], event["event"], event["service"], event["target"], event["reason"])
            for event in self.events
        ]
        self.assertEqual(
            told,
            [
                (LogLevel.warn, "target-unhealthy", "orders", "http://a", "status 503"),
                (LogLevel.info, "target-healthy", "orders", "http://a", "2 good checks in a row"),
            ],
        )


class StoppedProbeTests(SynchronousTestCase):
    def test_a_probe_that_is_cut_short_while_it_connects_leaves_no_trace(self) -> None:
        network = MemoryNetwork()
        target = Site("http://127.0.0.1:9000")
        probe = treq_probe(network.reactor)
        checker = HealthChecker("shop", [target], DEFAULTS, network.reactor, network.now, probe, Random(1))
        checker.start()
        network.reactor.advance(DEFAULTS.interval)
        self.assertEqual(len(network.connecting), 1)
        checker.stop()
        network.advance(60)
        self.assertEqual((network.connecting, repr(target.health)), ([], "unchecked"))
        self.assertEqual(self.flushLoggedErrors(), [])
