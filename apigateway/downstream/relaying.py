"""How a client's connection becomes one end of a relay, and its other end is found.

Knows the site, one connection of it, and an attempt; not what is relayed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IProtocol

from apigateway.downstream.intake import Intake
from apigateway.downstream.relay import Relay, RelayAccount
from apigateway.exchange import Exchange
from apigateway.interfaces import IAttempt
from apigateway.sockets.hand_over import hand_over

if TYPE_CHECKING:
    from apigateway.downstream.site import GatewaySite


def begin_relay(
    site: GatewaySite, channel: Any, intake: Intake, exchange: Exchange | None, attempt: IAttempt, account: RelayAccount
) -> None:
    """Pass on bytes between `channel`, whose answer 101 is written, and the service of `attempt`.

    What the client has sent behind its request goes to the service first.
    """
    assert exchange is not None  # it has just been answered
    transport, reader = channel.transport, intake.reader
    early = reader.put_off
    reader.forget()
    transport.unregisterProducer()
    intake.read(True)

    def connect(side: IProtocol) -> bytes:
        hand_over(transport, channel, side)
        return early

    relay = Relay(exchange, account, channel.listener, site.now, site.channel_closed)
    site.switched(channel, relay)
    relay.begin(connect, attempt.switch)
    if site.stopping:
        relay.stop()
