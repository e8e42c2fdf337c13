"""A configuration that can be used has what is in its files, and they are good."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Configuration
from apigateway.config.problems import ConfigurationError
from apigateway.config.read import parse_text
from apigateway.config.usable import named_files, usable
from apigateway.testing.certificates import Authority

TEXT = """
defaults: {tls: {ca: ca.pem}}
services:
  a: {prefix: /a, targets: ["https://a"]}
  b: {prefix: /b, targets: ["https://b"], tls: {certificate: client.pem, key: client.key}}
"""


class UsableTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.authority = Authority()
        self.authority.write(self.folder)
        self.authority.client("gateway").write(self.folder, "client")

    def parsed(self, text: str = TEXT) -> Configuration:
        return parse_text(text, str(self.folder / "gateway.yaml"), {})

    def names(self, configuration: Configuration) -> list[str]:
        return sorted(Path(file.path).name for file in named_files(configuration) if file.content)

    def test_a_text_can_be_read_without_its_files_and_then_be_made_usable(self) -> None:
        parsed = self.parsed()
        self.assertEqual(self.names(parsed), [])
        self.assertEqual(self.names(usable(parsed)), ["ca.pem", "client.key", "client.pem"])

    def test_it_is_the_same_as_long_as_the_files_are(self) -> None:
        first = usable(self.parsed())
        self.assertEqual((usable(self.parsed()), usable(first), usable(first, again=True)), (first, first, first))
        self.authority.client("gateway").write(self.folder, "client")
        self.assertEqual(usable(first), first)
        self.assertNotEqual(usable(first, again=True), first)
        self.assertNotEqual(usable(self.parsed()), first)

    def test_all_that_is_wrong_is_told_at_once_with_its_place(self) -> None:
        (self.folder / "ca.pem").unlink()
        self.authority.client("other").write(self.folder, "other")
        text = TEXT.replace("client.key", "other.key")
        error = self.assertRaises(ConfigurationError, usable, self.parsed(text))
        told = {problem.path: problem.message for problem in error.problems}
        self.assertIn("No such file", told["defaults.tls.ca"])
        self.assertIn("is not that of the certificate", told["services.b.tls.key"])
        self.assertEqual(len(told), 2)

    def test_a_key_is_in_no_repr(self) -> None:
        self.assertNotIn("PRIVATE KEY", repr(usable(self.parsed())))
