"""A gateway that has no descriptors left: it serves whom it can, spins not, and says so once in a while."""

from __future__ import annotations

import os
import resource
import socket
import sys
import time
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.starting import Started, environment, port_of

CONFIGURATION = """
listen: ["tcp:0:interface=127.0.0.1"]
access_log: false
services:
  one: {{prefix: /api, targets: ["http://127.0.0.1:{port}"], health_check: false, rate_limit: false}}
"""
PATIENCE_S = 60.0
LOOK_S = 1.0
LOOKS = 10


class Service:
    """Takes connections and answers none; `ask` is one of the clients of the gateway before it."""

    def __init__(self, test: TestCase) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        test.addCleanup(self.listening.close)
        self.port: int = self.listening.getsockname()[1]


class DescriptorsTests(TestCase):
    def gateway(self) -> Started:
        file = Path(self.mktemp())
        file.write_text(CONFIGURATION.format(port=Service(self).port), encoding="utf-8")
        command = [sys.executable, "-m", "apigateway", "--config", str(file)]
        return Started(command, "listening on", environment())

    def client(self, port: int, data: bytes = b"") -> socket.socket:
        made = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.addCleanup(made.close)
        made.sendall(data)
        return made

    def limit(self, gateway: Started, more: int) -> None:
        """Leave it so many descriptors beyond those that it has."""
        pid = gateway._process.pid
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + more,) * 2)

    def used(self, gateway: Started) -> float:
        """Processor seconds that it has used."""
        fields = Path(f"/proc/{gateway._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rests(self, gateway: Started) -> bool:
        """Whether it comes to rest; one that spins never does, however much it had to do before."""
        for _ in range(LOOKS):
            before = self.used(gateway)
            time.sleep(LOOK_S)
            if self.used(gateway) - before < LOOK_S / 3:
                return True
        return False

    def health(self, client: socket.socket) -> bytes:
        client.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        return client.recv(100)[:15]

    def in_vain(self) -> None:
        """All of it, in a thread: the reactor has nothing to do with these processes."""
        with self.gateway() as gateway:
            port = port_of(gateway)
            self.assertEqual(self.health(self.client(port)), b"HTTP/1.1 200 OK")
            self.limit(gateway, 20)
            began = time.monotonic()
            busy = [self.client(port, b"GET /api HTTP/1.1\r\nHost: h\r\n\r\n") for _ in range(40)]
            self.assertTrue(gateway.says("no descriptors for new connections"), gateway.everything())
            self.assertTrue(self.rests(gateway), "it spins")
            waiting = self.client(port)
            for one in busy:
                one.close()
            self.assertEqual(self.health(waiting), b"HTTP/1.1 200 OK", "it does not go on")
            self.assertLess(gateway.everything().count("no descriptors"), 11 + time.monotonic() - began)
            self.assertNotIn("Traceback", gateway.everything())

    def idle(self) -> None:
        with self.gateway() as gateway:
            port = port_of(gateway)
            self.limit(gateway, 20)
            for _ in range(100):
                self.client(port)
            for _ in range(10):
                self.assertEqual(self.health(self.client(port)), b"HTTP/1.1 200 OK")
            self.assertNotIn("Traceback", gateway.everything())

    async def test_where_all_are_busy_accepting_waits_and_goes_on_and_nothing_spins(self) -> None:
        await deferToThread(self.in_vain)

    async def test_connections_that_rest_make_room_for_those_that_ask(self) -> None:
        await deferToThread(self.idle)
