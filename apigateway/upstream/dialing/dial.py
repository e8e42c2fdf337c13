"""Makes connections to one target: resolves its name, tries its addresses in turn, in bounded time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from errno import EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import TimeoutError as TimedOut
from twisted.internet.interfaces import IAddress, IConnector, IReactorTime
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.python.failure import Failure

from apigateway.errors import CONNECT_FAILED, CONNECT_TIMEOUT, NAME_NOT_RESOLVED, NO_DESCRIPTORS, GatewayError

Resolve = Callable[[str], "tuple[str, ...] | Deferred[tuple[str, ...]]"]
ConnectTCP = Callable[[str, int, ClientFactory[Any], float], IConnector]
Explain = Callable[[BaseException], "GatewayError | None"]
"""The error of an attempt for why a connection failed, or None where that is not known better than by TCP."""


def nothing_more(why: BaseException) -> None:
    """There is TCP alone."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a connection to an address is made.

    What goes wrong beside TCP is `explain`ed; `refusal` is the same of a new connection that was lost before it has
    carried an answer. `describe` gives what is to be shown of it.
    """

    connect: ConnectTCP
    explain: Explain = nothing_more
    refusal: Explain = nothing_more
    describe: Callable[[], dict[str, int]] = dict


class Dialer:
    """Connects protocols to `host`:`port`. A call takes the protocol to build, and whom to tell when that failed.

    `timeout_s` bounds the look-up and the tries at all addresses of the name together.
    """

    def __init__(
        self,
        host: str,
        port: int,
        timeout_s: float,
        resolve: Resolve,
        way: Way,
        clock: IReactorTime,
        now: Callable[[], float],
    ) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._resolve = resolve
        self._way = way
        self._clock = clock
        self._now = now

    def __call__(self, build: Callable[[], Protocol], failed: Callable[[GatewayError], None]) -> None:
        """Begin to connect. The protocol's `connectionMade` tells of success."""
        deadline = self._now() + self._timeout_s
        addresses = self._resolve(self._host)
        if isinstance(addresses, Deferred):
            addresses.addTimeout(self._timeout_s, self._clock)
            addresses.addCallbacks(
                lambda found: self._try(found, deadline, build, failed), lambda why: failed(_unresolved(why))
            )
        else:
            self._try(addresses, deadline, build, failed)

    def _try(
        self,
        addresses: tuple[str, ...],
        deadline: float,
        build: Callable[[], Protocol],
        failed: Callable[[GatewayError], None],
    ) -> None:
        tries = _Tries(addresses, self._port, deadline, self._way, self._now)
        tries.begin(build, failed)


def _unresolved(why: Failure) -> GatewayError:
    if isinstance(why.value, GatewayError):
        return why.value
    return GatewayError(NAME_NOT_RESOLVED, "The service's name could not be resolved.")


class _Tries(ClientFactory[Protocol]):
    """The addresses of one name, tried one after the other until one connects or the time is up."""

    noisy = False

    def __init__(
        self, addresses: tuple[str, ...], port: int, deadline: float, way: Way, now: Callable[[], float]
    ) -> None:
        self._addresses = list(addresses)
        self._port = port
        self._deadline = deadline
        self._way = way
        self._now = now

    def begin(self, build: Callable[[], Protocol], failed: Callable[[GatewayError], None]) -> None:
        self._build = build
        self._failed = failed
        self._next(None)

    def _next(self, why: Failure | None) -> None:
        left_s = self._deadline - self._now()
        if not self._addresses or left_s <= 0:
            known = self._way.explain(why.value) if why is not None and why.value is not None else None
            failed = self._failed
            self._end()
            failed(known or _not_connected(why))
        else:
            self._way.connect(self._addresses.pop(0), self._port, self, left_s)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        protocol = self._build()
        self._end()
        return protocol

    def _end(self) -> None:
        """The connection holds its factory for as long as it lives, which need not hold who wanted a connection."""
        self._build, self._failed = _over, _nobody

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._next(reason)


def _over() -> Protocol:
    raise RuntimeError("a connection that was made already")


def _nobody(error: GatewayError) -> None:
    """Who was told once is told no more."""


_OURS = frozenset((EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL))


def own_fault(why: BaseException | None) -> GatewayError | None:
    """The error where no socket or port of our own was to be had, which says nothing of the target; else None."""
    if getattr(why, "osError", None) not in _OURS:
        return None
    return GatewayError(NO_DESCRIPTORS, "No connection to the service can be opened now.", retry_after_s=1)


def _not_connected(why: Failure | None) -> GatewayError:
    if why is None or why.check(TimedOut):
        return GatewayError(CONNECT_TIMEOUT, "The service did not accept a connection in time.")
    if why.check(Refused):
        return GatewayError(CONNECT_FAILED, "The service refused the connection.")
    return own_fault(why.value) or GatewayError(CONNECT_FAILED, "The service could not be reached.")
