"""Attacks on real sockets: a gateway, a recorder behind it, and between them, where it is asked for, nginx."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from apigateway.config.read import parse_text
from apigateway.gateway import Gateway
from apigateway.testing.client import MemoryClient
from apigateway.testing.observer import RecordingObserver
from apigateway.testing.ports import free_port
from tests.behaviour.caller import connect
from tests.behaviour.real import program
from tests.behaviour.waiting import reactor, until
from tests.smuggling.ground import Judged, Played, bodies_heard
from tests.smuggling.recorder import Recorder, Seen

_NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors crit;
events {{}}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
    fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
    client_max_body_size 0; keepalive_requests 100000; large_client_header_buffers 8 64k;
    upstream recorder {{ server 127.0.0.1:{service}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://recorder; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host $http_host; proxy_request_buffering off; proxy_buffering off;
        }}
    }}
}}
"""


class RealGround:
    """A gateway on a real socket, with a recorder as its service. Ends with the test."""

    def __init__(self, test: TestCase) -> None:
        self._test = test
        self.recorder = Recorder()
        self.observer = RecordingObserver()
        listener = reactor.listenTCP(0, self.recorder, interface="127.0.0.1")
        test.addCleanup(listener.stopListening)
        self.recorder_port: int = listener.getHost().port
        self._port = 0

    async def open(self, service_port: int, transport: str = "native") -> None:
        """Start the gateway before whatever listens there."""
        service = {
            "prefix": "/", "targets": [f"http://127.0.0.1:{service_port}"], "transport": transport, "retries": False,
            "headers": {"host": "pass"}, "rate_limit": False, "circuit_breaker": False, "health_check": False,
        }  # fmt: skip
        tree = {
            "listen": ["tcp:0:interface=127.0.0.1"], "access_log": False, "services": {"one": service},
            "stop": {"accept": 0, "drain": 0},
        }  # fmt: skip
        configuration = parse_text(json.dumps(tree), "test.yaml", {})
        gateway = Gateway(configuration, reactor, monotonic, observers=[self.observer])
        gateway.privilegedStartService()
        gateway.startService()
        self._test.addCleanup(self._close, gateway)
        port: Any = gateway.ports[0]
        self._port = port.getHost().port

    async def _close(self, gateway: Gateway) -> None:
        await gateway.stopService()
        for connection in self.recorder.connections:
            connection.transport.abortConnection()
        services = gateway.snapshot.services.values()
        targets = [target for service in services for target in service.targets]
        await until(lambda: not sum(one.transport.statistics()["open"] for one in targets), "the end of the services")
        await until(lambda: not self.recorder.connections, "the end of the recorder")

    async def nginx(self) -> int:
        """Start nginx before the recorder; returns its port."""
        path, folder, port = program("nginx"), Path(self._test.mktemp()).absolute(), free_port()
        folder.mkdir()
        configuration = folder / "nginx.conf"
        configuration.write_text(_NGINX.format(folder=folder, port=port, service=self.recorder_port))
        process = subprocess.Popen([path, "-c", str(configuration), "-e", "stderr"], stderr=subprocess.PIPE)

        def end() -> None:
            process.send_signal(signal.SIGTERM)
            process.communicate()

        self._test.addCleanup(deferToThread, end)
        await until(lambda: (folder / "pid").exists() or process.poll() is not None, "nginx")
        return port

    async def play(self, pieces: Sequence[bytes], answers: int) -> Played:
        """Send these on one connection, wait for so many exchanges to end, and compare."""
        recorder, observer = self.recorder, self.observer
        recorder.seen, recorder.refused = [], []
        observer.exchanges.clear()
        with bodies_heard() as bodies:
            client: MemoryClient = await connect(self._port, MemoryClient)
            for piece in pieces:
                client.send(piece)
            await until(lambda: len(observer.exchanges) >= answers, f"{answers} exchanges for {pieces!r}")
            received, is_closed = client.received, not client.is_open
            if client.is_open:
                client.close()
            await until(lambda: not client.is_open, "the end of the client")
        judged = [Judged(exchange) for exchange in observer.exchanges]
        for one in judged:
            one.body = bodies.get(one.exchange.request_id, b"")
        return Played(judged, recorder.seen, received, is_closed, list(self._compare(judged)))

    def _compare(self, judged: list[Judged]) -> Iterator[str]:
        """Less than in memory: what stands between may refuse more, and drop fields, but not see other requests."""
        yield from self.recorder.refused
        known = {one.exchange.request_id: one for one in judged}
        for seen in self.recorder.seen:
            one = known.pop(seen.id, None)
            if one is None:
                yield f"nobody judged {seen}, or it was seen before"
            elif _differ(one, seen):
                yield f"judged as {one}, seen as {seen}"
        for one in known.values():
            if one.is_served and one.exchange.status == 200:
                yield f"answered, but never seen: {one}"


def _differ(judged: Judged, seen: Seen) -> bool:
    head = judged.head
    host = head.special.get(b"host", b"").strip()
    is_other_host = bool(host) and seen.all(b"host") != [host]
    body = judged.body if seen.is_complete else judged.body[: len(seen.body)]
    return (seen.method, seen.target, seen.body) != (head.method, head.target, body) or is_other_host
