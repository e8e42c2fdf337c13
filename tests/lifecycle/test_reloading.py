"""What comes of a reload, and how it is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Configuration
from apigateway.lifecycle.reloading import NAMED_FILE, Reloading
from apigateway.lifecycle.source import Source
from apigateway.lifecycle.watch import EVERY_S
from apigateway.telemetry.reloads import Reload
from apigateway.testing.certificates import Authority

TEXT = 'limits: {head: HEAD}\nservices: {shop: {prefix: /shop, targets: ["http://a"]}}\n'


class ReloadingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[Any] = []
        note: Any = self.events.append
        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)
        self.path = Path(self.mktemp()).absolute()
        self.write("1KiB")
        self.clock = Clock()
        self.is_stopping = False
        self.refusals: tuple[str, ...] = ()
        self.used: list[Configuration] = []
        self.reopened = 0
        self.reloading = self.made(Source(str(self.path), {}))
        self.current = Source(str(self.path), {}).read()

    def made(self, source: Source | None) -> Reloading:
        return Reloading(
            source, self.clock, self.clock.seconds, lambda: self.current, lambda: self.is_stopping, self.apply,
            self.reopen,
        )  # fmt: skip

    def write(self, head: str) -> None:
        self.path.write_text(TEXT.replace("HEAD", head))

    async def apply(self, configuration: Configuration) -> tuple[str, ...]:
        if not self.refusals:
            self.current = configuration
            self.used.append(configuration)
        return self.refusals

    def reopen(self) -> None:
        self.reopened += 1

    def reload(self) -> Reload:
        return self.successResultOf(self.reloading.ask("test"))

    def told(self, event: str) -> list[Any]:
        return [one for one in self.events if one.get("event") == event]

    def test_a_changed_file_is_used(self) -> None:
        self.write("2KiB")
        told = self.reload()
        self.assertEqual((told.outcome, told.asked_by, told.changes), ("reloaded", "test", ("limits",)))
        self.assertEqual(self.used[0].limits.head, 2048)
        (event,) = self.told("reloaded")
        self.assertEqual((event["changes"], event["outcome"]), (["limits"], "reloaded"))

    def test_one_that_says_the_same_is_not_used_again_but_logs_are_reopened(self) -> None:
        self.path.write_text("# words\n" + self.path.read_text())
        self.assertEqual((self.reload().outcome, self.used, self.reopened), ("unchanged", [], 1))

    def test_one_with_problems_is_told_with_all_of_them_and_nothing_else_happens(self) -> None:
        self.path.write_text(TEXT.replace("HEAD", "much") + "listn: []\n")
        told = self.reload()
        self.assertEqual((told.outcome, len(told.problems), self.used, self.reopened), ("failed", 2, [], 0))
        (event,) = self.told("reload-failed")
        self.assertEqual(event["problems"], list(told.problems))

    def test_one_that_cannot_be_used_is_told_with_the_reasons(self) -> None:
        self.write("2KiB")
        self.refusals = ("a port is taken", "a log cannot be opened")
        told = self.reload()
        self.assertEqual((told.outcome, told.problems, self.reopened), ("failed", self.refusals, 0))

    def test_what_goes_wrong_unforeseen_is_a_failed_reload_too(self) -> None:
        self.write("2KiB")
        self.refusals = None  # type: ignore[assignment]  # what fails when it is used

        async def break_down(configuration: Configuration) -> tuple[str, ...]:
            raise ZeroDivisionError

        self.patch(self.reloading, "_apply", break_down)
        told = self.reload()
        self.assertEqual(told.outcome, "failed")
        self.assertIn("ZeroDivisionError", told.problems[0])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_without_a_file_there_is_nothing_to_read_and_it_says_so(self) -> None:
        for source in (Source(None, {}), None):
            self.reloading = self.made(source)
            told = self.reload()
            self.assertEqual(told.outcome, "unchanged")
            self.assertIn("There is no configuration file", told.detail)
        self.assertEqual(self.reopened, 2)

    def test_once_the_gateway_stops_it_is_refused(self) -> None:
        self.is_stopping = True
        self.write("2KiB")
        self.assertEqual((self.reload().outcome, self.used), ("refused", []))

    def test_two_at_once_come_one_after_the_other(self) -> None:
        held: Deferred[None] = Deferred()

        async def hold(configuration: Configuration) -> tuple[str, ...]:
            await held
            self.current = configuration
            return ()

        self.patch(self.reloading, "_apply", hold)
        self.write("2KiB")
        first, second = self.reloading.ask("a"), self.reloading.ask("b")
        self.assertNoResult(first)
        self.write("3KiB")
        held.callback(None)
        self.assertEqual([self.successResultOf(one).outcome for one in (first, second)], ["reloaded", "reloaded"])
        self.assertEqual(self.current.limits.head, 3 * 1024)

    def test_while_it_watches_a_change_is_read_by_itself(self) -> None:
        self.reloading.watch(replace(self.current, watch=True))
        self.write("4KiB")
        self.clock.pump([EVERY_S] * 3)
        assert self.reloading.reloads.last is not None
        self.assertEqual((self.reloading.reloads.last.asked_by, len(self.used)), ("file", 1))
        self.reloading.watch(self.current)
        self.write("5KiB")
        self.clock.pump([EVERY_S] * 3)
        self.assertEqual((len(self.used), self.clock.getDelayedCalls()), (1, []))

    def test_a_bad_file_that_is_watched_is_told_once(self) -> None:
        self.reloading.watch(replace(self.current, watch=True))
        self.addCleanup(self.reloading.stop)
        self.write("much")
        self.clock.pump([EVERY_S] * 9)
        self.assertEqual(self.reloading.reloads.counts["failed"], 1)


class NamedFileTests(SynchronousTestCase):
    """A file that the configuration names has changed: it is read, and nothing else is."""

    def setUp(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.folder, self.authority = folder, Authority()
        self.authority.write(folder)
        self.path = folder / "gateway.yaml"
        self.write("/shop")
        self.clock = Clock()
        source = Source(str(self.path), {})
        self.current = source.read()
        self.used: list[Configuration] = []
        self.reloading = Reloading(
            source, self.clock, self.clock.seconds, lambda: self.current, lambda: False, self.apply, lambda: None
        )
        self.reloading.watch(self.current)
        self.addCleanup(self.reloading.stop)

    def write(self, prefix: str) -> None:
        text = f'services: {{shop: {{prefix: {prefix}, targets: ["https://a"], tls: {{ca: ca.pem}}}}}}'
        self.path.write_text(text)

    async def apply(self, configuration: Configuration) -> tuple[str, ...]:
        self.current = configuration
        self.used.append(configuration)
        return ()

    def looks(self) -> None:
        for _ in range(3):
            self.clock.advance(EVERY_S)

    def last(self) -> Reload:
        last = self.reloading.reloads.last
        assert last is not None
        return last

    def test_its_content_is_used_and_the_text_of_the_configuration_is_not_read(self) -> None:
        self.write("/other")
        other = Authority("Another")
        other.write(self.folder)
        self.looks()
        self.assertEqual([one.routes[0].path for one in self.used[0].services], ["/shop"])
        ca = self.used[0].services[0].tls.ca
        self.assertEqual(ca and ca.content, other.pem)
        self.assertEqual((self.last().asked_by, self.last().outcome), (NAMED_FILE, "reloaded"))

    def test_one_that_is_no_good_changes_nothing_and_is_told(self) -> None:
        (self.folder / "ca.pem").write_text("no certificate")
        self.looks()
        self.assertEqual((self.used, self.last().outcome), ([], "failed"))
        self.assertIn("holds no certificate", self.last().problems[0])
        self.authority.write(self.folder)
        self.looks()
        self.assertEqual((self.used, self.last().outcome), ([], "unchanged"))

    def test_what_was_asked_for_while_it_was_no_good_is_done_once_it_is(self) -> None:
        (self.folder / "ca.pem").write_text("half a")
        self.write("/other")
        self.assertEqual(self.successResultOf(self.reloading.ask("signal")).outcome, "failed")
        Authority("Another").write(self.folder)
        self.looks()
        self.assertEqual(self.paths_used(), ["/shop", "/other"])
        self.assertEqual((self.last().asked_by, self.last().outcome), ("signal", "reloaded"))
        self.authority.write(self.folder)
        self.looks()
        self.assertEqual(self.last().asked_by, NAMED_FILE, "it has been done")

    def test_but_not_where_the_text_has_changed_since(self) -> None:
        """Nobody said that this was to be used."""
        (self.folder / "ca.pem").write_text("half a")
        self.write("/other")
        self.successResultOf(self.reloading.ask("signal"))
        self.write("/a-third")
        Authority("Another").write(self.folder)
        self.looks()
        self.assertEqual((self.paths_used(), self.last().asked_by), (["/shop"], NAMED_FILE))

    def test_a_text_that_cannot_be_used_keeps_no_certificate_from_being_renewed(self) -> None:
        self.path.write_text("nonsense: true")
        self.successResultOf(self.reloading.ask("signal"))
        other = Authority("Another")
        other.write(self.folder)
        self.looks()
        ca = self.current.services[0].tls.ca
        self.assertEqual(ca and ca.content, other.pem)
        self.assertEqual((self.last().asked_by, self.last().outcome), ("signal", "failed"))

    def paths_used(self) -> list[str]:
        return [used.services[0].routes[0].path for used in self.used]
