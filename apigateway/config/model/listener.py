"""One address that clients connect to, and how a connection begins there."""

from __future__ import annotations

from dataclasses import dataclass, field

from apigateway.config.model.tls import Tls
from apigateway.config.problems import Where


@dataclass(frozen=True, slots=True)
class Redirect:
    """Every request is sent to the same URL with `scheme`, at `port`; None: the scheme's own."""

    scheme: str = "https"
    port: int | None = None
    status: int = 308


@dataclass(frozen=True, slots=True)
class Listener:
    """A Twisted endpoint string, and what holds for its connections.

    With `proxy_protocol` each begins with a header of the PROXY protocol, and only `proxies` may connect; where these
    are empty, the trusted proxies. `where` is the place in the file.
    """

    endpoint: str
    proxy_protocol: bool = False
    proxies: tuple[str, ...] = ()
    redirect: Redirect | None = None
    tls: Tls | None = None
    where: Where = field(default=Where("listen"), repr=False, compare=False)
