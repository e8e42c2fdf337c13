"""The certificates of the soak: one of each server that speaks TLS, in a folder, replaced while it runs."""

from __future__ import annotations

import ssl
from pathlib import Path

from apigateway.testing.certificates import Authority, Issued
from bench.soak.doors import HOST


class Certificates:
    """All that one authority has issued, and what a stranger has. Files are replaced whole, as deployments do it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = Authority()
        self._stranger = Authority("Stranger")
        self.bundle = self._authority.write(folder)

    def stem(self, name: str) -> Path:
        """Its files, without `.pem` and `.key`."""
        return self._folder / name

    def trusted(self) -> ssl.SSLContext:
        """For clients that trust the authority, and nobody else."""
        return ssl.create_default_context(cafile=self.bundle)

    def renew(self, name: str) -> Issued:
        """A new certificate, with a new key."""
        return self._put(name, self._authority.server(HOST))

    def forge(self, name: str) -> Issued:
        """One that nobody should trust."""
        return self._put(name, self._stranger.server(HOST))

    def confuse(self, name: str) -> None:
        """Another certificate beside the old key: a pair that cannot be used."""
        self._replace(name, ".pem", self._authority.server(HOST).pem)

    def _put(self, name: str, issued: Issued) -> Issued:
        self._replace(name, ".key", issued.key_pem())
        self._replace(name, ".pem", issued.pem)
        return issued

    def _replace(self, name: str, suffix: str, data: bytes) -> None:
        file = self.stem(name).with_suffix(suffix)
        new = file.with_suffix(suffix + ".new")
        new.write_bytes(data)
        new.replace(file)
