"""How much of what was written has not been taken: in the process, in the kernel, on the way."""

from __future__ import annotations

import contextlib
import socket
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets.unsent import unsent, waiting
from tests.behaviour.caller import hold_little
from tests.behaviour.waiting import a_moment, a_turn, until
from tests.sockets.test_transports import Connected


class UnsentTests(Connected):
    async def test_all_that_the_peer_has_not_taken_is_counted_and_becomes_less_as_it_takes(self) -> None:
        server, client = await self.pair()
        hold_little(server.transport)
        hold_little(client.transport)
        client.transport.pauseProducing()
        server.transport.write(b"x" * 1_000_000)
        await a_moment()
        before = unsent(server.transport)
        self.assertGreater(waiting(server.transport), 500_000)
        self.assertGreater(before, waiting(server.transport), "what the kernel has was not counted")
        self.assertLessEqual(before, 1_000_000)
        taken = 0
        while taken < 200_000:
            with contextlib.suppress(BlockingIOError):
                taken += len(client.transport.getHandle().recv(65536))
            await a_turn()
        await until(lambda: unsent(server.transport) < before - 100_000, "what was taken")
        client.transport.resumeProducing()
        await until(lambda: len(client.received) + taken == 1_000_000)
        await until(lambda: unsent(server.transport) == 0)


class OddTransportTests(SynchronousTestCase):
    def test_a_double_tells_itself(self) -> None:
        self.assertEqual(unsent(SimpleNamespace(unsent=7)), 7)

    def test_where_there_is_no_socket_only_what_waits_in_the_process_counts(self) -> None:
        fields: dict[str, Any] = {"dataBuffer": b"12345", "offset": 2, "_tempDataLen": 4}
        self.assertEqual(unsent(SimpleNamespace(fileno=lambda: -1, **fields)), 7)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            self.assertEqual(unsent(SimpleNamespace(fileno=other.fileno, **fields)), 7)
