"""The gateway's file, and the list of targets that it watches: as text, from names and ports. Knows no processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.soak.certificates import Certificates
from bench.soak.services import DIVIDED, SERVICES, SHARES

LISTENER = "listener"
"""The listener's certificate is under this name."""


@dataclass(frozen=True)
class Configuration:
    """What stays the same in all generations of the file: ports of the listeners, targets' URLs, files."""

    plain: int
    encrypted: int
    urls: Mapping[str, Sequence[str]]
    folder: Path
    certificates: Certificates

    @property
    def log(self) -> Path:
        """The access log."""
        return self.folder / "access.log"

    def found(self, service: str) -> Path:
        """The list of a service's targets."""
        return self.folder / f"{service}.json"

    def listed(self, service: str, weights: Mapping[int, int]) -> str:
        """The text of that: these targets, by their numbers, with their weights."""
        return json.dumps([{"url": self.urls[service][number], "weight": one} for number, one in weights.items()])

    def text(self, generation: int) -> str:
        """Each generation says its number in every answer, divides otherwise, and every other has a route more."""
        services = {name: self._service(name) for name in SERVICES}
        for canary, whole in DIVIDED.items():
            services[whole]["split"] = [{"service": canary, "share": SHARES[generation % 2]}]
        if generation % 2:
            services["extra"] = {"prefix": "/extra", "targets": services["quiet"]["targets"]}
        return json.dumps({**self._fixed(), "defaults": _defaults(generation), "services": services}, indent=1)

    def _service(self, name: str) -> dict[str, Any]:
        service = SERVICES[name]
        told: dict[str, Any] = {"discovery": {"file": str(self.found(name))}} if service.is_found else {}
        told = told or {"targets": list(self.urls[name])}
        told |= {"prefix": f"/{name}"} if service.weight else {}
        told |= {"tls": {"ca": self.certificates.bundle}} if service.encrypted else {}
        return {**told, **service.options}

    def _fixed(self) -> dict[str, Any]:
        stem = self.certificates.stem(LISTENER)
        pair = {"certificate": f"{stem}.pem", "key": f"{stem}.key"}
        return {
            "listen": [
                f"tcp:{self.plain}:interface=127.0.0.1",
                {"endpoint": f"tcp:{self.encrypted}:interface=127.0.0.1", "tls": {"certificates": [pair]}},
            ],
            "access_log": {"file": str(self.log), "rotate": "10GiB"},
        }


def _defaults(generation: int) -> dict[str, Any]:
    return {
        "rate_limit": False,
        "circuit_breaker": False,
        "health_check": {"interval": "2s", "timeout": "1s"},
        "timeouts": {"connect": "2s", "response": "2s", "idle": "2s", "pool": "2s"},
        "pool": {"idle": "2s"},
        "headers": {"set_response": {"X-Generation": str(generation)}},
    }
