"""Where a configuration comes from, so that it can be read again: a file, or the environment. Knows no runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from apigateway.config.model import Configuration, Listener
from apigateway.config.problems import Problem, Where
from apigateway.config.read import ConfigurationError, load_environment, parse_content, read_content
from apigateway.config.usable import usable
from apigateway.lifecycle.watch import digest_at, digest_of


class Source:
    """A file at `path`, or where that is None the environment alone. `listen` are endpoints, and win over the file.

    The path is made absolute: a process may change its folder after it has started. `digest` is that of what was read
    last. The first time the file may be a pipe; afterwards nothing is waited for.
    """

    def __init__(self, path: str | None, environ: Mapping[str, str], listen: Sequence[str] = ()) -> None:
        self.path = os.path.abspath(path) if path else None
        self.digest: bytes | None = None
        self._named = path
        self._environ = environ
        self.listen = tuple(Listener(endpoint, where=Where("--listen")) for endpoint in listen)

    def __repr__(self) -> str:
        return f"<Source {self.path or 'environment'}>"

    def _load(self, path: str) -> Configuration:
        try:
            content = read_content(path, may_wait=self.digest is None)
            self.digest = digest_of(content)
            return usable(self._placed(parse_content(content, path, self._environ)))
        except ConfigurationError as error:
            raise ConfigurationError(tuple(self._as_named(one) for one in error.problems)) from None

    def _placed(self, configuration: Configuration) -> Configuration:
        """Listeners are looked at again where there is a reactor, and tell of their place by that name as well."""

        def placed(one: Listener) -> Listener:
            return replace(one, where=replace(one.where, file=self._named or "")) if one.where.line else one

        return replace(configuration, listen=tuple(map(placed, configuration.listen)))

    def _as_named(self, problem: Problem) -> Problem:
        """Tell of the file by the name that people gave it."""
        return replace(problem, file=self._named) if problem.file == self.path and self._named else problem

    def is_as_read(self) -> bool:
        """Whether the file still says what it said when it was read last."""
        return self.path is not None and digest_at(self.path) == self.digest

    def read(self) -> Configuration:
        """Read and check. Blocks; touches nothing else, so that a thread may do it. Raises `ConfigurationError`."""
        configuration = load_environment(self._environ) if self.path is None else self._load(self.path)
        return replace(configuration, listen=self.listen or configuration.listen)
