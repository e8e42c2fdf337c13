"""Reading a configuration again: from its file, or from the environment."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Listener
from apigateway.config.read import ConfigurationError
from apigateway.lifecycle.source import Source
from apigateway.lifecycle.watch import digest_of

TEXT = 'listen: [tcp:1]\nservices: {shop: {prefix: /shop, targets: ["${SHOP}"]}}\n'


class SourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.write_text(TEXT)

    def test_a_file_is_read_anew_each_time(self) -> None:
        source = Source(str(self.path), {"SHOP": "http://a"})
        self.assertEqual(source.read().services[0].targets[0].url, "http://a")
        self.path.write_text(TEXT.replace("shop:", "store:"))
        self.assertEqual(source.read().services[0].name, "store")

    def test_it_knows_the_digest_of_what_it_has_read(self) -> None:
        source = Source(str(self.path), {"SHOP": "http://a"})
        self.assertIsNone(source.digest)
        source.read()
        self.assertEqual(source.digest, digest_of(self.path.read_bytes()))

    def test_at_the_start_it_may_be_a_pipe_and_later_that_is_told_and_not_waited_for(self) -> None:
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, TEXT.encode())
        os.close(writing)
        source = Source(f"/dev/fd/{reading}", {"SHOP": "http://a"})
        self.assertEqual(source.read().services[0].name, "shop")
        self.assertEqual(source.digest, digest_of(TEXT.encode()))
        error = self.assertRaises(ConfigurationError, source.read)
        self.assertEqual(str(error), f"/dev/fd/{reading}: cannot be read: it is no regular file")
        self.assertEqual(source.digest, digest_of(TEXT.encode()))

    def test_what_the_command_line_says_of_listeners_wins_each_time(self) -> None:
        source = Source(str(self.path), {"SHOP": "http://a"}, ["tcp:2"])
        self.assertEqual([source.read().listen for _ in range(2)], [(Listener("tcp:2"),)] * 2)

    def test_without_a_file_the_environment_is_read(self) -> None:
        source = Source(None, {"SHOP_SERVICE_URL": "http://a"})
        self.assertIn("shop", [service.name for service in source.read().services])
        self.assertEqual((source.path, repr(source)), (None, "<Source environment>"))

    def test_a_process_that_has_changed_its_folder_finds_the_file_and_calls_it_as_it_was_called(self) -> None:
        named = os.path.relpath(self.path)
        source = Source(named, {})
        folder = os.getcwd()
        self.addCleanup(os.chdir, folder)
        os.chdir("/")
        error = self.assertRaises(ConfigurationError, source.read)
        self.assertEqual([problem.file for problem in error.problems], [named])
        self.assertIn("SHOP", str(error))
