"""Files that a configuration names: where they are, and that what is in them makes a configuration another one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.files import Contents, FileOf, files_in
from apigateway.config.model import GivenFile
from apigateway.config.problems import INVALID, ConfigurationError, Problems, Where
from apigateway.config.source import Node

KIND = FileOf("a file of letters")


@dataclass(frozen=True, slots=True)
class Box:
    """Something of a model."""

    file: GivenFile | None = None
    more: tuple[Any, ...] = ()
    name: str = "box"


class KindTests(SynchronousTestCase):
    def read(self, text: Any, file: str = "/etc/gateway/gateway.yaml") -> Any:
        return KIND.read(Node(Where(file, 3, "a.ca"), text), Problems())

    def test_a_path_begins_at_the_folder_of_the_configuration(self) -> None:
        self.assertEqual(self.read("ca.pem").path, "/etc/gateway/ca.pem")
        self.assertEqual(self.read("/ca.pem").path, "/ca.pem")
        self.assertEqual(self.read("tls/ca.pem", "gateway.yaml").path, "tls/ca.pem")

    def test_it_remembers_where_it_stands_and_has_not_been_read(self) -> None:
        file = self.read("ca.pem")
        self.assertEqual((file.where.line, file.content), (3, None))
        self.assertEqual(file, GivenFile("/etc/gateway/ca.pem"))

    def test_what_is_no_path_is_refused(self) -> None:
        problems = Problems()
        wrong: tuple[Any, ...] = ("", "a\nb", {}, None)
        for text in wrong:
            self.assertIs(KIND.read(Node(Where("g"), text), problems), INVALID)
        error = self.assertRaises(ConfigurationError, problems.raise_any)
        self.assertIn("a file of letters", str(error))

    def test_it_is_shown_as_it_is_found(self) -> None:
        self.assertEqual((KIND.show(GivenFile("/a")), KIND.show(None)), ("/a", None))
        self.assertEqual(KIND.schema({})["type"], "string")
        self.assertEqual(KIND.build(GivenFile("/a"), Problems()), GivenFile("/a"))


class ContentTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "a"
        self.path.write_bytes(b"one")
        self.file = GivenFile(str(self.path), where=Where("g.yaml", 7, "a.ca"))
        self.problems = Problems()

    def test_contents_are_filled_in_wherever_there_is_a_file(self) -> None:
        filled = Contents(self.problems).fill((Box(self.file, ((Box(self.file),), 5)), "x"))
        self.assertEqual([file.content for file in files_in(filled)], [b"one", b"one"])

    def test_what_has_no_file_stays_the_same_object(self) -> None:
        box = Box(more=(Box(), 1, "a"))
        self.assertIs(Contents(self.problems).fill(box), box)

    def test_what_has_been_read_is_read_again_only_when_asked_for(self) -> None:
        filled = Contents(self.problems).fill(Box(self.file))
        self.assertIs(Contents(self.problems, again=True).fill(filled), filled)
        self.path.write_bytes(b"two")
        self.assertIs(Contents(self.problems).fill(filled), filled)
        again = Contents(self.problems, again=True).fill(filled)
        self.assertNotEqual(again, filled)

    def test_a_file_that_is_named_often_is_read_once(self) -> None:
        contents = Contents(self.problems)
        contents.fill(Box(self.file))
        self.path.unlink()
        self.assertEqual([file.content for file in files_in(contents.fill(Box(self.file)))], [b"one"])
        self.problems.raise_any()

    def test_what_cannot_be_read_is_a_problem_with_its_place(self) -> None:
        self.path.unlink()
        box = Box(self.file)
        self.assertIs(Contents(self.problems).fill(box), box)
        error = self.assertRaises(ConfigurationError, self.problems.raise_any)
        self.assertEqual(str(error), f"g.yaml:7: a.ca: {self.path} cannot be read: No such file or directory")

    def test_no_content_is_in_a_repr(self) -> None:
        self.assertNotIn("one", repr(Contents(self.problems).fill(Box(self.file))))
