"""How TLS is spoken to the targets of a service."""

from __future__ import annotations

from dataclasses import dataclass

from apigateway.config.model.files import GivenFile


@dataclass(frozen=True, slots=True)
class UpstreamTls:
    """For `https://` targets.

    `ca` are the authorities that are trusted, None: the system's. `server_name` is asked for and verified instead of
    the name in the URL. `key` is None where it stands in the same file as the certificate. `minimum` is "1.2" or "1.3".
    """

    ca: GivenFile | None = None
    server_name: str | None = None
    certificate: GivenFile | None = None
    key: GivenFile | None = None
    verify: bool = True
    minimum: str = "1.2"
