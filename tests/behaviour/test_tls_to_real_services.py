"""TLS to services that nobody here wrote: nginx, and OpenSSL's own test server."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from tests.behaviour.combinations import Combination, only, over_all_combinations
from tests.behaviour.real import nginx_server, openssl_server
from tests.behaviour.secured import SecureServices, told
from tests.behaviour.stage import Stage, problem
from tests.behaviour.waiting import a_moment, until

LARGE = bytes(range(256)) * 40_000


@over_all_combinations
class RealServiceTests(TestCase):
    def setUp(self) -> None:
        self.secure = SecureServices(self)
        self.files = self.secure.authority.server("localhost").write(self.secure.folder)
        self.events = told(self, "tls-failed")

    def before(self, via: Combination, url: str, **tls: Any) -> Stage:
        options = {"prefix": "/api", "targets": [url], "tls": {"ca": self.secure.ca, **tls}, "retries": False}
        return Stage(self, via, {"one": options})

    def shown(self, *more: str) -> str:
        """What an nginx has to be told."""
        certificate, key = self.files
        return " ".join((f"ssl_certificate {certificate}; ssl_certificate_key {key};", *more))

    async def test_nginx_with_either_version_and_kept_connections(self, via: Combination) -> None:
        for version in ("TLSv1.2", "TLSv1.3"):
            files = {"api/large": LARGE, "api/little": b"small"}
            url = await nginx_server(self, files, self.shown(f"ssl_protocols {version};"))
            stage = self.before(via, url)
            for path, body in (("little", b"small"), ("large", LARGE), ("little", b"small")):
                self.assertEqual((await stage.get(f"/api/{path}")).body, body)
            self.assertGreaterEqual(stage.target().transport.statistics()["reused"], 1)

    async def test_a_connection_that_nginx_has_closed_while_it_rested(self, via: Combination) -> None:
        url = await nginx_server(self, {"api/a": b"good"}, self.shown("keepalive_requests 2;"))
        stage = self.before(via, url)
        for _ in range(5):
            self.assertEqual((await stage.get("/api/a")).body, b"good")
            await a_moment()
        numbers = stage.target().transport.statistics()
        self.assertEqual((numbers["handshakes"], numbers["resumed"]), (3, 2))

    async def test_nginx_that_wants_to_know_the_gateway(self, via: Combination) -> None:
        wants = self.shown(f"ssl_client_certificate {self.secure.ca};", "ssl_verify_client on;")
        url = await nginx_server(self, {"api/a": b"good"}, wants)
        # nginx does not say so in TLS: it answers every request with this.
        self.assertEqual((await self.before(via, url).get("/api/a")).status, 400)
        files = self.secure.authority.client("gateway").write(self.secure.folder, "client")
        stage = self.before(via, url, certificate=files.certificate, key=files.key)
        self.assertEqual((await stage.get("/api/a")).body, b"good")

    async def test_a_port_of_nginx_without_tls(self, via: Combination) -> None:
        url = await nginx_server(self, {"api/a": b"good"})
        stage = self.before(via, url.replace("http://127.0.0.1", "https://localhost"))
        problem(self, await stage.get("/api/a"), 502, "tls-failed")
        self.assertIn("http://", self.events[0]["explanation"])

    @only("channel")
    async def test_openssl_in_either_version_and_with_one_that_is_too_old(self, via: Combination) -> None:
        own = ("-cert", self.files.certificate, "-key", self.files.key)
        for version, least, status in (("-tls1_2", "1.2", 200), ("-tls1_3", "1.3", 200), ("-tls1_2", "1.3", 502)):
            stage = self.before(via, await openssl_server(self, *own, version), minimum=least)
            answer = await stage.get("/api")
            self.assertEqual(answer.status, status, answer.body)
        self.assertIn("tls.minimum", self.events[0]["explanation"])

    @only("channel")
    async def test_openssl_that_demands_a_certificate(self, via: Combination) -> None:
        own = ("-cert", self.files.certificate, "-key", self.files.key, "-Verify", "1", "-verify_return_error")
        for version in ("-tls1_2", "-tls1_3"):
            self.events.clear()
            url = await openssl_server(self, *own, "-CAfile", self.secure.ca, version)
            problem(self, await self.before(via, url).get("/api"), 502, "tls-failed")
            await until(lambda: self.events, "an explanation")
            self.assertIn("tls.certificate", self.events[0]["explanation"])
