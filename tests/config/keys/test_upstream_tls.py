"""The keys of TLS to services."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import UpstreamTls
from apigateway.config.problems import ConfigurationError
from apigateway.config.read import parse_text


def read(tls: str) -> UpstreamTls:
    text = f'services: {{a: {{prefix: /a, targets: ["https://a"], tls: {tls}}}}}'
    return parse_text(text, "g.yaml", {}).services[0].tls


class UpstreamTlsTests(SynchronousTestCase):
    def refused(self, tls: str) -> str:
        return str(self.assertRaises(ConfigurationError, read, tls))

    def test_what_is_given(self) -> None:
        tls = read("{ca: ca.pem, server_name: API.internal., certificate: c.pem, key: c.key, minimum: 1.3}")
        paths = [file and file.path for file in (tls.ca, tls.certificate, tls.key)]
        self.assertEqual(paths, ["ca.pem", "c.pem", "c.key"])
        self.assertEqual((tls.server_name, tls.minimum, tls.verify), ("api.internal", "1.3", True))
        self.assertFalse(read("{verify: false}").verify)
        self.assertEqual(read("{server_name: '::1'}").server_name, "::1")

    def test_by_default_the_system_is_trusted_and_the_name_is_the_urls(self) -> None:
        text = 'services: {a: {prefix: /a, targets: ["https://a"]}}'
        tls = parse_text(text, "g.yaml", {}).services[0].tls
        self.assertEqual(tls, UpstreamTls(None, None, None, None, True, "1.2"))

    def test_a_service_adds_to_the_defaults(self) -> None:
        text = 'defaults: {tls: {ca: ca.pem}}\nservices: {a: {prefix: /a, targets: ["https://a"], tls: {verify: no}}}'
        tls = parse_text(text, "g.yaml", {}).services[0].tls
        self.assertEqual((tls.ca and tls.ca.path, tls.verify), ("ca.pem", False))

    def test_a_key_needs_its_certificate(self) -> None:
        self.assertIn("tls.key: is of no use without `certificate`", self.refused("{key: c.key}"))

    def test_other_versions_and_names_that_are_none_are_refused(self) -> None:
        self.assertIn("tls.minimum", self.refused("{minimum: 1.1}"))
        for name in ("'*.internal'", "'https://a'", "a b", "'a:443'"):
            self.assertIn("tls.server_name", self.refused(f"{{server_name: {name}}}"))
