"""What is wanted of an address that clients connect to. Knows no configuration: `assembly` makes these from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from apigateway.downstream.redirect import Redirection
from apigateway.downstream.tls_terms import TlsTerms


@dataclass(frozen=True, slots=True)
class Opening:
    """A Twisted endpoint string, and what holds for connections by it; all but the string may change while it is open.

    `where` it was said, for messages. With `proxies`, each connection begins with a header of the PROXY
    protocol, and only peers whose address it holds may connect. `redirect` answers every exchange.
    `tls` is how TLS is spoken there.
    """

    endpoint: str
    where: str = "listen"
    proxies: Callable[[str], bool] | None = None
    redirect: Redirection | None = None
    tls: TlsTerms | None = None
