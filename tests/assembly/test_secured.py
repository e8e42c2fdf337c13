"""What a snapshot shares and remembers of TLS, and that it is said where nobody is verified."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from apigateway.assembly.secured import is_unverified, probe_of, tls_of, warn_of_unverified
from apigateway.config.read import parse_text
from apigateway.config.usable import usable
from apigateway.interfaces import ITransport
from apigateway.testing.certificates import Authority
from tests.assembly.world import AssemblyTestCase
from tests.behaviour.secured import told

TEXT = """
services:
  a: {prefix: /a, targets: ["https://a", "http://b"]}
  b: {prefix: /b, targets: ["https://a"]}
"""


class SecuredTests(AssemblyTestCase):
    def transports(self, text: str = TEXT) -> list[ITransport]:
        snapshot = self.use(text)
        return [target.transport for name in "ab" for target in snapshot.services[name].targets]

    def test_services_that_want_the_same_share_what_is_dear_and_no_sessions(self) -> None:
        self.transports()
        registry = self.assembly.registry
        self.assertEqual(len(registry.all("tls-context")), 1)
        first, second = registry.all("tls")
        self.assertIs(first.client.context, second.client.context)
        self.assertIsNot(first.client, second.client)

    def test_the_same_options_keep_the_pool_and_others_make_another_where_there_is_tls(self) -> None:
        before = self.transports()
        self.assertEqual(self.transports(), before)
        secure, plain, _ = self.transports(TEXT.replace("services:", "defaults: {tls: {minimum: '1.3'}}\nservices:"))
        self.assertIsNot(secure, before[0])
        self.assertIs(plain, before[1])

    def test_another_content_of_a_file_makes_another(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        Authority().write(folder)
        text = TEXT.replace("services:", f"defaults: {{tls: {{ca: {folder}/ca.pem}}}}\nservices:")
        before = self.transports(text)
        self.assertEqual(self.transports(text), before)
        Authority().write(folder)
        after = self.transports(text)
        self.assertIsNot(after[0], before[0])
        self.assertIs(after[1], before[1])

    def test_what_nobody_uses_any_more_is_forgotten(self) -> None:
        self.transports()
        self.use('services: {a: {prefix: /a, targets: ["http://a"]}}')
        self.assertEqual((self.assembly.registry.all("tls"), self.assembly.registry.all("tls-context")), ([], []))

    def test_the_name_is_verified_whatever_address_was_found_for_it(self) -> None:
        one = parse_text('services: {a: {prefix: /a, targets: ["https://orders.internal:8443"]}}', "g", {}).services[0]
        found = replace(one.targets[0], address="10.0.0.9")
        one = replace(one, targets=(found,))
        draft, around = self.registry.draft(), self.assembly.around
        self.assertIn("orders.internal", repr(tls_of(one, found, around, draft)))
        probed: list[Any] = []

        def probe(*given: Any) -> Deferred[int]:
            probed.append(given)
            return Deferred()

        ask, _ = probe_of(one, probe, around, draft)
        ask("https://10.0.0.9:8443/health", 2.0)
        url, timeout_s, way, host = probed[0]
        self.assertEqual((url, timeout_s, host), ("https://10.0.0.9:8443/health", 2.0, "orders.internal:8443"))
        self.assertIsNotNone(way)

    def test_plain_targets_are_probed_as_ever(self) -> None:
        one = parse_text('services: {a: {prefix: /a, targets: ["http://a"]}}', "g", {}).services[0]

        def probe(*given: Any) -> Deferred[int]:
            return Deferred()

        self.assertEqual(probe_of(one, probe, self.assembly.around, self.registry.draft()), (probe, ()))

    def test_who_is_not_verified_is_named(self) -> None:
        said = told(self, "tls-unverified")
        text = TEXT + '  c: {prefix: /c, targets: ["http://c"]}\n'
        warn_of_unverified(parse_text(text, "g", {}))
        self.assertEqual(said, [])
        switched_off = parse_text(f"defaults: {{tls: {{verify: false}}}}{text}", "g", {})
        warn_of_unverified(usable(switched_off))
        self.assertEqual([event["service"] for event in said], ["a", "b"])
        self.assertEqual([is_unverified(one) for one in switched_off.services], [True, True, False])
