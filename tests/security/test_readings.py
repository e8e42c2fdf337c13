"""The readings of a path themselves."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.security.readings import all_readings, drop_parameters, merge_slashes, remove_dots, turn_backslashes


class ReadingTests(SynchronousTestCase):
    def test_each_does_what_it_is_known_for(self) -> None:
        for read, path, expected in (
            (merge_slashes, b"//a///b/", b"/a/b/"),
            (drop_parameters, b"/a;x=/b;y/;z/c", b"/a/b//c"),
            (turn_backslashes, b"/a\\..\\b", b"/a/../b"),
            (remove_dots, b"/a/b/c/./../../g", b"/a/g"),
            (remove_dots, b"/a/..", b"/"),
            (remove_dots, b"/../a/.", b"/a/"),
        ):
            self.assertEqual(read(path), expected, path)

    def test_together_they_find_the_known_tricks(self) -> None:
        for path in (
            b"/x/..;/admin",
            b"/x/%2e%2e/admin",
            b"//admin",
            b"/admin;x",
            b"/x\\..\\admin",
            b"/;a/admin",
            b"/%61dmin",
        ):
            self.assertIn(b"/admin", all_readings(path), path)
