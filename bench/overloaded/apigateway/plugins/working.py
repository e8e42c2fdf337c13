"""A policy that computes for a while: it makes a gateway that is soon busy. Found as any plugin of others is."""

from __future__ import annotations

import time
from dataclasses import dataclass

from twisted.plugin import IPlugin
from zope.interface import implementer

from apigateway.config.scalars import duration
from apigateway.config.tables import Table, keys_of
from apigateway.exchange import Exchange
from apigateway.interfaces import IPolicyPlugin
from apigateway.policies.policy import Policy, PolicyTools


@dataclass(frozen=True)
class Work:
    """How long, in seconds."""

    seconds: float = 0.001


@implementer(IPlugin, IPolicyPlugin)
class Working:
    """Computes for as long as it is told."""

    name = "working"
    after = "rate-limit"
    options = Table("working", keys_of(Work, seconds=(duration(), "How long.")), Work)

    def make(self, options: Work, tools: PolicyTools) -> Policy:
        """Keep the processor busy, not just the clock."""

        def ask(exchange: Exchange) -> None:
            until = time.thread_time() + options.seconds
            while time.thread_time() < until:
                pass

        return Policy("working", ask)


working = Working()
