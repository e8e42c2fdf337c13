"""Which discoveries run, and when what they have found is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Configuration, Discovery, Service, Target
from apigateway.lifecycle.discovering import EVERY_S, PATIENCE_S, SOON_S, Discovering


class Scripted:
    """A discovery that finds what a test says."""

    def __init__(self, service: Service, changed: Callable[[], None], at_once: tuple[Target, ...] | None) -> None:
        self.service = service
        self.targets: tuple[Target, ...] | None = None
        self.is_running = False
        self._changed = changed
        self._at_once = at_once

    def start(self) -> None:
        self.is_running = True
        if self._at_once is not None:
            self.targets = self._at_once
            self._changed()

    def stop(self) -> None:
        self.is_running = False

    def describe(self) -> dict[str, Any]:
        return {"targets": len(self.targets or ())}

    def finds(self, *urls: str) -> None:
        """These are the targets now."""
        self.targets = targets(*urls)
        self._changed()


def targets(*urls: str) -> tuple[Target, ...]:
    return tuple(map(Target, urls))


def discovered(name: str, by: str = "http://n.internal") -> Service:
    return Service(name, (), (), discovery=Discovery(dns=by))


class DiscoveringTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.made: list[Scripted] = []
        self.at_once: tuple[Target, ...] | None = None
        self.used: list[dict[str, tuple[str, ...]]] = []
        self.configuration = Configuration()
        self.discovering = Discovering(self.make, self.use, self.clock, self.clock.seconds)
        self.addCleanup(self.discovering.stop)

    def make(self, service: Service, changed: Callable[[], None]) -> Scripted:
        self.made.append(Scripted(service, changed, self.at_once))
        return self.made[-1]

    def use(self) -> None:
        effective = self.discovering.effective(self.configuration)
        self.used.append({one.name: tuple(target.url for target in one.targets) for one in effective.services})
        self.discovering.in_use(effective)

    def follow(self, *services: Service) -> None:
        """Go on with these services, as a gateway does."""
        self.configuration = Configuration(services)
        self.use()
        self.used.clear()
        self.discovering.follow(services)

    def test_a_configuration_without_discovery_stays_as_it_is(self) -> None:
        configuration = Configuration((Service("a", (), targets("http://a")),))
        self.assertIs(self.discovering.effective(configuration), configuration)
        self.discovering.follow(configuration.services)
        self.assertEqual(self.made, [])

    def test_first_targets_are_used_soon_and_with_those_of_others(self) -> None:
        self.follow(discovered("a"), discovered("b"))
        self.made[0].finds("http://1")
        self.clock.advance(SOON_S / 2)
        self.made[1].finds("http://2")
        self.assertEqual(self.used, [])
        self.clock.advance(SOON_S / 2)
        self.assertEqual(self.used, [{"a": ("http://1",), "b": ("http://2",)}])

    def test_what_is_found_at_once_is_used_at_once_and_all_of_it_together(self) -> None:
        self.at_once = targets("http://1")
        self.follow(discovered("a"), discovered("b"))
        self.assertEqual(self.used, [{"a": ("http://1",), "b": ("http://1",)}])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_however_often_they_change_they_are_used_once_a_second_at_most(self) -> None:
        self.follow(discovered("a"))
        for number in range(1000):
            self.made[0].finds(f"http://{number}")
            self.clock.advance(0.01)
        self.assertLessEqual(len(self.used), 10 / EVERY_S + 2)
        self.clock.advance(EVERY_S)
        self.assertEqual(self.used[-1], {"a": ("http://999",)})

    def test_a_change_after_a_quiet_time_is_used_at_once(self) -> None:
        self.follow(discovered("a"))
        self.made[0].finds("http://1")
        self.clock.pump([SOON_S, EVERY_S])
        self.made[0].finds("http://2")
        self.clock.advance(0)
        self.assertEqual(self.used[-1], {"a": ("http://2",)})

    def test_the_first_targets_of_one_do_not_wait_for_the_pause_after_another(self) -> None:
        self.follow(discovered("a"), discovered("b"))
        self.made[0].finds("http://1")
        self.clock.advance(SOON_S)
        self.made[0].finds("http://2")
        self.made[1].finds("http://3")
        self.clock.advance(SOON_S)
        self.assertEqual(self.used[-1], {"a": ("http://2",), "b": ("http://3",)})

    def test_a_discovery_goes_on_while_it_stays_the_same(self) -> None:
        self.follow(discovered("a"))
        self.made[0].finds("http://1")
        self.follow(replace(discovered("a"), max_in_flight=5), discovered("b"))
        self.assertEqual(len(self.made), 2)
        self.assertTrue(self.made[0].is_running)
        effective = self.discovering.effective(self.configuration)
        self.assertEqual((effective.services[0].targets, effective.services[0].max_in_flight), (targets("http://1"), 5))

    def test_another_discovery_begins_with_the_targets_that_there_are(self) -> None:
        self.follow(Service("a", (), targets("http://0")))
        self.follow(discovered("a"))
        self.assertEqual(self.discovering.effective(self.configuration).services[0].targets, targets("http://0"))
        self.made[0].finds("http://1")
        self.clock.advance(SOON_S)
        self.follow(discovered("a", "http://other.internal"))
        self.assertFalse(self.made[0].is_running)
        self.assertEqual(self.discovering.effective(self.configuration).services[0].targets, targets("http://1"))
        self.made[1].finds()
        self.assertEqual(self.discovering.effective(self.configuration).services[0].targets, ())

    def test_before_another_discovery_has_begun_its_service_keeps_its_targets(self) -> None:
        self.follow(discovered("a"))
        self.made[0].finds("http://1")
        self.clock.advance(SOON_S)
        planned = self.discovering.effective(Configuration((discovered("a", "http://other.internal"),)))
        self.assertEqual(planned.services[0].targets, targets("http://1"))

    def test_what_has_left_or_has_its_targets_named_is_discovered_no_more(self) -> None:
        self.follow(discovered("a"), discovered("b"))
        self.follow(Service("a", (), targets("http://0")))
        self.assertEqual([one.is_running for one in self.made], [False, False])
        self.assertEqual(self.discovering.describe(), {})

    def test_once_stopped_nothing_is_used_any_more(self) -> None:
        self.follow(discovered("a"))
        self.made[0].finds("http://1")
        self.discovering.stop()
        self.clock.advance(10)
        self.assertEqual((self.used, self.made[0].is_running), ([], False))

    def test_a_change_that_comes_while_another_configuration_is_made_ready_is_not_lost(self) -> None:
        self.follow(discovered("a"))
        self.made[0].finds("http://1")
        self.clock.advance(SOON_S)
        planned = self.discovering.effective(self.configuration)
        self.made[0].finds("http://2")
        self.discovering.in_use(planned)
        self.clock.advance(EVERY_S)
        self.assertEqual(self.used[-1], {"a": ("http://2",)})

    def test_what_cannot_be_used_is_logged_and_the_next_is_tried(self) -> None:
        def fail() -> None:
            raise ZeroDivisionError

        discovering = Discovering(self.make, fail, self.clock, self.clock.seconds)
        discovering.follow([discovered("a")])
        for number in range(2):
            self.made[0].finds(f"http://{number}")
            self.clock.advance(EVERY_S)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        discovering.stop()

    def test_services_are_awaited_until_they_have_targets_or_for_some_seconds(self) -> None:
        self.follow(discovered("a"), discovered("b"), Service("c", (), targets("http://0")))
        self.assertEqual(self.discovering.awaited(), ["a", "b"])
        self.made[0].finds("http://1")
        self.assertEqual(self.discovering.awaited(), ["b"])
        self.clock.advance(PATIENCE_S)
        self.assertEqual(self.discovering.awaited(), [])
        self.assertEqual(self.discovering.describe(), {"a": {"targets": 1}, "b": {"targets": 0}})
