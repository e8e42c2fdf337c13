"""One demo service in a process of its own, as the containers of docker-compose.yml run it."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from apigateway.demo.__main__ import options
from apigateway.testing.ports import free_port
from tests.starting import Started, environment, fetch


class OptionsTests(SynchronousTestCase):
    def test_a_service_listens_on_its_own_port_of_loopback_unless_told_otherwise(self) -> None:
        chosen = options(["product"])
        self.assertEqual((chosen.service, chosen.host, chosen.port), ("product", "127.0.0.1", 8002))

    def test_host_and_port_can_be_told(self) -> None:
        chosen = options(["auth", "--host", "0.0.0.0", "--port", "9001"])
        self.assertEqual((chosen.service, chosen.host, chosen.port), ("auth", "0.0.0.0", 9001))


class ProcessTests(SynchronousTestCase):
    def test_it_serves_until_it_is_told_to_stop(self) -> None:
        port = str(free_port())
        with Started([sys.executable, "-m", "apigateway.demo", "auth", "--port", port], "listens") as started:
            self.assertEqual(fetch(f"http://127.0.0.1:{port}/health"), b'{"status": "healthy"}\n')
        self.assertEqual(started.error_output(), "")

    def test_a_port_that_is_taken_is_told_in_one_line(self) -> None:
        port = str(free_port())
        command = [sys.executable, "-m", "apigateway.demo", "product", "--port", port]
        with Started(command, "listens"):
            second = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
        self.assertEqual((second.returncode, len(second.stderr.splitlines())), (1, 1), second.stderr)
        self.assertIn(port, second.stderr)
