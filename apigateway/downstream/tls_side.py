"""TLS on one listener: who arrives there, with which certificates, and what came of their handshakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.logger import Logger

from apigateway.downstream.arriving import IN_CLEAR, Arriving
from apigateway.downstream.certificates import DAY_S, Certificates
from apigateway.downstream.client_fields import client_fields, has_ended
from apigateway.downstream.tls_terms import TlsTerms
from apigateway.sockets.seldom import Seldom
from apigateway.sockets.tls import TlsFailed
from apigateway.sockets.tls_server import ServerTls
from apigateway.sockets.tls_stream import TlsStream

if TYPE_CHECKING:
    from apigateway.downstream.site import CameBy, GatewaySite

_log = Logger(namespace="apigateway.tls")

Follow = Callable[[IAddress | None, bool], Protocol]
"""What speaks with a client of that address, who speaks TLS or does not."""


class TlsSide:
    """`following` makes what speaks with clients inside of TLS; `wall` tells the time of day.

    `done`, `resumed` and `failed`, by reason, count handshakes. They go on when the terms change.
    """

    def __init__(
        self, terms: TlsTerms, site: GatewaySite, listener: CameBy, following: Follow, wall: Callable[[], float]
    ) -> None:
        self.done = self.resumed = 0
        self.failed: Counter[str] = Counter()
        self._site = site
        self._listener = listener
        self._following = following
        self._wall = wall
        self._last: tuple[TlsFailed, str] = TlsFailed(""), ""
        self._failures = Seldom(site.now, self._tell)
        self._take(terms)

    def __repr__(self) -> str:
        return f"<TlsSide {self._certificates!r} done={self.done} failed={self.failed.total()}>"

    def use(self, terms: TlsTerms) -> None:
        """Other terms for who arrives from now on; where they are the same, sessions go on."""
        if terms != self._certificates.terms:
            self._take(terms)

    def _take(self, terms: TlsTerms) -> None:
        self._certificates = Certificates(terms, self._site.now)
        self._server = ServerTls(self._certificates.choose, IN_CLEAR)
        self._look_again = self._site.now()

    def arrive(self, address: IAddress | None, peer: str) -> Protocol:
        """What speaks with a new client."""
        clients = self._certificates.terms.clients

        def follow(stream: TlsStream) -> Protocol:
            shown = None if clients is None else stream.peer.certificate
            resumed = stream.resumed
            if resumed and has_ended(shown, self._wall()):
                # OpenSSL has judged it in the first handshake alone.
                raise TlsFailed("CERTIFICATE_VERIFY_FAILED", "the client's certificate has expired since")
            self.done += 1
            self.resumed += resumed
            protocol: Any = self._following(address, True)
            protocol.certificate_fields = client_fields(clients, shown)
            made: Protocol = protocol
            return made

        return Arriving(self._site, self._listener, peer, self._server, follow, self._failure)

    def _failure(self, why: TlsFailed, peer: str) -> None:
        self.failed[why.reason] += 1
        self._last = why, peer
        self._failures.happened()

    def _tell(self, times: int) -> None:
        why, peer = self._last
        _log.info(
            "a TLS handshake with {peer} failed: {why} ({reason}); {times} failed since last told",
            event="tls-handshake-failed", peer=peer, why=str(why), reason=why.reason, times=times,
        )  # fmt: skip

    def sweep(self, now: float) -> None:
        """Once a day, and when there are others, see whether the certificates are still good."""
        if now < self._look_again:
            return
        self._look_again = now + DAY_S
        for complaint in self._certificates.complaints(self._wall()):
            _log.warn("certificate {complaint}", event="certificate-expires", complaint=complaint)

    def describe(self) -> dict[str, Any]:
        """Handshakes, and the certificates with the days they have left."""
        wall = self._wall()
        return {
            "handshakes": self.done,
            "resumed": self.resumed,
            "failed": dict(self.failed),
            "waiting": len(self._site.handshakes),
            "certificates": [
                {"file": one.path, "names": list(one.names), "days_left": round(one.days_left(wall), 2)}
                for one in self._certificates.all
            ],
        }
