"""The gateway as twistd starts it: the plugin, `gateway.tac`, and how either begins and ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway import __version__, tap
from apigateway.testing.ports import free_port
from tests.starting import ROOT, Started, demo_urls, environment, fetch, port_of
from twisted.plugins.apigateway_plugin import apigateway

TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=")
"""twistd in the foreground, also where its script is not on the path."""

ANYWHERE = "tcp:0:interface=127.0.0.1"


def twistd(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run twistd to its end."""
    command = [*TWISTD, *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)


class PluginTests(SynchronousTestCase):
    def test_it_is_a_plugin_of_twistd(self) -> None:
        self.assertTrue(verifyObject(IServiceMaker, apigateway))
        self.assertTrue(IPlugin.providedBy(apigateway))

    def test_it_names_the_options_and_the_service_of_tap(self) -> None:
        self.assertIs(apigateway.options, tap.Options)
        self.assertIs(apigateway.makeService, tap.makeService)

    def test_twistd_lists_it(self) -> None:
        self.assertIn(f"    {apigateway.tapname} ", twistd("--help").stdout)


class ProcessTests(SynchronousTestCase):
    def folder(self) -> Path:
        path = Path(self.mktemp()).resolve()
        path.mkdir()
        return path

    def test_the_demo_serves_with_the_services_behind_it(self) -> None:
        command = [*TWISTD, "apigateway", "--demo", "--listen", ANYWHERE]
        with Started(command, "listening", environment(**demo_urls())) as gateway:
            here = f"http://127.0.0.1:{port_of(gateway)}"
            self.assertEqual(json.loads(fetch(f"{here}/"))["version"], __version__)
            self.assertEqual(len(json.loads(fetch(f"{here}/api/products"))["items"]), 3)
        self.assertNotIn("Traceback", gateway.everything())

    def test_told_to_stop_it_ends_with_success_and_says_so(self) -> None:
        with Started([*TWISTD, "apigateway", "--listen", ANYWHERE], "listening") as gateway:
            fetch(f"http://127.0.0.1:{port_of(gateway)}/health/live")
        self.assertEqual(gateway.status(), 0)
        words = [line.split()[3] for line in gateway.error_output().splitlines()]
        self.assertEqual(words[-4:], ["listening", "stopping", "not-listening", "stopped"])
        self.assertNotIn("Traceback", gateway.everything())

    def test_its_events_go_to_standard_error_so_that_standard_output_is_the_access_log_alone(self) -> None:
        with Started([*TWISTD, "apigateway", "--listen", ANYWHERE], "listening") as gateway:
            fetch(f"http://127.0.0.1:{port_of(gateway)}/")
        (line,) = gateway.output().splitlines()
        self.assertEqual(json.loads(line)["path"], "/")

    def test_its_events_are_json_where_the_file_says_so(self) -> None:
        file = self.folder() / "gateway.yaml"
        file.write_text("log: {format: json}\nservices: {a: {prefix: /a, targets: [http://127.0.0.1:1]}}\n")
        with Started([*TWISTD, "apigateway", "-c", str(file), "-l", ANYWHERE], "listening") as gateway:
            pass
        events = [json.loads(line) for line in gateway.error_output().splitlines()]
        self.assertIn("listening", [event["event"] for event in events])

    def test_where_twistd_is_told_to_log_it_logs_in_its_own_way(self) -> None:
        with Started([*TWISTD, "--logfile", "-", "apigateway", "-l", ANYWHERE], "listening") as gateway:
            pass
        self.assertIn("[apigateway.gateway#info] listening on", gateway.output())
        self.assertEqual(gateway.error_output(), "")

    def test_gateway_tac_gives_the_same_service(self) -> None:
        file = self.folder() / "gateway.yaml"
        file.write_text(f"listen: ['{ANYWHERE}']\nservices: {{a: {{prefix: /a, targets: [http://127.0.0.1:1]}}}}\n")
        environ = environment(APIGATEWAY_CONFIG=str(file))
        with Started([*TWISTD, "-y", str(ROOT / "gateway.tac")], "listening", environ) as gateway:
            shown = json.loads(fetch(f"http://127.0.0.1:{port_of(gateway)}/health"))
        self.assertEqual(list(shown["services"]), ["a"])

    def test_a_configuration_that_cannot_be_used_keeps_it_from_starting_and_no_traceback_is_shown(self) -> None:
        file = self.folder() / "gateway.yaml"
        file.write_text("servces: {}\nlisten: [8000]\n")
        for start in (["apigateway", "-c", str(file)], ["apigateway", "--check", "-c", str(file)]):
            done = twistd(*start)
            self.assertEqual((done.returncode, done.stdout), (1, ""), start)
            lines = done.stderr.splitlines()
            self.assertTrue(all(line.startswith(f"{file}:") for line in lines), lines)
            self.assertGreater(len(lines), 1)

    def test_a_demo_whose_port_is_taken_keeps_it_from_starting_and_is_told_in_the_last_line(self) -> None:
        port = free_port()
        urls = {"AUTH_SERVICE_URL": f"http://127.0.0.1:{port}", "PRODUCT_SERVICE_URL": f"http://127.0.0.1:{port}"}
        command = [*TWISTD, "apigateway", "--demo", "-l", ANYWHERE]
        done = subprocess.run(command, env=environment(**urls), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"127.0.0.1:{port}", done.stderr.splitlines()[-1])
        self.assertNotIn("Traceback", done.stderr)
