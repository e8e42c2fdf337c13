"""What the transports have in common: the bounds of a pool, and the refusal where they are reached."""

from __future__ import annotations

from typing import Protocol as Shape

from apigateway.errors import POOL_EXHAUSTED, GatewayError


class PoolOptions(Shape):
    """What a pool must know: see `Pool` of the configuration."""

    @property
    def connections(self) -> int:
        """The most connections open at once."""

    @property
    def waiting(self) -> int:
        """The most exchanges waiting for one."""

    @property
    def idle(self) -> float:
        """Seconds until an unused connection is closed."""


def exhausted(options: PoolOptions) -> GatewayError:
    """No connection is to be had: all are busy, and there is no place in the line or the wait was too long."""
    detail = f"All {options.connections} connections to the service are busy."
    return GatewayError(POOL_EXHAUSTED, detail, retry_after_s=1)
