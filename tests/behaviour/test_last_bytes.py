"""The end of an answer is sent, though the connection ends with it and the kernel has no room for it yet."""

from __future__ import annotations

import select
from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.sockets.unsent import waiting
from apigateway.testing.steps import ReadAll, Respond
from tests.behaviour.caller import chunked, hold_little, request
from tests.behaviour.combinations import CHANNEL, Combination, only, over_all_combinations
from tests.behaviour.stage import Stage
from tests.behaviour.waiting import a_moment, until

PIECE = b"x" * 8192
"""Less than the room that the kernel has when it says that there is none."""


def has_room(transport: Any) -> bool:
    """Whether the kernel says so."""
    poll = select.poll()
    poll.register(transport.fileno(), select.POLLOUT)
    return bool(poll.poll(0))


@over_all_combinations
class LastBytesTests(TestCase):
    @only(CHANNEL)
    async def test_the_end_of_a_connection_waits_for_what_the_kernel_has_not_sent(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
        sink = await stage.sink()
        sink.transport.write(request("GET", "/api", "Connection: close"))
        await until(lambda: stage.one.requests and stage.one.requests[0].is_complete)
        (channel,) = stage.gateway.site.channels
        transport: Any = channel.transport
        hold_little(transport)
        service = stage.one.connections[0]
        while has_room(transport):
            service.write(chunked(PIECE).removesuffix(b"0\r\n\r\n"))
            await a_moment()
        self.assertEqual(waiting(transport), 0)
        service.write(b"0\r\n\r\n")
        for _ in range(5):
            await a_moment()
        sink.transport.resumeProducing()
        await until(lambda: sink.lost is not None, sink)
        self.assertTrue(sink.tail.endswith(b"0\r\n\r\n"), (sink, sink.tail))
