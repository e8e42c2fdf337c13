"""How TLS is to be spoken with clients, as values: two that are alike may share sessions. Knows no configuration."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate with its chain, and its key, where that does not stand in the same text; both in PEM.

    `path` is where it comes from, for messages.
    """

    path: str
    certificate: bytes = field(repr=False)
    key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ClientTerms:
    """`authorities`, in PEM, judge clients' certificates, without which nobody is served where they are `required`.

    `subject_field` and `fingerprint_field` tell services whose it was; None: they are not told.
    """

    authorities: bytes = field(repr=False)
    required: bool = True
    subject_field: bytes | None = None
    fingerprint_field: bytes | None = None


@dataclass(frozen=True, slots=True)
class TlsTerms:
    """The first of `pairs` is for whoever wants no name, or one that none is for. `minimum` is "1.2" or "1.3"."""

    pairs: tuple[KeyPair, ...]
    minimum: str = "1.2"
    clients: ClientTerms | None = None
