"""The certificates of a listener: whose they are, which one a client gets, and how long they are good.

Knows nothing of connections. Times of day are seconds since 1970.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography import x509

from apigateway.downstream.tls_terms import KeyPair, TlsTerms
from apigateway.sockets.pem import certificates_in, identify, trust
from apigateway.sockets.tls import VERSIONS
from apigateway.sockets.tls_server import server_context

ROTATE_S = 12 * 3600.0
"""So long the keys live that session tickets are sealed with. Who comes with an older ticket does a full handshake."""

SOON_DAYS = 14
"""With so few days left a certificate is talked of."""

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Validity:
    """Whose a certificate is, and from when until when it is good; `kind` is that of its key."""

    path: str
    names: tuple[str, ...]
    begins: float
    ends: float
    kind: str

    def days_left(self, wall: float) -> float:
        """Until it ends; below 0 where it has ended."""
        return (self.ends - wall) / DAY_S

    def complaint(self, wall: float) -> str | None:
        """What is wrong with it, or soon will be."""
        days = self.days_left(wall)
        if days < 0:
            return f"{self.path} has expired {-days:.1f} days ago"
        if wall < self.begins:
            return f"{self.path} is not valid yet, for {(self.begins - wall) / DAY_S:.1f} days"
        return f"{self.path} expires in {days:.1f} days" if days < SOON_DAYS else None


def validity_of(pair: KeyPair) -> Validity:
    """What a certificate says of itself. Raises `ValueError` where that can't be read."""
    found = x509.load_pem_x509_certificate(certificates_in(pair.certificate)[0])
    return Validity(
        path=pair.path,
        names=tuple(dict.fromkeys(name.lower().removesuffix(".") for name in _names(found))),
        begins=found.not_valid_before_utc.timestamp(),
        ends=found.not_valid_after_utc.timestamp(),
        kind=type(found.public_key()).__name__,
    )


def _names(certificate: x509.Certificate) -> Iterable[str]:
    """Those in the field for it; who looks at certificates has long stopped looking elsewhere (RFC 9525 §6.3)."""
    try:
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return named.get_values_for_type(x509.DNSName)


class Certificates:
    """Gives each client a context. `now` reads a monotonic clock. Raises `ssl.SSLError` and `ValueError` for bad ones.

    The keys of session tickets live and end with the contexts.
    """

    def __init__(self, terms: TlsTerms, now: Callable[[], float]) -> None:
        self.terms = terms
        self.all = tuple(map(validity_of, terms.pairs))
        self._now = now
        self._renew()

    def __repr__(self) -> str:
        return f"<Certificates {' '.join(one.path for one in self.all)}>"

    def choose(self, name: str | None) -> ssl.SSLContext:
        """The context for a client that wants `name`, in lower case; a `*` stands for one label (RFC 9525 §6.3)."""
        if self._now() >= self._renew_at:
            self._renew()
        if name is None:
            return self._first
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name.get("*." + name.partition(".")[2], self._first)
        return found

    def _renew(self) -> None:
        """Contexts with new keys for tickets."""
        self._renew_at = self._now() + ROTATE_S
        self._by_name: dict[str, ssl.SSLContext] = {}
        contexts: dict[tuple[str, ...], tuple[ssl.SSLContext, set[str]]] = {}
        for pair, about in zip(self.terms.pairs, self.all, strict=True):
            names = tuple(sorted(about.names))
            context, kinds = contexts.setdefault(names, (self._context(), set()))
            if about.kind in kinds:
                continue  # the first one counts
            # One with another kind of key for the same names: the client says which it takes.
            kinds.add(about.kind)
            identify(context, pair.certificate, pair.key)
            for name in names:
                self._by_name.setdefault(name, context)
        self._first = next(iter(contexts.values()))[0]

    def _context(self) -> ssl.SSLContext:
        context = server_context(VERSIONS[self.terms.minimum])
        clients = self.terms.clients
        if clients is not None:
            trust(context, clients.authorities)
            context.verify_mode = ssl.CERT_REQUIRED if clients.required else ssl.CERT_OPTIONAL
        return context

    def complaints(self, wall: float) -> list[str]:
        """What is to be said of certificates that are not good, or not for long."""
        return [said for one in self.all if (said := one.complaint(wall)) is not None]
