"""Files that a configuration names, and what is in them."""

from __future__ import annotations

from dataclasses import dataclass, field

from apigateway.config.problems import Where


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file, and what was in it when the configuration was read; None before that.

    Another content makes another configuration. It is in no `repr`: it may be a key. `where` names it in the file.
    """

    path: str
    content: bytes | None = field(default=None, repr=False)
    where: Where = field(default=Where("configuration"), repr=False, compare=False)
