"""Names of targets to addresses, remembered for a bounded time; nobody waits for a name that is known.

Knows a look-up only as a function from a name to a Deferred; no services, no connections, no timers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from apigateway.errors import NAME_NOT_RESOLVED, GatewayError

Addresses = tuple[str, ...]

FAILURE_TTL_S = 1.0
"""How long a failed look-up is not repeated."""

LOOKUP_S = 30.0
"""After this a look-up that is not answered is no longer waited for: whoever asks next begins another."""

STALE_TTLS = 10
"""After so many times its time to live an answer is no longer used, even where nothing newer can be had."""


@implementer(IResolutionReceiver)
class _Receiver:
    """Gathers the addresses of one look-up, each once, in the order given."""

    def __init__(self) -> None:
        self.found: dict[str, None] = {}
        self.complete: Deferred[Addresses] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        pass

    def addressResolved(self, address: IAddress) -> None:
        if isinstance(address, IPv4Address | IPv6Address):
            self.found[address.host] = None

    def resolutionComplete(self) -> None:
        self.complete.callback(tuple(self.found))


def reactor_lookup(reactor: IReactorPluggableNameResolver) -> Callable[[str], Deferred[Addresses]]:
    """A look-up by the reactor's own resolver, in its threads: the system's rules, `/etc/hosts` included."""

    def lookup(host: str) -> Deferred[Addresses]:
        receiver = _Receiver()
        reactor.nameResolver.resolveHostName(receiver, host)
        return receiver.complete

    return lookup


class _Answer:
    """What is known of a name: used as it is until `fresh_until`, meanwhile looked up again until `usable_until`, and
    until `kept_until` where the look-up fails. No addresses: the look-up failed."""

    __slots__ = ("addresses", "failing", "fresh_until", "kept_until", "usable_until")

    def __init__(self, addresses: Addresses, now: float, ttl_s: float) -> None:
        self.addresses = addresses
        self.failing = False
        self.fresh_until = now + ttl_s
        self.usable_until = now + 2 * ttl_s
        self.kept_until = now + STALE_TTLS * ttl_s


class Resolver:
    """Remembers up to `max_names` names for `ttl_s` seconds each; the one looked up longest ago is forgotten first.

    A name that is asked for all the time is looked up again in the background, while the old answer serves. One that
    nobody asked for during twice its time to live is looked up first, lest an address be used that is someone else's by
    now. When a look-up fails, the last good answer serves up to ten times its time to live.
    """

    log = Logger()

    def __init__(
        self,
        lookup: Callable[[str], Deferred[Addresses]],
        now: Callable[[], float],
        ttl_s: float = 30.0,
        max_names: int = 1000,
    ) -> None:
        self._lookup = lookup
        self._now = now
        self.ttl_s = ttl_s
        self._max_names = max_names
        self._answers: dict[str, _Answer] = {}
        self._waiting: dict[str, dict[Deferred[Addresses], None]] = {}
        self._began: dict[str, float] = {}

    def __repr__(self) -> str:
        waiting = sum(map(len, self._waiting.values()))
        return f"<Resolver {len(self._answers)} names, {len(self._waiting)} look-ups under way, {waiting} waiting>"

    def resolve(self, host: str) -> Addresses | Deferred[Addresses]:
        """The addresses of a name, in the order to try them; at once where they are known.

        `host` may be an address itself (IPv6 without brackets). The Deferred fails with a `GatewayError`, and may be
        cancelled by whoever no longer waits.
        """
        answer = self._answers.get(host)
        if answer is None:
            if isIPAddress(host) or isIPv6Address(host):
                return (host,)
            return self._wait(host)
        if self._now() < answer.fresh_until:
            return answer.addresses or fail(_unresolved())
        return self._stale(host, answer)

    def _stale(self, host: str, answer: _Answer) -> Addresses | Deferred[Addresses]:
        if not answer.addresses or self._now() >= answer.usable_until:
            return self._wait(host)
        if not self._is_under_way(host):
            answer.usable_until = answer.kept_until
            self._begin(host)
        return answer.addresses

    def _wait(self, host: str) -> Deferred[Addresses]:
        under_way = self._is_under_way(host)
        waiting = self._waiting.setdefault(host, {})
        # Who gives up is forgotten at once: a look-up may take long, and many may wait for it.
        mine: Deferred[Addresses] = Deferred(lambda mine: waiting.pop(mine, None))
        waiting[mine] = None
        if not under_way:
            self._begin(host)
        return mine

    def _is_under_way(self, host: str) -> bool:
        return host in self._waiting and self._now() < self._began[host] + LOOKUP_S

    def _begin(self, host: str) -> None:
        self._began[host] = self._now()
        self._waiting.setdefault(host, {})
        found = maybeDeferred(self._lookup, host).addCallback(_not_empty)
        answer = found.addCallbacks(partial(self._found, host), partial(self._not_found, host))
        answer.addCallback(partial(self._tell, host))

    def _found(self, host: str, addresses: Addresses) -> _Answer:
        return _Answer(addresses, self._now(), self.ttl_s)

    def _not_found(self, host: str, failure: Failure) -> _Answer:
        now = self._now()
        answer = self._answers.get(host)
        if answer is None or not answer.failing:
            self.log.warn(
                "{host} cannot be resolved: {reason}", event="name-not-resolved", host=host, reason=_why(failure)
            )
        if answer is None or now >= answer.kept_until:
            answer = _Answer((), now, 0.0)
        answer.failing = True
        answer.fresh_until = now + FAILURE_TTL_S
        answer.usable_until = min(answer.fresh_until + self.ttl_s, answer.kept_until)
        return answer

    def _tell(self, host: str, answer: _Answer) -> None:
        self._remember(host, answer)
        self._began.pop(host, None)
        for mine in list(self._waiting.pop(host, ())):
            if mine.called:
                continue
            if answer.addresses:
                mine.callback(answer.addresses)
            else:
                mine.errback(_unresolved())

    def _remember(self, host: str, answer: _Answer) -> None:
        self._answers.pop(host, None)
        if len(self._answers) >= self._max_names:
            del self._answers[next(iter(self._answers))]
        self._answers[host] = answer


def _not_empty(addresses: Addresses) -> Addresses:
    if not addresses:
        raise LookupError("the name has no address")
    return addresses


def _why(failure: Failure) -> str:
    return failure.getErrorMessage() or repr(failure.value)


def _unresolved() -> GatewayError:
    return GatewayError(NAME_NOT_RESOLVED, "The service's name could not be resolved.")
