"""The keys of TLS to the targets of a service."""

from __future__ import annotations

from apigateway.config.given import Given
from apigateway.config.keys.tls import AUTHORITIES, CHAIN, KEY, MINIMUM
from apigateway.config.model.upstream_tls import UpstreamTls
from apigateway.config.scalars import BOOLEAN, matching
from apigateway.config.tables import Table, keys_of

# Also an address, of either kind: a certificate may be for one.
SERVER_NAME = matching(
    "a name such as api.internal, or an address",
    r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,62}\.?|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{0,40}",
    lambda text: text.lower().rstrip("."),
)


def _check_tls(given: Given) -> tuple[str, str] | None:
    if "key" in given.values and "certificate" not in given.values:
        return "key", "is of no use without `certificate`"
    return None


UPSTREAM_TLS = Table(
    "upstream_tls",
    keys_of(
        UpstreamTls,
        ca=(AUTHORITIES, "Who is trusted; without it, whom the system trusts."),
        server_name=(SERVER_NAME, "The name that is asked for and verified, instead of the one in the URL."),
        certificate=(CHAIN, "The gateway's own certificate, for services that ask for one."),
        key=KEY,
        verify=(BOOLEAN, "`false`: anybody may answer. Told at each start and reload, and in `/gateway/stats`."),
        minimum=MINIMUM,
    ),
    UpstreamTls,
    _check_tls,
)
