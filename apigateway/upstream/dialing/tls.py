"""TLS to one target: what is offered, whom the service must be, and what it is told where that comes to nothing.

OpenSSL judges the chain, `service-identity` the name (RFC 9525). Knows certificates and names; the bytes of TLS are
those of `apigateway.sockets`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import Protocol as Shape

from cryptography.x509 import load_der_x509_certificate
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IConnector

from apigateway.errors import CONNECT_TIMEOUT, GatewayError
from apigateway.sockets.pem import identify, trust
from apigateway.sockets.tls import TIMED_OUT, VERSIONS, ClientTls, Peer, TlsFailed
from apigateway.upstream.dialing.dial import Way
from apigateway.upstream.dialing.tls_faults import EXPIRED, WRONG_NAME, explain
from apigateway.upstream.dialing.tls_log import TlsLog


class Content(Shape):
    """A file that has been read."""

    @property
    def content(self) -> bytes | None:
        """What is in it."""


class TlsOptions(Shape):
    """How to speak TLS, as the configuration has it: see its `UpstreamTls`."""

    @property
    def ca(self) -> Content | None:
        """Who is trusted; None: whom the system trusts."""

    @property
    def server_name(self) -> str | None:
        """Instead of the name in the URL."""

    @property
    def certificate(self) -> Content | None:
        """Our own certificate."""

    @property
    def key(self) -> Content | None:
        """Its key, unless that stands in the same file."""

    @property
    def verify(self) -> bool:
        """Whether the service must prove who it is."""

    @property
    def minimum(self) -> str:
        """The oldest version."""


def client_context(options: TlsOptions) -> ssl.SSLContext:
    """What is offered to services, and trusted of them. Costs milliseconds where it is the system that trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # names are compared afterwards, by the rules of RFC 9525
    context.verify_mode = ssl.CERT_REQUIRED if options.verify else ssl.CERT_NONE
    context.minimum_version = VERSIONS[options.minimum]
    # An end that nobody has announced may be a cut: an answer that is over with the connection would pass for whole.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    context.set_alpn_protocols(["http/1.1"])
    if options.verify:
        if options.ca is None:
            context.load_default_certs()
        else:
            trust(context, _content(options.ca))
    if options.certificate is not None:
        key = options.key or options.certificate
        identify(context, _content(options.certificate), _content(key))
    return context


def _content(file: Content) -> bytes:
    assert file.content is not None, "files are read before they are used"
    return file.content


class TargetTls:
    """TLS to one target of a service, which must be `name`. `client` is for connecting.

    `wall` is the time of day in seconds: a session that goes on does not make an old certificate good.
    """

    def __init__(
        self,
        name: str,
        context: ssl.SSLContext,
        verify: bool,
        log: TlsLog,
        wall: Callable[[], float],
        keeps_sessions: bool = True,
    ) -> None:
        self.verify = verify
        # Which must not hold this: the collector comes late, and the context is large.
        self.client = ClientTls(context, name, partial(_judge, name, wall) if verify else _anybody, keeps_sessions)
        self._name = name
        self._log = log
        self._wall = wall

    def __repr__(self) -> str:
        return f"<TargetTls {self._name} {'verified' if self.verify else 'unverified'}>"

    def way(self, connect: Callable[..., IConnector]) -> Way:
        """How to connect; `connect` is as `Sockets.connect`."""
        return Way(partial(connect, tls=self.client), self.error, self.refusal, self.describe)

    def fresh_way(self, connect: Callable[..., IConnector]) -> Way:
        """The same with a whole handshake each time, for who wants to know whether that still succeeds."""
        alone = TargetTls(self._name, self.client.context, self.verify, self._log, self._wall, keeps_sessions=False)
        return Way(partial(connect, tls=alone.client), alone.error, alone.refusal)

    def describe(self) -> dict[str, int]:
        """Handshakes that were done, those of them that went on with an earlier session, and whether it is verified."""
        return {"handshakes": self.client.handshakes, "resumed": self.client.resumed, "verified": self.verify}

    def error(self, why: BaseException) -> GatewayError | None:
        """The failure of an attempt where TLS has failed, told in the log; None where it has failed in another way."""
        if not isinstance(why, TlsFailed):
            return None
        if why.reason == TIMED_OUT:
            return GatewayError(CONNECT_TIMEOUT, "The service did not finish the TLS handshake in time.")
        fault = explain(why, self._name)
        self._log.note(fault)
        return GatewayError(fault.cause, fault.detail)

    def refusal(self, why: BaseException) -> GatewayError | None:
        """The same of a new connection that was lost; None where the service has not said why.

        By TLS 1.3 we are done with the handshake before the service has judged our certificate.
        """
        return self.error(why) if isinstance(why, TlsFailed) and "_ALERT_" in why.reason else None


def _judge(name: str, wall: Callable[[], float], peer: Peer) -> None:
    """Raise `TlsFailed` unless the certificate is for that name, and still good."""
    if peer.certificate is None:
        raise TlsFailed(WRONG_NAME, "it has shown no certificate")
    try:
        certificate = load_der_x509_certificate(peer.certificate)
        is_address = isIPAddress(name) or isIPv6Address(name)
        (verify_certificate_ip_address if is_address else verify_certificate_hostname)(certificate, name)
    except (VerificationError, CertificateError, ValueError) as error:
        raise TlsFailed(WRONG_NAME, str(error), certificate=peer.certificate) from None
    if peer.resumed and certificate.not_valid_after_utc.timestamp() < wall():
        raise TlsFailed(EXPIRED, "certificate has expired", certificate=peer.certificate)


def _anybody(peer: Peer) -> None:
    """Whoever answers is good."""
