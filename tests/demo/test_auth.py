"""The demo's auth service."""

from __future__ import annotations

import base64
import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.demo.auth import LIFETIME, auth_site
from tests.demo.asking import Answer, ask


class AuthTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.site = auth_site(b"secret", self.clock.seconds)

    def token(self) -> str:
        logged_in = ask(self.site, "POST", "/auth/login", {"user": "ada", "password": "lovelace"})
        self.assertEqual(logged_in.status, 200)
        return str(logged_in.value()["token"])

    def verify(self, token: str, scheme: str = "Bearer") -> Answer:
        return ask(self.site, "POST", "/auth/verify", Authorization=f"{scheme} {token}")

    def test_a_demo_user_gets_a_token_that_names_him_when_checked(self) -> None:
        checked = self.verify(self.token())
        self.assertEqual((checked.status, checked.value()), (200, {"user": "ada"}))

    def test_the_scheme_of_the_token_is_read_without_case(self) -> None:
        self.assertEqual(self.verify(self.token(), "bearer").status, 200)

    def test_a_wrong_password_gets_no_token(self) -> None:
        self.assertEqual(ask(self.site, "POST", "/auth/login", {"user": "ada", "password": "byron"}).status, 401)

    def test_an_unknown_user_gets_no_token(self) -> None:
        self.assertEqual(ask(self.site, "POST", "/auth/login", {"user": "eve", "password": "lovelace"}).status, 401)

    def test_a_login_that_cannot_be_read_is_a_bad_request(self) -> None:
        for body in (b"", b"{", b"[]", b'{"user": "ada"}', b'{"user": ["ada"], "password": "lovelace"}'):
            self.assertEqual(ask(self.site, "POST", "/auth/login", body).status, 400, body)

    def test_a_token_expires(self) -> None:
        token = self.token()
        self.clock.advance(LIFETIME)
        self.assertEqual(self.verify(token).status, 401)

    def test_a_changed_token_is_refused(self) -> None:
        claims, signature = self.token().split(".")
        forged = json.loads(base64.urlsafe_b64decode(claims)) | {"user": "grace"}
        changed = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode()
        self.assertEqual(self.verify(f"{changed}.{signature}").status, 401)

    def test_what_is_no_token_is_refused_and_told_how_to_ask(self) -> None:
        for token in ("", ".", "a", "a.b", "####.####", "é.é", "\udce9.a"):
            refused = self.verify(token)
            self.assertEqual((refused.status, refused.fields["www-authenticate"]), (401, "Bearer"), token)

    def test_a_request_without_a_token_is_refused(self) -> None:
        self.assertEqual(ask(self.site, "POST", "/auth/verify").status, 401)

    def test_another_scheme_is_refused(self) -> None:
        self.assertEqual(self.verify(self.token(), "Basic").status, 401)

    def test_only_post_logs_in(self) -> None:
        refused = ask(self.site, "GET", "/auth/login")
        self.assertEqual((refused.status, refused.fields["allow"]), (405, "POST"))

    def test_it_is_healthy(self) -> None:
        self.assertEqual(ask(self.site, "GET", "/health").value(), {"status": "healthy"})
