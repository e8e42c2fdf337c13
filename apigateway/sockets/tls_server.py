"""The server's end of TLS: what a connection must begin with, and which context it goes on with.

Knows contexts as whatever `choose` gives for a name, and one protocol that is spoken inside.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial

from apigateway.sockets.client_hello import HelloReader, NoHelloError
from apigateway.sockets.tls import TlsFailed
from apigateway.sockets.tls_wire import INCOMING, OUTGOING

NOT_TLS = "NOT_TLS"
IN_CLEAR = "HTTP_REQUEST"
NO_PROTOCOL = "NO_APPLICATION_PROTOCOL"
"""Reasons of ours: something else than TLS, HTTP without TLS, and ALPN without a protocol that is spoken here."""

PROTOCOL = "http/1.1"

_NO_PROTOCOL_ALERT = b"\x15\x03\x03\x00\x02\x02\x78"
"""A fatal `no_application_protocol` (RFC 7301 §3.2), which nothing in `ssl` can send."""

_UPPER = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")


class ServerTls:
    """`choose` gives the context for the name that a client wants, None where it says none.

    `in_clear` is what is answered to who speaks HTTP without TLS.
    """

    def __init__(self, choose: Callable[[str | None], ssl.SSLContext], in_clear: bytes = b"") -> None:
        self._choose = choose
        self._in_clear = in_clear

    def arriving(self) -> Callable[[bytes], ssl.SSLObject | None]:
        """What begins one connection.

        Given all that has come so far, it returns OpenSSL's part of it; None while that is too little to tell. Raises
        `TlsFailed`; what is to be said about it is then in `OUTGOING`.
        """
        return partial(self._begin, HelloReader())

    def _begin(self, reader: HelloReader, data: bytes) -> ssl.SSLObject | None:
        try:
            hello = reader.read(data)
        except NoHelloError as error:
            if data[0] in _UPPER:
                OUTGOING.write(self._in_clear)
                raise TlsFailed(IN_CLEAR, "HTTP without TLS") from error
            raise TlsFailed(NOT_TLS, str(error)) from error
        if hello is None:
            return None
        if hello.protocols is not None and PROTOCOL.encode() not in hello.protocols:
            OUTGOING.write(_NO_PROTOCOL_ALERT)
            raise TlsFailed(NO_PROTOCOL, "the client speaks nothing that is spoken here")
        return self._choose(hello.server_name).wrap_bio(INCOMING, OUTGOING, server_side=True)


def server_context(minimum: ssl.TLSVersion) -> ssl.SSLContext:
    """A context for a server, without certificate: TLS 1.2 and 1.3, with forward secrecy and authenticated encryption.

    The client's order of ciphers counts, as all of them are good. Session tickets are given, sealed with keys that live
    as long as the context.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = minimum
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")  # of TLS 1.2; those of 1.3 are all of that kind
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_SINGLE_ECDH_USE
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 1
    context.set_alpn_protocols([PROTOCOL])
    return context
