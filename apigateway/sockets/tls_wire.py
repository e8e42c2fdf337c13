"""Where ciphertext passes between OpenSSL and transports: two memory buffers that all connections share.

Each connection takes out at once what it has put in, or has made OpenSSL put in, so that they are empty between any two
of them. Buffers of their own would stay as large as they ever were: with many connections, for ever. Measured, a shared
pair is as fast as OpenSSL on the socket itself, and leaves all that transports do as it is. One thread only.
"""

from __future__ import annotations

import ssl

INCOMING = ssl.MemoryBIO()
OUTGOING = ssl.MemoryBIO()

RECORD = 16 * 1024
"""The most plaintext that a record holds (RFC 8446 §5.1): who asks OpenSSL for less leaves something in it."""

PLAIN = memoryview(bytearray(RECORD))
"""Where the plaintext of a record is first, before as much is copied as there is: a block for the most that could be
there, cut down to what is, would leave a hole in which no other such block has room. Memory would grow by them."""

SLICE = 64 * 1024
"""So much is encrypted at once; larger pieces cost the same, and make the buffer larger."""


def clear() -> None:
    """Drop what OpenSSL has not taken: it belongs to a connection that is broken."""
    if INCOMING.pending:
        INCOMING.read()
