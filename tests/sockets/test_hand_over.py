"""A connection that gets another protocol."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets.hand_over import hand_over


class Plain:
    """A transport that calls its protocol so."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol


class Wrapping:
    """One that wraps another, and calls its own protocol otherwise."""

    def __init__(self, protocol: Any) -> None:
        self.wrappedProtocol = protocol
        self.protocol = self


class HandOverTests(SynchronousTestCase):
    def test_the_other_protocol_has_it_from_then_on(self) -> None:
        for kind, place in ((Plain, "protocol"), (Wrapping, "wrappedProtocol")):
            before, after = Protocol(), Protocol()
            transport: Any = kind(before)
            hand_over(transport, before, after)
            self.assertIs(getattr(transport, place), after)
            self.assertIs(after.transport, transport)

    def test_one_that_does_not_tell_whose_it_is_is_refused(self) -> None:
        mine, other = Protocol(), Protocol()
        for transport in (object(), Plain(other)):
            self.assertRaises(ValueError, hand_over, transport, mine, Protocol())
