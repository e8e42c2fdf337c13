"""`--demo` as people start it: its two product targets, its event stream and its WebSocket, through the gateway."""

from __future__ import annotations

import http.client
import json
import re
import socket
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Request, TextMessage

from apigateway.config.model import Configuration
from apigateway.config.read import load_environment, parse_text
from apigateway.demo.services import demo_environment
from apigateway.testing.ports import free_port
from tests.starting import PATIENCE, ROOT, Started, environment, fetch, port_of


class DemoTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ports = [free_port() for _ in range(3)]
        auth, *product = (f"http://127.0.0.1:{port}" for port in self.ports)
        environ = environment(AUTH_SERVICE_URL=auth, PRODUCT_SERVICE_URL=",".join(product))
        command = [sys.executable, "-m", "apigateway", "--demo", "--listen", "tcp:0:interface=127.0.0.1"]
        started = Started(command, "listening", environ)
        started.__enter__()
        self.addCleanup(started.__exit__, None, None, None)
        self.port = port_of(started)
        self.names = {f"product:{port}" for port in self.ports[1:]}

    def test_both_targets_answer_and_tell_their_names(self) -> None:
        seen: Counter[str] = Counter()
        for _ in range(60):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/products", timeout=PATIENCE) as response:
                seen[response.headers["X-Served-By"]] += 1
        self.assertEqual(set(seen), self.names)

    def test_the_page_comes_through(self) -> None:
        page = fetch(f"http://127.0.0.1:{self.port}/api/").decode()
        found = re.search("<b>(.*)</b>", page)
        assert found
        self.assertIn(found[1], self.names)

    def test_ticks_come_one_by_one(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        self.addCleanup(connection.close)
        connection.request("GET", "/api/events?seconds=0.05", headers={"Last-Event-ID": "7"})
        answer = connection.getresponse()
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "text/event-stream"))
        lines = [answer.readline().decode() for _ in range(12)]
        data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
        self.assertEqual([one["number"] for one in data], [8, 9, 10])
        self.assertEqual({one["target"] for one in data}, {answer.headers["X-Served-By"]})

    def test_a_websocket_says_back_what_it_is_told(self) -> None:
        connection = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        self.addCleanup(connection.close)
        wire = WSConnection(ConnectionType.CLIENT)

        def heard() -> Iterator[Event]:
            while True:
                yield from wire.events()
                wire.receive_data(connection.recv(65536) or None)

        events = heard()
        connection.sendall(wire.send(Request(host="demo", target="/api/echo")))
        self.assertIsInstance(next(events), AcceptConnection)
        for said in (TextMessage("hello"), BytesMessage(b"\0\xff")):
            connection.sendall(wire.send(said))
            self.assertEqual(next(events), said)
        connection.sendall(wire.send(CloseConnection(1000, "enough")))
        end = next(events)
        assert isinstance(end, CloseConnection)
        self.assertEqual(end.code, 1000)


class ConfigurationTests(SynchronousTestCase):
    def test_the_file_that_the_page_shows_says_what_the_demo_does(self) -> None:
        page = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
        _, _, section = page.partition("\n## The demo\n")
        found = re.search(r"```yaml\n(.*?)```", section, re.DOTALL)
        assert found
        shown = parse_text(found[1], "demo.yaml", {})
        self.assertEqual(services(shown), services(load_environment(demo_environment({}))))


def services(configuration: Configuration) -> dict[str, object]:
    """The services, by name."""
    return {one.name: one for one in configuration.services}
