"""Which other services a service leads to, as it was given. Knows not whether they are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from apigateway.config.given import Given
from apigateway.config.problems import Where


@dataclass(frozen=True, slots=True)
class Reference:
    """A service is named by another one, for this reason (one of `HOW`)."""

    how: str
    service: str
    where: Where


HOW = ("fallback", "split", "mirror")
"""The keys by which a service leads to others."""


def references(given: Given) -> Iterator[Reference]:
    """The services that a service, or one of its routes, leads to; those that can't be read are left out."""
    for how in HOW:
        value = given.values.get(how)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Given) and isinstance(one.values.get("service"), str):
                # A fallback is told of as a whole: there is nothing else in it.
                where = given.place(how) if how == "fallback" else one.place("service")
                yield Reference(how, one.values["service"], where)
