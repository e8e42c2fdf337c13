"""Two gateways behind one HAProxy, restarted one after the other under load: no exchange is lost."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from apigateway.testing.ports import free_port
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Answer, ReadAll, Wait
from tests.behaviour.load import Load
from tests.behaviour.real import program
from tests.behaviour.waiting import reactor, until
from tests.starting import ROOT, Started, environment, fetch

GATEWAY = """
listen: ["tcp:OWN:interface=127.0.0.1"]
stop: {accept: 1s, drain: 30s}
limits: {lag: false}
defaults: {rate_limit: false, health_check: false}
services:
  quick: {prefix: /quick, targets: ["QUICK"]}
  slow: {prefix: /slow, targets: ["SLOW"]}
"""

STATUS = """
listen status
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 2s
    bind 127.0.0.1:STATUS
    stats enable
    stats uri /
"""


def documented() -> str:
    """HAProxy's configuration, as the page shows it."""
    page = (ROOT / "docs" / "reload.md").read_text(encoding="utf-8")
    found = re.search(r"```haproxy\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1]


class RollingRestartTests(TestCase):
    timeout = 600

    def setUp(self) -> None:
        self.haproxy = program("haproxy")
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.names = ("one", "two")
        self.ports = {name: free_port() for name in (*self.names, "clients", "status")}
        self.gateways: dict[str, Started] = {}
        urls = {name: self.service(name) for name in ("quick", "slow")}
        for name in self.names:
            text = GATEWAY.replace("OWN", str(self.ports[name]))
            for service, url in urls.items():
                text = text.replace(service.upper(), url)
            (self.folder / f"{name}.yaml").write_text(text)

    def service(self, name: str) -> str:
        """The URL of a service; the slow one thinks for a while."""
        service = ScriptedService()
        service.does(ReadAll(), *([Wait(0.1)] if name == "slow" else []), Answer(200, b"well"))
        listener: Any = service.listen(reactor)
        self.addCleanup(self.end_service, service, listener)
        return f"http://127.0.0.1:{listener.getHost().port}"

    async def end_service(self, service: ScriptedService, listener: Any) -> None:
        await listener.stopListening()
        for one in service.open_connections:
            one.reset()
        await until(lambda: not service.open_connections, "the end of a service's connections")

    async def start(self, name: str) -> None:
        command = [sys.executable, "-m", "apigateway", "-c", str(self.folder / f"{name}.yaml")]
        gateway = Started(command, "listening", environment())
        await deferToThread(gateway.__enter__)
        self.gateways[name] = gateway
        self.addCleanup(deferToThread, gateway.__exit__, None, None, None)

    async def begin_haproxy(self) -> None:
        here = "127.0.0.1"
        words = {
            "timeout check 2s": "timeout check 20s",
            "bind :80": f"bind {here}:{self.ports['clients']}",
            "127.0.0.1:8001": f"{here}:{self.ports['one']}",
            "127.0.0.1:8002": f"{here}:{self.ports['two']}",
        }
        text = documented()
        for documented_word, word in words.items():
            self.assertIn(documented_word, text)
            text = text.replace(documented_word, word)
        file = self.folder / "haproxy.cfg"
        file.write_text(text + STATUS.replace("STATUS", str(self.ports["status"])))
        process = subprocess.Popen([self.haproxy, "-db", "-f", str(file)], stderr=subprocess.DEVNULL)

        def end() -> None:
            process.terminate()
            process.wait()

        self.addCleanup(deferToThread, end)
        for name in self.names:
            await self.is_up(name)

    async def is_up(self, name: str) -> None:
        """Wait until HAProxy sends clients there."""

        def look() -> bool:
            try:
                page = fetch(f"http://127.0.0.1:{self.ports['status']}/;csv").decode()
            except OSError:
                return False
            return re.search(rf"^gateways,{name},.*,UP,", page, re.MULTILINE) is not None

        for _ in range(600):
            if await deferToThread(look):
                return
            await deferLater(reactor, 0.05)
        self.fail(f"HAProxy never finds {name} well")

    async def test_no_exchange_is_lost(self) -> None:
        for name in self.names:
            await self.start(name)
        await self.begin_haproxy()
        quick, slow = Load("/quick"), Load("/slow")
        for load in (quick, slow):
            load.begin(lambda: self.ports["clients"], 4, keep=True)
            load.begin(lambda: self.ports["clients"], 2, keep=False)
        for name in self.names:
            before = quick.answered
            await until(lambda before=before: quick.answered > before + 50, quick)  # type: ignore[misc]  # bound
            self.gateways[name].send(signal.SIGTERM)
            self.assertEqual(await deferToThread(self.gateways[name].end), 0)
            await self.start(name)
            await self.is_up(name)
        for load in (quick, slow):
            await load.end()
            self.assertEqual(load.lost, [], load)
        self.assertGreater(slow.answered, 20)
