"""The catalogue of failures holds, over both transports, for every request, with and without another target."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.steps import ReadAll, Reset
from tests.failures.cases import ANSWER, CASES, FAILURE, HEALTHY, UPLOADS, Case
from tests.failures.world import BAD, GOOD, TRANSPORTS, Seen, World

COUNTED = {FAILURE: 2, ANSWER: 0}
"""What the breaker counts → failures in a row after one before."""


class Expected:
    """What a request is to come to in a case, with or without another target."""

    def __init__(self, case: Case, name: str, spare: bool) -> None:
        is_spared = spare and name in case.spared
        self.status = 200 if is_spared else case.status
        self.cause = "" if is_spared else case.cause
        self.is_cut = bool(case.cut) and not is_spared
        # A request that is not taken to its end takes its connection along, and so does a cut.
        is_left = name in UPLOADS and case.leaves_body
        self.ends = (is_left, is_left or self.is_cut)
        self.logged = (200, None) if is_spared else (case.logged[0], case.logged[1] or None)
        self.attempts = 2 if is_spared else case.attempts
        self.target = GOOD if is_spared else BAD
        self.failures = COUNTED[case.breaker]
        at_bad = 1 if is_spared else case.attempts
        self.marked = at_bad if case.breaker == FAILURE else 0


def difference(seen: Seen, expected: Expected) -> str:
    """Where the two differ, in words; empty where they don't."""
    logged = seen.logged
    counted = {f"exchanges at {expected.target}": 1, "attempts": expected.attempts}
    if expected.attempts > 1:
        counted["repeats"] = expected.attempts - 1
    if expected.logged[1]:
        counted[expected.logged[1]] = 1
    pairs = {
        "status": (seen.status, expected.status),
        "cause": (seen.cause, expected.cause),
        "cut": (seen.is_cut, expected.is_cut),
        "says and does end the connection": (seen.ends, expected.ends),
        "logged": ((logged["status"], logged["cause"]), expected.logged),
        "target": (logged["target"], expected.target),
        "attempts": (logged["attempts"], expected.attempts),
        "breaker": (seen.failures, expected.failures),
        "failures of the target": (seen.marked, expected.marked),
        "statistics": (seen.counted, counted),
    }
    return ", ".join(f"{name}: {is_!r}, not {to_be!r}" for name, (is_, to_be) in pairs.items() if is_ != to_be)


def failures_of(case: Case) -> list[str]:
    """Everything that is not as the catalogue says."""
    wrong: list[str] = []
    for name in case.requests:
        world = World()
        case.arrange(world)
        for transport in TRANSPORTS:
            for spare in (False, True):
                if case.warm:
                    world.reset()
                    world.warm(transport, spare)
                    case.arrange(world)
                run = f"{transport}, {name}, {'another target' if spare else 'one target'}"
                seen = world.run(transport, spare, name)
                words = difference(seen, Expected(case, name, spare))
                left = world.leftovers()
                if words or left:
                    wrong.append(f"{run}: {words} {left or ''}")
    return wrong


def _test(case: Case) -> Callable[[SynchronousTestCase], None]:
    def test(self: SynchronousTestCase) -> None:
        self.assertEqual(failures_of(case), [])

    return test


class CaseTests(SynchronousTestCase):
    """One test for each case; see below."""


class HealthTests(SynchronousTestCase):
    def test_the_health_check_says_of_each_what_the_catalogue_says(self) -> None:
        for case in CASES:
            world = World(health=True)
            case.arrange(world)
            world.network.advance(40)
            for transport in TRANSPORTS:
                health = world.target(transport).health
                said = (health.healthy, health.last_error)
                self.assertEqual(health.healthy, case.health == HEALTHY, (case.what, said))
                self.assertTrue(health.last_error.startswith(case.health), (case.what, said))

    def test_no_failure_of_exchanges_makes_a_target_unhealthy(self) -> None:
        world = World()
        world.does(ReadAll(), Reset())
        for name in ("GET", "POST") * 3:
            world.run("native", False, name)
        self.assertEqual(repr(world.target("native").health), "unchecked")


for number, one in enumerate(CASES):
    words = f"{one.part}_{one.what}".replace(",", "").replace(" ", "_").replace("'", "")
    setattr(CaseTests, f"test_{number:02}_{words}", _test(one))
