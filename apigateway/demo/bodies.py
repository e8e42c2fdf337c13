"""Request bodies without gathering them: hashed while they arrive, and only the beginning kept.

Plugs into the one hook that twisted.web has for bodies, `Site.getContentFile`; nothing is written to disk.
"""

from __future__ import annotations

import hashlib
from typing import Any

from twisted.web import resource, server

KEPT = 64 * 1024
"""Bytes of a body that are kept; what the demo reads as JSON must fit."""


class HashedBody:
    """The file that twisted.web writes a request body to: counts and hashes all, keeps the first `KEPT` bytes."""

    def __init__(self) -> None:
        self.length = 0
        self._hash = hashlib.sha256()
        self._kept = b""

    def write(self, data: bytes) -> int:
        """Take the next piece of the body."""
        self._kept += data[: max(0, KEPT - self.length)]
        self._hash.update(data)
        self.length += len(data)
        return len(data)

    def sha256(self) -> str:
        """The checksum of the whole body, in hexadecimal digits."""
        return self._hash.hexdigest()

    def is_whole(self) -> bool:
        """Whether `read` gives the body from its first to its last byte."""
        return self.length <= KEPT

    def read(self) -> bytes:
        """What was kept."""
        return self._kept

    def tell(self) -> int:
        """The length of the body, which is where twisted.web stops writing."""
        return self.length

    def seek(self, offset: int, whence: int = 0) -> int:
        """Nothing to do: reading always begins at the start."""
        return offset

    def close(self) -> None:
        """Nothing to give back."""


class DemoSite(server.Site):
    """A Site whose request bodies are `HashedBody`s, which leaves the access log to the gateway, and gives its name.

    `name` stands in each answer as `X-Served-By`, so that it shows which target of a service has answered.
    """

    noisy = False

    def __init__(self, root: resource.Resource, name: str) -> None:
        server.Site.__init__(self, root, parsePOSTFormSubmission=False)
        self._name = name.encode()

    def getResourceFor(self, request: server.Request) -> Any:
        """Called by twisted.web for each request."""
        request.setHeader(b"X-Served-By", self._name)
        return server.Site.getResourceFor(self, request)

    def getContentFile(self, length: int | None) -> HashedBody:
        """Called by twisted.web at the end of each request head."""
        return HashedBody()

    def log(self, request: object) -> None:
        """Called by twisted.web at the end of each request."""
