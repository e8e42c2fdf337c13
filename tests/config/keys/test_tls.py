"""TLS in entries of `listen`."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.keys.listener import LISTEN
from apigateway.config.model import Certificate, ClientCertificates, Configuration, GivenFile, Tls
from apigateway.config.problems import ConfigurationError
from apigateway.config.read import parse_text
from apigateway.config.usable import usable
from apigateway.testing.certificates import Authority
from tests.config.reading import ONE_SERVICE, problems, read

AUTHORITY = Authority()


def tls(text: str) -> Tls | None:
    """What a listener says of TLS."""
    return read(f"listen: [{{endpoint: tcp:8443, tls: {text}}}]\n{ONE_SERVICE}").listen[0].tls


class KeysTests(SynchronousTestCase):
    def test_a_certificate_may_be_one_file_or_two(self) -> None:
        found = tls("{certificates: [a.pem, {certificate: b.pem, key: b.key}]}")
        one, two, key = (GivenFile(path) for path in ("a.pem", "b.pem", "b.key"))
        self.assertEqual(found, Tls((Certificate(one), Certificate(two, key))))

    def test_all_that_can_be_said(self) -> None:
        found = tls("{certificates: [a.pem], minimum: '1.3', client_certificates: {ca: ca.pem, required: false, "
                    "header: X-Subject, fingerprint_header: X-Print}}")  # fmt: skip
        clients = ClientCertificates(GivenFile("ca.pem"), False, "X-Subject", "X-Print")
        self.assertEqual(found, Tls((Certificate(GivenFile("a.pem")),), "1.3", clients))

    def test_it_may_be_switched_off(self) -> None:
        self.assertIsNone(tls("false"))

    def test_what_does_not_go_together(self) -> None:
        good = "tls: {certificates: [a.pem]}"
        cases = [
            (f"endpoint: ssl:1, {good}", "an `ssl:` endpoint speaks TLS itself"),
            (f"endpoint: tcp:1, {good}, redirect: https", "belongs to a listener without TLS"),
            ("endpoint: tcp:1, tls: {certificates: []}", "expected at least one item"),
            ("endpoint: tcp:1, tls: {}", "needs `certificates`"),
            ("endpoint: tcp:1, tls: {certificates: [a.pem], minimum: '1.1'}", "`1.2` or `1.3`"),
            ("endpoint: tcp:1, tls: {certificates: [a.pem], client_certificates: {}}", "needs `ca`"),
            ("endpoint: tcp:1, tls: {certificates: [a.pem], client_certificates: {ca: b, header: Host}}", "Host"),
            ("endpoint: tcp:1, tls: {certificates: [a.pem], client_certificates: {ca: b, header: X-A, "
             "fingerprint_header: x_a}}", "`header` names already"),
        ]  # fmt: skip
        for entry, expected in cases:
            (problem,) = problems(f"listen: [{{{entry}}}]\n{ONE_SERVICE}")
            self.assertIn(expected, problem, entry)

    def test_it_is_shown_as_it_is_written(self) -> None:
        (one,) = read(
            f"listen: [{{endpoint: tcp:1, tls: {{certificates: [a.pem], minimum: '1.3'}}}}]\n{ONE_SERVICE}"
        ).listen
        self.assertEqual(LISTEN.show((one,))[0]["tls"]["minimum"], "1.3")


class FilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        issued = AUTHORITY.server("a.test")
        issued.write(self.folder, "a")
        AUTHORITY.server("b.test").write(self.folder, "b")
        AUTHORITY.write(self.folder)
        (self.folder / "locked.key").write_bytes(issued.key_pem("a password"))
        (self.folder / "empty.pem").write_bytes(b"")

    def use(self, text: str) -> Configuration:
        """A configuration whose files have been read."""
        return usable(
            parse_text(f"listen: [{{endpoint: tcp:1, tls: {text}}}]\n{ONE_SERVICE}", f"{self.folder}/g.yaml", {})
        )

    def fault(self, text: str) -> str:
        (problem,) = self.assertRaises(ConfigurationError, self.use, text).problems
        return str(problem).replace(f"{self.folder}/", "")

    def test_what_is_good_is_there_with_its_content(self) -> None:
        found = (
            self.use("{certificates: [{certificate: a.pem, key: a.key}], client_certificates: {ca: ca.pem}}")
            .listen[0]
            .tls
        )
        assert found is not None
        assert found.client_certificates is not None
        self.assertEqual(found.client_certificates.ca.content, AUTHORITY.pem)
        self.assertNotIn("PRIVATE", repr(found))

    def test_what_is_not_good_is_told_with_its_file_and_place(self) -> None:
        pair = "{{certificates: [{{certificate: {}, key: {}}}]}}"
        cases = [
            (pair.format("nowhere.pem", "a.key"), "nowhere.pem cannot be read: No such file or directory"),
            (pair.format("a.pem", "b.key"), "the key in b.key is not that of the certificate in a.pem"),
            (pair.format("a.pem", "locked.key"), "the key in locked.key is protected by a password"),
            (pair.format("empty.pem", "a.key"), "empty.pem holds no certificate in PEM"),
            ("{certificates: [a.pem]}", "a.pem holds no private key in PEM"),
            ("{certificates: [{certificate: a.pem, key: a.key}], client_certificates: {ca: empty.pem}}",
             "empty.pem holds no certificate in PEM"),
        ]  # fmt: skip
        for text, expected in cases:
            said = self.fault(text)
            self.assertTrue(said.startswith("g.yaml:1: listen[0].tls."), said)
            self.assertIn(expected, said)
