"""TLS to the targets of a snapshot in the making: what is remembered of each, and of what many have in common.

Knows which targets speak it, and how their services want it spoken; no transport.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from apigateway.assembly.components import Surroundings
from apigateway.assembly.registry import Draft
from apigateway.config import model
from apigateway.upstream.dialing.tls import TargetTls, client_context
from apigateway.upstream.dialing.tls_log import TlsLog
from apigateway.upstream.treq.probe import Probe

_log = Logger(namespace="apigateway.upstream")


def is_secure(url: str) -> bool:
    """Whether TLS is spoken there."""
    return url.startswith("https:")


def tls_of(one: model.Service, target: model.Target, around: Surroundings, kept: Draft) -> TargetTls | None:
    """How TLS is spoken to a target; None where it is not. Other options or files make another one."""
    if not is_secure(target.url):
        return None
    options = one.tls
    name = options.server_name or urlsplit(target.url).hostname or ""
    context = kept.keep(("tls-context", options), lambda: client_context(options))
    return kept.keep(
        ("tls", one.name, target.place, name, options),
        lambda: TargetTls(
            name, context, options.verify, TlsLog(one.name, target.place, around.now), around.reactor.seconds
        ),
    )


def probe_of(
    one: model.Service, probe: Probe, around: Surroundings, kept: Draft
) -> tuple[Callable[[str, float], Deferred[int]], tuple[object, ...]]:
    """What asks the targets of a service for their health, by their names and trusting whom exchanges trust.

    And what makes it another one.
    """
    secured = {target.place: tls for target in one.targets if (tls := tls_of(one, target, around, kept)) is not None}
    hosts = {target.place: target.url.partition("://")[2] for target in one.targets if target.address is not None}
    if not secured and not hosts:
        return probe, ()
    ways = {place: tls.fresh_way(around.connect) for place, tls in secured.items()}

    def ask(url: str, timeout_s: float) -> Deferred[int]:
        place = "/".join(url.split("/", 3)[:3])
        return probe(url, timeout_s, ways.get(place), hosts.get(place))

    return ask, (*secured.values(), *hosts.values())


def is_unverified(one: model.Service) -> bool:
    """Whether anybody may answer in the place of the service, though it is asked for with TLS."""
    return not one.tls.verify and (one.discovery is not None or any(is_secure(target.url) for target in one.targets))


def warn_of_unverified(configuration: model.Configuration) -> None:
    """Say of which services it is not verified who answers for them."""
    for one in configuration.services:
        if is_unverified(one):
            _log.warn(
                "{service}: the certificates of its targets are NOT verified (`tls.verify: false`): anybody on the way "
                "can read and change what is sent, and answer in its place",
                event="tls-unverified", service=one.name,
            )  # fmt: skip
