"""Processes and their signals: how each way to start the gateway reloads and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.ports import free_port
from tests.starting import PATIENCE, ROOT, Started, environment, fetch, port_of

TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
LISTEN = "tcp:0:interface=127.0.0.1"
FILE = """
listen: ["LISTEN"]
stop: {accept: ACCEPT, drain: 1h}
services: {shop: {prefix: /shop, targets: ["http://127.0.0.1:PORT"], timeouts: {response: 1h}, health_check: false}}
"""


class SignalsTestCase(SynchronousTestCase):
    """Has a folder with a file, and a service that takes requests and never answers."""

    def setUp(self) -> None:
        self.service = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.service.close)
        self.service.settimeout(PATIENCE)
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.path = folder / "gateway.yaml"
        self.write()

    def write(self, accept: str = "0s", listen: str = LISTEN) -> None:
        port = str(self.service.getsockname()[1])
        self.path.write_text(FILE.replace("PORT", port).replace("ACCEPT", accept).replace("LISTEN", listen))

    def ways(self) -> list[tuple[list[str], dict[str, str]]]:
        """Every way to start it in the foreground, with the environment that it needs."""
        plain = environment()
        tac = environment(APIGATEWAY_CONFIG=str(self.path))
        return [
            ([sys.executable, "-m", "apigateway", "-c", str(self.path)], plain),
            ([sys.executable, "-m", "apigateway", "run", "-c", str(self.path)], plain),
            ([*TWISTD, "-n", "--pidfile=", "apigateway", "-c", str(self.path)], plain),
            ([*TWISTD, "-n", "--pidfile=", "-y", str(ROOT / "gateway.tac")], tac),
        ]

    def started(self) -> Started:
        command, environ = self.ways()[0]
        return Started(command, "listening", environ)

    def ask(self, gateway: Started) -> socket.socket:
        """A request that is on its way to the service and stays there."""
        client = socket.create_connection(("127.0.0.1", port_of(gateway)), PATIENCE)
        self.addCleanup(client.close)
        client.sendall(b"GET /shop HTTP/1.1\r\nHost: here\r\n\r\n")
        taken, _ = self.service.accept()
        self.addCleanup(taken.close)
        taken.settimeout(PATIENCE)
        self.assertIn(b"GET /shop", taken.recv(10_000))
        return client


class HangupTests(SignalsTestCase):
    def test_however_it_was_started_it_reads_its_file_again(self) -> None:
        for command, environ in self.ways():
            self.write()
            with Started(command, "listening", environ) as gateway:
                port = port_of(gateway)
                gateway.send(signal.SIGHUP)
                self.assertTrue(gateway.says("says what is in use already"), gateway.everything())
                self.write(accept="1s")
                gateway.send(signal.SIGHUP)
                self.assertTrue(gateway.says("is in use."), gateway.everything())
                self.path.write_text("nonsense: 1")
                gateway.send(signal.SIGHUP)
                self.assertTrue(gateway.says("nothing has changed"), gateway.everything())
                self.assertIn(b"live", fetch(f"http://127.0.0.1:{port}/health/live"))
            self.assertIn("nonsense: unknown key", gateway.everything())
            self.assertNotIn("Traceback", gateway.everything())
            self.assertEqual(gateway.status(), 0)

    def test_listeners_of_the_command_line_stay(self) -> None:
        command, environ = self.ways()[0]
        with Started([*command, "--listen", LISTEN], "listening", environ) as gateway:
            port = port_of(gateway)
            self.write(accept="1s", listen=f"tcp:{free_port()}")
            gateway.send(signal.SIGHUP)
            self.assertTrue(gateway.says("is in use."), gateway.everything())
            self.assertIn(b"live", fetch(f"http://127.0.0.1:{port}/health/live"))
            self.assertEqual(gateway.everything().count(" listening on"), 1)

    def test_without_a_file_it_says_that_there_is_nothing_to_read_again(self) -> None:
        with Started([sys.executable, "-m", "apigateway", "-l", LISTEN], "listening") as gateway:
            gateway.send(signal.SIGHUP)
            self.assertTrue(gateway.says("There is no configuration file"), gateway.everything())

    def test_its_own_events_are_written_as_the_new_file_says(self) -> None:
        with self.started() as gateway:
            self.path.write_text("log: {format: json}\n" + self.path.read_text())
            gateway.send(signal.SIGHUP)
            self.assertTrue(gateway.says('"event": "reloaded"'), gateway.everything())


class StopTests(SignalsTestCase):
    def test_either_signal_stops_it_with_success_however_it_was_started(self) -> None:
        for command, environ in self.ways():
            for number in (signal.SIGTERM, signal.SIGINT):
                with Started(command, "listening", environ) as gateway:
                    gateway.send(number)
                    self.assertEqual(gateway.end(), 0)
                self.assertNotIn("Traceback", gateway.everything())

    def test_a_second_signal_hurries_and_what_is_cut_is_told_why(self) -> None:
        for first, second in ((signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)):
            with self.started() as gateway:
                client = self.ask(gateway)
                gateway.send(first)
                self.assertTrue(gateway.says("stopping"), gateway.everything())
                gateway.send(second)
                self.assertEqual(gateway.end(), 0)
            answer = client.recv(10_000)
            self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
            self.assertIn(b"Connection: close", answer)
            (line,) = gateway.output().splitlines()
            record = json.loads(line)
            self.assertEqual((record["status"], record["cause"]), (503, "stopping"))
            self.assertNotIn("Traceback", gateway.everything())

    def test_it_skips_the_rest_of_the_time_for_new_connections_too(self) -> None:
        self.write(accept="1h")
        with self.started() as gateway:
            gateway.send(signal.SIGTERM)
            self.assertTrue(gateway.says("stopping"), gateway.everything())
            gateway.send(signal.SIGTERM)
            self.assertEqual(gateway.end(), 0)

    def test_many_signals_do_no_more_than_two(self) -> None:
        with self.started() as gateway:
            self.ask(gateway)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                gateway.send(number)
                time.sleep(0.02)
            self.assertEqual(gateway.end(), 0)
        self.assertNotIn("Traceback", gateway.everything())

    def test_the_services_of_the_demo_stop_after_the_gateway(self) -> None:
        urls = {f"{name}_SERVICE_URL": f"http://127.0.0.1:{free_port()}" for name in ("AUTH", "PRODUCT")}
        self.path.write_text(
            f"listen: ['{LISTEN}']\nstop: {{accept: 1h}}\n"
            f"services: {{p: {{prefix: /api, targets: ['{urls['PRODUCT_SERVICE_URL']}'], health_check: false}}}}\n"
        )
        command = [sys.executable, "-m", "apigateway", "--demo", "-c", str(self.path)]
        with Started(command, "listening", environment(**urls)) as gateway:
            gateway.send(signal.SIGTERM)
            self.assertTrue(gateway.says("stopping"), gateway.everything())
            self.assertIn(b"items", fetch(f"http://127.0.0.1:{port_of(gateway)}/api/products"))
            gateway.send(signal.SIGTERM)
            self.assertEqual(gateway.end(), 0)


class DaemonTests(SignalsTestCase):
    def test_a_daemon_reloads_and_stops_as_well(self) -> None:
        folder = self.path.parent
        port, pid_file, log = free_port(), folder / "twistd.pid", folder / "twistd.log"
        self.write(listen=f"tcp:{port}:interface=127.0.0.1")
        options = [f"--pidfile={pid_file}", f"--logfile={log}", f"--rundir={folder}"]
        command = [*TWISTD, *options, "apigateway", "-c", "gateway.yaml"]
        done = subprocess.run(command, env=environment(), cwd=folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        pid = int(pid_file.read_text())
        try:
            self.assertIn(b"live", fetch(f"http://127.0.0.1:{port}/health/live"))
            os.kill(pid, signal.SIGHUP)
            self.says(log, "says what is in use already")
        finally:
            os.kill(pid, signal.SIGTERM)
        self.says(log, "stopped")
        self.says(log, "Server Shut Down")
        self.assertNotIn("Traceback", log.read_text())

    def says(self, log: Path, sign: str) -> None:
        """Wait until a word stands in the log."""
        last = time.monotonic() + PATIENCE
        while sign not in log.read_text():
            self.assertLess(time.monotonic(), last, log.read_text())
            time.sleep(0.01)
