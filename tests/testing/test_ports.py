"""A port that is given is nobody else's."""

from __future__ import annotations

import socket
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing import ports
from apigateway.testing.ports import free_port
from tests.starting import environment

MANY = 300
ASKS = f"from apigateway.testing.ports import free_port; print(*(free_port() for _ in range({MANY})))"


class FreePortTests(SynchronousTestCase):
    def setUp(self) -> None:
        held: list[socket.socket] = []
        self.patch(ports, "_held", held)
        # Others may need the descriptors.
        self.addCleanup(self.release, held)

    def release(self, held: list[socket.socket]) -> None:
        for one in held:
            one.close()

    def test_none_is_given_twice_here_or_in_another_process(self) -> None:
        mine = {free_port() for _ in range(MANY)}
        asked = subprocess.run([sys.executable, "-c", ASKS], capture_output=True, check=True, env=environment())
        theirs = {int(port) for port in asked.stdout.split()}
        self.assertEqual((len(mine), len(theirs), mine & theirs), (MANY, MANY, set()))

    def test_who_was_given_one_listens_there_more_than_once(self) -> None:
        port = free_port()
        for _ in range(2):
            with socket.create_server(("127.0.0.1", port)) as server, socket.create_connection(("127.0.0.1", port)):
                server.accept()[0].close()

    def test_nobody_answers_until_then(self) -> None:
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", free_port()))
