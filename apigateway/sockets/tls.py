"""What both ends of TLS share: what is known of the other end, how a failure is told, and what a client needs.

`Sockets.connect(host, port, factory, timeout, tls=ClientTls(…))` connects with TLS: the factory's protocol is built and
its `connectionMade` called once the handshake is done and `verify` has agreed, with a `TlsStream` as its transport.
All that fails before that comes to the factory's `clientConnectionFailed`, with a `TlsFailed` where TCP was there
already. What fails later comes to `connectionLost`, as `TlsFailed` where the other end said why.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.error import ConnectionLost

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
"""The versions that are spoken, by their names in configurations."""

TIMED_OUT = "TIMED_OUT"
CUT = "CONNECTION_CUT"
TRUNCATED = "TRUNCATED"
NOT_VERIFIED = "NOT_VERIFIED"
"""Reasons of our own, beside OpenSSL's: the handshake took too long, the other end left during it, the connection ended
without a word of TLS about it, and `verify` did not agree."""


class TlsFailed(ConnectionLost):
    """TLS came to nothing, or to a bad end.

    `reason` is OpenSSL's word, such as "CERTIFICATE_VERIFY_FAILED" or "WRONG_VERSION_NUMBER", or one of those above;
    what the other end says begins with "TLSV1_ALERT_", "TLSV13_ALERT_" or "SSLV3_ALERT_". `detail` is for people.
    `verify_code` is the number of what is wrong with a certificate (X509_V_ERR_…), 0 where nothing was found, and
    `certificate` the one that was shown, in DER, where it is known.
    """

    def __init__(self, reason: str, detail: str = "", verify_code: int = 0, certificate: bytes | None = None) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.verify_code = verify_code
        self.certificate = certificate

    def __str__(self) -> str:
        return self.detail or self.reason.lower().replace("_", " ")

    @classmethod
    def because(cls, error: Exception, tls: ssl.SSLObject | None = None) -> TlsFailed:
        """The same of an error of OpenSSL's on `tls`, or of whatever `verify` raises."""
        if isinstance(error, cls):
            return error
        if isinstance(error, ssl.SSLCertVerificationError):
            shown = shown_certificate(tls) if tls is not None else None
            return cls(error.reason or NOT_VERIFIED, error.verify_message, error.verify_code, shown)
        if isinstance(error, ssl.SSLError):
            reason = getattr(error, "reason", None)  # not all have one
            return cls(reason or "SSL", "" if reason else str(error))
        return cls(NOT_VERIFIED, str(error))


def shown_certificate(tls: ssl.SSLObject) -> bytes | None:
    """The certificate that a handshake has shown, also one that was refused, in DER; None where it can't be had."""
    try:
        # Public from Python 3.13 on, as a list of bytes.
        public = getattr(tls, "get_unverified_chain", None)
        chain = public() if public is not None else tls._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
    except (AttributeError, ssl.SSLError):
        return None
    if not chain:
        return None
    return chain[0] if isinstance(chain[0], bytes) else ssl.PEM_cert_to_DER_cert(chain[0].public_bytes())


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end, as the handshake showed it. `certificate` is in DER; None where it showed none.

    `version` is such as "TLSv1.3", `protocol` what ALPN settled on, `resumed` whether an earlier session went on: then
    the certificate is that of the earlier handshake.
    """

    certificate: bytes | None
    version: str
    cipher: str
    protocol: str | None
    resumed: bool


def peer_of(tls: ssl.SSLObject) -> Peer:
    """The other end of a handshake that is done."""
    cipher = tls.cipher()
    return Peer(
        certificate=tls.getpeercert(True),
        version=tls.version() or "",
        cipher=cipher[0] if cipher else "",
        protocol=tls.selected_alpn_protocol(),
        resumed=bool(tls.session_reused),
    )


def _agree(peer: Peer) -> None:
    """Whatever the context let through is good."""


class ClientTls:
    """How to speak TLS with one target. Keep it: it remembers the target's last session, which spares a handshake.

    `context` decides what is offered and what is verified; `server_hostname` is sent as SNI, and is what the context
    compares the certificate with where it checks names. `verify` is asked after each handshake, before the protocol
    learns of the connection, and raises what it finds wrong. Without `keeps_sessions` each handshake is a whole one.

    `handshakes` and `resumed` count those that were done, and those of them that went on with an earlier session.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        server_hostname: str | None = None,
        verify: Callable[[Peer], None] = _agree,
        keeps_sessions: bool = True,
    ) -> None:
        self.keeps_sessions = keeps_sessions
        self.context = context
        self.server_hostname = server_hostname
        self.verify = verify
        self.handshakes = 0
        self.resumed = 0
        self._session: ssl.SSLSession | None = None

    def __repr__(self) -> str:
        return f"<ClientTls {self.server_hostname} handshakes={self.handshakes} resumed={self.resumed}>"

    def begin(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        """The client's end of a new connection."""
        return self.context.wrap_bio(incoming, outgoing, False, self.server_hostname, self._session)

    def count(self, peer: Peer) -> None:
        """A handshake is done."""
        self.handshakes += 1
        self.resumed += peer.resumed

    def keep_session(self, session: ssl.SSLSession | None) -> None:
        """A session that a later connection may go on with."""
        if session is not None and (session.has_ticket or session.id):
            self._session = session

    def forget_session(self) -> None:
        """Begin anew with the next connection."""
        self._session = None
