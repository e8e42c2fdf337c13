"""From the configuration's listeners to what `downstream` opens."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

from apigateway.config import model
from apigateway.downstream.opening import Opening
from apigateway.downstream.redirect import Redirection
from apigateway.downstream.tls_terms import ClientTerms, KeyPair, TlsTerms
from apigateway.routing.networks import Networks


def openings(configuration: model.Configuration, trusts: Callable[[str], bool]) -> list[Opening]:
    """What is wanted of each address; `trusts` tells whether one is a trusted proxy's."""
    return [_opening(one, trusts) for one in configuration.listen]


def _opening(one: model.Listener, trusts: Callable[[str], bool]) -> Opening:
    redirect = one.redirect
    return Opening(
        endpoint=one.endpoint,
        where=str(one.where),
        proxies=_proxies(one, trusts) if one.proxy_protocol else None,
        redirect=None if redirect is None else Redirection(redirect.scheme, redirect.port, redirect.status),
        tls=None if one.tls is None else _tls(one.tls),
    )


def _proxies(one: model.Listener, trusts: Callable[[str], bool]) -> Callable[[str], bool]:
    return Networks(map(ip_network, one.proxies)).hold if one.proxies else trusts


def _tls(tls: model.Tls) -> TlsTerms:
    clients = tls.client_certificates
    return TlsTerms(
        pairs=tuple(_pair(one) for one in tls.certificates),
        minimum=tls.minimum,
        clients=None if clients is None else _clients(clients),
    )


def _pair(one: model.Certificate) -> KeyPair:
    return KeyPair(one.certificate.path, one.certificate.content or b"", None if one.key is None else one.key.content)


def _clients(clients: model.ClientCertificates) -> ClientTerms:
    subject, fingerprint = clients.header, clients.fingerprint_header
    return ClientTerms(
        authorities=clients.ca.content or b"",
        required=clients.required,
        subject_field=subject.encode() if subject else None,
        fingerprint_field=fingerprint.encode() if fingerprint else None,
    )


def certificate_fields(configuration: model.Configuration) -> frozenset[str]:
    """The fields that tell services of clients' certificates, on any listener: clients can't send them on any."""
    clients = [one.tls.client_certificates for one in configuration.listen if one.tls is not None]
    given = [one for one in clients if one is not None]
    return frozenset(name for one in given for name in (one.header, one.fingerprint_header) if name)
