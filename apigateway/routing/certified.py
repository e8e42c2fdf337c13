"""Fields that tell services of clients' certificates: what clients send by these names nobody sees, on any listener.

Knows the names, and that a channel may have such fields for all its exchanges; not what is in a certificate.
"""

from __future__ import annotations

from apigateway.exchange import Exchange
from apigateway.routing.identity import Identity


class Certified:
    """Does what `identify` does, and gives the exchange the fields of its own client. `names` are in lower case and
    with dashes."""

    def __init__(self, identify: Identity, names: frozenset[bytes]) -> None:
        self._identify = identify
        self._names = names
        self.trusts = identify.trusts

    def __call__(self, exchange: Exchange) -> None:
        """See `Identity`. Comes before anything looks at the request's fields."""
        self._identify(exchange)
        exchange.head.own(self._names, list(getattr(exchange.downstream, "certificate_fields", ())))
