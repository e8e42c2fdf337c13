"""The demo's auth service: log in with a demo user, get a signed token, have a token checked. Remembers nothing."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable

from twisted.web.server import Request

from apigateway.demo.bodies import DemoSite
from apigateway.demo.pages import Folder, Page, answer, health, read_object

USERS = {"ada": "lovelace", "grace": "hopper"}
"""Who may log in, and with what password. Public: this is a demo."""

LIFETIME = 3600
"""Seconds that a token is good for."""


class Tokens:
    """Makes and checks tokens: what is claimed, a dot, and its HMAC-SHA256, both in URL-safe base64."""

    def __init__(self, secret: bytes, now: Callable[[], float]) -> None:
        self._secret = secret
        self._now = now

    def make(self, user: str) -> str:
        """A token for a user, good for `LIFETIME` seconds."""
        claims = json.dumps({"user": user, "expires": self._now() + LIFETIME}).encode()
        return (base64.urlsafe_b64encode(claims) + b"." + self._signature(claims)).decode()

    def user_of(self, token: str) -> str | None:
        """Whom a token was made for; None where it was not made here, was changed, or has expired."""
        encoded, _, signature = token.encode("ascii", "replace").partition(b".")
        try:
            claims = base64.urlsafe_b64decode(encoded)
        except ValueError:
            return None
        if not hmac.compare_digest(self._signature(claims), signature):
            return None
        found = json.loads(claims)
        return str(found["user"]) if found["expires"] > self._now() else None

    def _signature(self, claims: bytes) -> bytes:
        return base64.urlsafe_b64encode(hmac.digest(self._secret, claims, "sha256"))


class Auth:
    """The answers of the service."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def log_in(self, request: Request) -> bytes:
        """`POST /auth/login` with a JSON object of `user` and `password`."""
        asked = read_object(request)
        user = asked.get("user")
        if not isinstance(user, str) or not isinstance(asked.get("password"), str):
            return answer(request, 400, {"error": 'send {"user": …, "password": …}'})
        if USERS.get(user) != asked["password"]:
            return answer(request, 401, {"error": "wrong user or password"})
        return answer(request, 200, {"token": self._tokens.make(user), "expires_in": LIFETIME})

    def verify(self, request: Request) -> bytes:
        """`POST /auth/verify` with the token as `Authorization: Bearer`."""
        scheme, _, token = (request.getHeader(b"Authorization") or b"").decode("latin-1").partition(" ")
        user = self._tokens.user_of(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            request.setHeader(b"WWW-Authenticate", b"Bearer")
            return answer(request, 401, {"error": "no valid token"})
        return answer(request, 200, {"user": user})


def auth_site(secret: bytes, now: Callable[[], float], name: str = "auth") -> DemoSite:
    """The auth service. `secret` signs the tokens; `now` is seconds of any clock; `name` is this target's."""
    auth = Auth(Tokens(secret, now))
    pages = Folder(login=Page(POST=auth.log_in), verify=Page(POST=auth.verify))
    return DemoSite(Folder(auth=pages, health=Page(GET=health)), name)
