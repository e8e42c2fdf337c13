"""Policies that are not in the box: which there are, and what a configuration wants of them.

Stands between the configuration, which keeps their options unread, and the policies, which know no configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from twisted.logger import Logger
from twisted.plugin import getPlugins

from apigateway import plugins
from apigateway.config.extensions import read_options, refuse
from apigateway.config.model import Configuration, Extension, Policies
from apigateway.config.problems import INVALID, Problems, nearest
from apigateway.interfaces import IPolicyPlugin
from apigateway.policies.catalogue import PLACES
from apigateway.policies.guard import guarded
from apigateway.policies.policy import Policy, PolicyTools

_log = Logger(namespace="apigateway.policies")


def installed() -> list[IPolicyPlugin]:
    """The policies that are found in folders `apigateway/plugins/` on the path."""
    return list(getPlugins(IPolicyPlugin, plugins))


class PolicyPlugins:
    """The kinds of policies there are, by name. Raises `ValueError` where two share a name, or one has no place."""

    def __init__(self, found: Iterable[IPolicyPlugin]) -> None:
        self._by_name: dict[str, IPolicyPlugin] = {}
        for one in found:
            if one.name in self._by_name:
                raise ValueError(f"two installed policies are called {one.name!r}")
            if one.after not in PLACES:
                raise ValueError(
                    f"policy {one.name!r} wants to stand after {one.after!r}; known are {', '.join(PLACES)}"
                )
            self._by_name[one.name] = one

    def __repr__(self) -> str:
        return f"<PolicyPlugins {' '.join(self._by_name) or 'none'}>"

    def check(self, configuration: Configuration) -> None:
        """Read the options of every route. Raises `ConfigurationError` with all that is wrong."""
        problems = Problems()
        for service in configuration.services:
            for route in service.routes:
                for extension in route.policies.policies:
                    self._read(extension, problems)
        problems.raise_any()

    def make(self, policies: Policies, tools: PolicyTools, problems: Problems) -> Mapping[str, Sequence[Policy]]:
        """The policies of one route, by the place after which they stand, each guarded; faults go to `problems`."""
        made: dict[str, list[Policy]] = {}
        for extension in policies.policies:
            plugin = self._by_name.get(extension.name)
            options = self._read(extension, problems)
            if plugin is not None and options is not INVALID:
                policy = _made(plugin, extension, options, tools, problems)
                if policy is not None:
                    made.setdefault(plugin.after, []).append(guarded(policy))
        return made

    def _read(self, extension: Extension, problems: Problems) -> object:
        plugin = self._by_name.get(extension.name)
        if plugin is None:
            known = nearest(extension.name, list(self._by_name)) if self._by_name else "none is"
            refuse(extension, f"no such policy is installed; {known}", problems)
            return INVALID
        try:
            options: object = read_options(extension, plugin.options, problems)
        except Exception as error:
            _fault(extension, error, problems)
            return INVALID
        return options


def _made(
    plugin: IPolicyPlugin, extension: Extension, options: object, tools: PolicyTools, problems: Problems
) -> Policy | None:
    try:
        policy = plugin.make(options, tools)
        if policy is not None and not isinstance(policy, Policy):
            raise TypeError(f"make must return a Policy, or nothing, not {type(policy).__name__}")
    except Exception as error:
        _fault(extension, error, problems)
        return None
    return policy


def _fault(extension: Extension, error: Exception, problems: Problems) -> None:
    """A policy that fails before it is used keeps a configuration from being used."""
    _log.failure("policy {policy} could not be made", event="policy-failed", policy=extension.name)
    refuse(extension, f"the policy could not be made: {type(error).__name__}; the log tells more", problems)
