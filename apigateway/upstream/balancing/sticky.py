"""Sessions that stay: a signed cookie names the target that answered, and the next request goes there again.

Knows cookies and targets; no routes. The cookie tells nothing of where a target is, and can't be made without the
secret: what names no target, or was not signed here, is as good as none.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Collection
from dataclasses import replace
from hashlib import sha256
from hmac import compare_digest, digest

from zope.interface import implementer

from apigateway.exchange import Exchange
from apigateway.http.cookies import cookie, without_cookie
from apigateway.http.heads import ResponseHead
from apigateway.interfaces import IBalancer
from apigateway.upstream.balancing.fitness import is_steady
from apigateway.upstream.balancing.group import Group
from apigateway.upstream.steps.plan import ForwardPlan
from apigateway.upstream.target import Target

_ID_BYTES, _SIGNATURE_BYTES = 9, 18
MOST_PLANS = 1000
"""So many plans of routes are remembered."""


class Signer:
    """Makes the values of cookies for the targets of one service, and reads them."""

    __slots__ = ("_secret", "_service")

    def __init__(self, secret: str, service: str) -> None:
        self._secret = secret.encode()
        self._service = service

    def name(self, url: str) -> bytes:
        """What a target is called in a cookie: always the same, and nobody without the secret can tell its address."""
        return self._digest("name", url.encode(), _ID_BYTES)

    def signed(self, name: bytes) -> bytes:
        """The value of a cookie with this name."""
        return b"%b.%b" % (name, self._digest("cookie", name, _SIGNATURE_BYTES))

    def read(self, value: bytes) -> bytes | None:
        """The name in a cookie; None where it was not signed here. Takes as long for every wrong signature."""
        name = value.partition(b".")[0]
        return name if compare_digest(value, self.signed(name)) else None

    def _digest(self, purpose: str, data: bytes, size: int) -> bytes:
        about = f"apigateway sticky {purpose}\0{self._service}\0".encode()
        return urlsafe_b64encode(digest(self._secret, about + data, sha256)[:size])


@implementer(IBalancer)
class Sticky:
    """Another balancer's picks, which then stay. A target that may not be tried, or has failed, gives way to a pick.

    `name` is the cookie's, `max_age` how long a browser keeps it, in seconds; None: until it is closed.
    """

    __slots__ = ("_service", "_group", "_balancer", "_cookie", "_signer", "_named", "_lines", "_plans")

    def __init__(
        self, service: str, group: Group, balancer: IBalancer, name: str, secret: str, max_age: int | None = None
    ) -> None:
        self._service = service
        self._group = group
        self._balancer = balancer
        self._cookie = name.encode()
        self._signer = signer = Signer(secret, service)
        names = {target.url: signer.name(target.url) for target in group.targets}
        self._named = {names[target.url]: target for target in group.targets}
        age = b"" if max_age is None else b"; Max-Age=%d" % max_age
        self._lines = {
            url: b"%b=%b; Path=/%b; HttpOnly; SameSite=Lax" % (self._cookie, signer.signed(name), age)
            for url, name in names.items()
        }
        self._plans: dict[int, tuple[ForwardPlan, ForwardPlan]] = {}

    def __repr__(self) -> str:
        return f"<Sticky {self._cookie.decode()} {self._balancer!r}>"

    def pick(self, exchange: Exchange, now: float, tried: Collection[Target] = ()) -> Target | None:
        """See `IBalancer.pick`. The cookie goes no further: it is no business of the service."""
        value, target = cookie(exchange.head, self._cookie), None
        if value is not None:
            exchange.head.plain = without_cookie(exchange.head.plain, self._cookie)
            target = self._named_by(value)
        if target is not None and target not in tried and (is_steady(target) or target in self._group.fit(now, tried)):
            return target
        picked: Target | None = self._balancer.pick(exchange, now, tried)
        return picked

    def plan(self, plan: ForwardPlan) -> ForwardPlan:
        """How exchanges of a route are sent on, so that their answers get the cookie."""
        known = self._plans.get(id(plan))
        if known is None:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            # It is kept with what is made of it, so that no other plan can have its id.
            known = plan, replace(plan, on_response=(*plan.on_response, self._answered))
            self._plans[id(plan)] = known
        return known[1]

    def _named_by(self, value: bytes) -> Target | None:
        name = self._signer.read(value)
        return None if name is None else self._named.get(name)

    def _answered(self, exchange: Exchange, head: ResponseHead) -> None:
        """An answer of the service is about to go out; where another one stands in, the cookie is not its business."""
        if exchange.service != self._service or exchange.target not in self._lines:
            return
        # What came is still known, though it was not sent on.
        value = cookie(exchange.head, self._cookie)
        named = None if value is None else self._named_by(value)
        if named is None or named.url != exchange.target:
            secure = b"; Secure" if exchange.secure else b""
            head.fields.append((b"Set-Cookie", self._lines[exchange.target] + secure))
