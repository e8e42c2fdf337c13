"""Targets from a file."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway.discovery.file import FileDiscovery, Unusable
from apigateway.discovery.findings import Findings
from apigateway.interfaces import IDiscovery

from .test_findings import Place


class Paper:
    """A file that tells what it is told to."""

    def __init__(self) -> None:
        self.content: bytes | None = b"a b"
        self.is_watched = False

    def start(self, read: Callable[[bytes], None], unreadable: Callable[[str], None]) -> None:
        self.is_watched = True
        self._read, self._unreadable = read, unreadable
        self.tell()

    def tell(self) -> None:
        if self.content is None:
            self._unreadable("it is gone")
        else:
            self._read(self.content)

    def stop(self) -> None:
        self.is_watched = False


def parse(content: bytes) -> tuple[Place, ...]:
    """Targets between spaces."""
    if b"!" in content:
        raise Unusable("line 1: no !")
    return tuple(Place(word) for word in content.decode().split())


class FileDiscoveryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.paper = Paper()
        self.changes = 0
        self.findings = Findings("orders", "file targets.yaml", self.count, Clock().seconds)
        self.discovery = FileDiscovery(self.paper, parse, self.findings)

    def count(self) -> None:
        self.changes += 1

    def writes(self, content: bytes | None) -> None:
        self.paper.content = content
        self.paper.tell()

    def test_it_provides_its_interface(self) -> None:
        verifyObject(IDiscovery, self.discovery)

    def test_its_targets_are_there_once_it_has_begun(self) -> None:
        self.assertIsNone(self.discovery.targets)
        self.discovery.start()
        self.assertEqual((self.discovery.targets, self.changes), ((Place("a"), Place("b")), 1))

    def test_they_follow_the_file(self) -> None:
        self.discovery.start()
        self.writes(b"b c")
        self.assertEqual((self.discovery.targets, self.changes), ((Place("b"), Place("c")), 2))

    def test_they_stay_while_it_is_broken_or_gone(self) -> None:
        self.discovery.start()
        for content, error in ((b"a !", "line 1: no !"), (None, "it is gone")):
            self.writes(content)
            self.assertEqual((self.discovery.targets, self.changes), ((Place("a"), Place("b")), 1))
            self.assertEqual(self.discovery.describe()["error"], error)
        self.writes(b"a b")
        self.assertEqual((self.discovery.describe()["error"], self.changes), (None, 1))

    def test_without_a_usable_file_there_are_none_yet(self) -> None:
        self.paper.content = None
        self.discovery.start()
        self.assertIsNone(self.discovery.targets)

    def test_once_stopped_it_watches_no_more(self) -> None:
        self.discovery.start()
        self.discovery.stop()
        self.assertFalse(self.paper.is_watched)
