"""The demo services as Twisted services: where they listen, and what they do on a real socket."""

from __future__ import annotations

from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent
from twisted.web.http_headers import Headers

from apigateway.demo.odd import CHUNK
from apigateway.demo.product import product_site
from apigateway.demo.services import address, demo_environment, demo_service, demo_services


def listening(environ: dict[str, str]) -> list[tuple[str, int]]:
    """Where the services listen, started on a reactor that only remembers."""
    memory = MemoryReactorClock()
    demo_services(memory, environ).privilegedStartService()
    return [(interface, port) for port, _, _, interface in memory.tcpServers]


class AddressTests(SynchronousTestCase):
    def test_they_listen_on_loopback_at_8001_and_8002(self) -> None:
        self.assertEqual(listening({}), [("127.0.0.1", 8001), ("127.0.0.1", 8002)])

    def test_the_variables_that_tell_the_gateway_where_they_are_move_them(self) -> None:
        environ = {"AUTH_SERVICE_URL": "http://localhost:9001", "PRODUCT_SERVICE_URL": "http://127.0.0.1:9002/"}
        self.assertEqual(listening(environ), [("127.0.0.1", 9001), ("127.0.0.1", 9002)])

    def test_a_url_of_another_machine_is_refused(self) -> None:
        for url in ("http://auth-service:8001", "http://127.0.0.1:x", "localhost:1", "http://localhost:1,http://b:2"):
            error = self.assertRaises(ValueError, address, "AUTH_SERVICE_URL", url)
            self.assertIn("AUTH_SERVICE_URL", str(error))

    def test_what_the_environment_tells_wins(self) -> None:
        self.assertEqual(demo_environment({"A": "b", "AUTH_SERVICE_URL": "c"})["AUTH_SERVICE_URL"], "c")
        self.assertEqual(demo_environment({})["PRODUCT_SERVICE_URL"], "http://127.0.0.1:8002")


class SocketTests(TestCase):
    def listen(self) -> int:
        site: Any = product_site(reactor)
        port: Any = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    async def test_a_download_has_as_many_bytes_as_asked(self) -> None:
        port = self.listen()
        length = 3 * len(CHUNK) + 5
        received: list[bytes] = []
        url = f"http://127.0.0.1:{port}/api/download?bytes={length}"
        response = await treq.get(url, agent=Agent(reactor), headers=Headers({b"Connection": [b"close"]}))
        await treq.collect(response, received.append)
        self.assertEqual((response.length, b"".join(received)), (length, CHUNK * 3 + CHUNK[:5]))

    def test_a_port_that_is_taken_is_told_at_once(self) -> None:
        port = self.listen()
        taken = demo_service(reactor, "product", "127.0.0.1", port)
        self.assertRaises(CannotListenError, taken.privilegedStartService)
