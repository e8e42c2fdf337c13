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
from tests.demo.asking import ask


def listening(environ: dict[str, str]) -> list[tuple[str, int]]:
    """Where the services listen, started on a reactor that only remembers."""
    memory = MemoryReactorClock()
    demo_services(memory, environ).privilegedStartService()
    return [(interface, port) for port, _, _, interface in memory.tcpServers]


class AddressTests(SynchronousTestCase):
    def test_they_listen_on_loopback_at_8001_8002_and_8012(self) -> None:
        self.assertEqual(listening({}), [("127.0.0.1", 8001), ("127.0.0.1", 8002), ("127.0.0.1", 8012)])

    def test_there_are_as_many_targets_as_the_environment_has_urls(self) -> None:
        environ = {
            "AUTH_SERVICE_URL": "http://127.0.0.1:1, http://127.0.0.1:2",
            "PRODUCT_SERVICE_URL": "http://127.0.0.1:3",
        }
        self.assertEqual([port for _, port in listening(environ)], [1, 2, 3])

    def test_the_variables_that_tell_the_gateway_where_they_are_move_them(self) -> None:
        environ = {"AUTH_SERVICE_URL": "http://localhost:9001", "PRODUCT_SERVICE_URL": "http://127.0.0.1:9002/"}
        self.assertEqual(listening(environ), [("127.0.0.1", 9001), ("127.0.0.1", 9002)])

    def test_a_url_of_another_machine_is_refused(self) -> None:
        for url in ("http://auth-service:8001", "http://127.0.0.1:x", "localhost:1", "http://localhost:1,http://b:2"):
            error = self.assertRaises(ValueError, address, "AUTH_SERVICE_URL", url)
            self.assertIn("AUTH_SERVICE_URL", str(error))

    def test_what_the_environment_tells_wins(self) -> None:
        self.assertEqual(demo_environment({"A": "b", "AUTH_SERVICE_URL": "c"})["AUTH_SERVICE_URL"], "c")
        self.assertEqual(demo_environment({})["PRODUCT_SERVICE_URL"], "http://127.0.0.1:8002,http://127.0.0.1:8012")


class SharedTests(SynchronousTestCase):
    """Targets of one service, on a reactor that only remembers."""

    def setUp(self) -> None:
        memory = MemoryReactorClock()
        environ = {"AUTH_SERVICE_URL": "http://127.0.0.1:1,http://127.0.0.1:2"}
        demo_services(memory, environ).privilegedStartService()
        self.sites: dict[int, Any] = {port: factory for port, factory, _, _ in memory.tcpServers}

    def test_each_tells_its_name(self) -> None:
        names = [ask(self.sites[port], "GET", "/health").fields["x-served-by"] for port in (1, 2, 8002, 8012)]
        self.assertEqual(names, ["auth:1", "auth:2", "product:8002", "product:8012"])

    def test_what_one_keeps_the_other_has(self) -> None:
        added = ask(self.sites[8002], "POST", "/api/products", {"name": "Spoon", "price": 2})
        self.assertEqual(ask(self.sites[8012], "GET", added.fields["location"]).value()["name"], "Spoon")

    def test_a_token_of_one_is_good_at_the_other(self) -> None:
        user = {"user": "ada", "password": "lovelace"}
        token = ask(self.sites[1], "POST", "/auth/login", user).value()["token"]
        verified = ask(self.sites[2], "POST", "/auth/verify", Authorization=f"Bearer {token}")
        self.assertEqual(verified.value(), {"user": "ada"})


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
