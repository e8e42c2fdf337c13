"""From a configuration as its text has it to one that can be used: with what is in the files that it names.

Knows which parts name files, and what those must hold.
"""

from __future__ import annotations

from dataclasses import replace

from apigateway.config.files import Contents, files_in
from apigateway.config.model import Configuration, GivenFile, Service, Tls, UpstreamTls
from apigateway.config.pem import check_authorities, check_identity
from apigateway.config.problems import Problems


def usable(configuration: Configuration, again: bool = False) -> Configuration:
    """The configuration with the contents of its files, read where that has not been done, or with `again` anew.

    Blocks. Raises `ConfigurationError` where a file can't be read, or does not hold what it should.
    """
    problems = Problems()
    contents = Contents(problems, again)
    services = tuple(_service(one, contents) for one in configuration.services)
    listen = contents.fill(configuration.listen)
    for tls in {one.tls for one in services}:
        _check(tls, problems)
    for tls_in in {one.tls for one in listen if one.tls is not None}:
        _check_listener(tls_in, problems)
    problems.raise_any()
    return replace(configuration, services=services, listen=listen)


def named_files(configuration: Configuration) -> frozenset[GivenFile]:
    """The files that a configuration names, with their contents."""
    of_services = tuple(one.tls for one in configuration.services if one.tls != _NOTHING)
    return frozenset(files_in((configuration.listen, of_services)))


_NOTHING = UpstreamTls()


def _service(one: Service, contents: Contents) -> Service:
    tls = contents.fill(one.tls) if one.tls != _NOTHING else one.tls
    return one if tls is one.tls else replace(one, tls=tls)


def _check(tls: UpstreamTls, problems: Problems) -> None:
    check_authorities(tls.ca, problems)
    check_identity(tls.certificate, tls.key, problems)


def _check_listener(tls: Tls, problems: Problems) -> None:
    for one in tls.certificates:
        check_identity(one.certificate, one.key, problems)
    if tls.client_certificates is not None:
        check_authorities(tls.client_certificates.ca, problems)
