"""Bodies that tell whose they are: a pattern made of a nonce, checked piece by piece wherever it arrives."""

from __future__ import annotations

from hashlib import sha256

NONCE = "X-Nonce"
"""The field in which a request says its nonce, and the answer repeats it."""

FAULT = "X-Fault"
"""The field in which a request tells the service what to do, by a name of `faults.CATALOGUE`."""

UNDECLARED = "X-Undeclared"
"""The same, but the client keeps it to itself: for the test that what is unexplained is found."""

SHA = "X-Body-Sha256"
"""The field in which the service says what it has received."""

SERVED_BY = "X-Served-By"
"""The field in which the service says which of its targets answers."""

_BLOCK = 8192


def pattern(nonce: str, start: int, size: int) -> bytes:
    """This part of the endless pattern of a nonce."""
    block = sha256(nonce.encode()).digest() * (_BLOCK // 32)
    skip = start % _BLOCK
    return (block * ((skip + size) // _BLOCK + 1))[skip : skip + size]


def digest(nonce: str, size: int) -> str:
    """What the whole of a body is known by."""
    seen = sha256()
    at = 0
    while at < size:
        piece = pattern(nonce, at, min(_BLOCK * 16, size - at))
        seen.update(piece)
        at += len(piece)
    return seen.hexdigest()


class Check:
    """Looks at the pieces of a body as they come. `is_right` until one is not what it should be."""

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self.size = 0
        self.is_right = True

    def add(self, piece: bytes) -> None:
        """The next piece."""
        self.is_right = self.is_right and piece == pattern(self._nonce, self.size, len(piece))
        self.size += len(piece)
