"""Reading the configuration again: on demand or when its file changes, one reload at a time, each told in words.

Knows where the configuration comes from, and what to do with it only as `apply`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from apigateway.config.model import Configuration
from apigateway.config.read import ConfigurationError
from apigateway.config.usable import named_files, usable
from apigateway.lifecycle.differences import differences
from apigateway.lifecycle.named_files import NamedFiles
from apigateway.lifecycle.one_at_a_time import OneAtATime
from apigateway.lifecycle.source import Source
from apigateway.lifecycle.watch import FileWatch
from apigateway.telemetry.reloads import FAILED, REFUSED, RELOADED, UNCHANGED, Reload, Reloads

_log = Logger(namespace="apigateway.reload")

Apply = Callable[[Configuration], Coroutine[Deferred[Any], Any, tuple[str, ...]]]
"""Use a configuration; returns why that can't be, in which case nothing has changed."""

Read = Callable[[], Coroutine[Deferred[Any], Any, Configuration | None]]

Verdict = tuple[str, str, tuple[str, ...], tuple[str, ...]]
"""Outcome, detail, changes and problems."""

NAMED_FILE = "named-file"
"""Asks for a reload: a file that the configuration names has changed. Then the configuration is not read again, unless
it could not be used when it was read last: a certificate may have been half replaced.
"""

_SAME: Verdict = (UNCHANGED, "The configuration was read again, and says what is in use already.", (), ())
_NO_FILE: Verdict = (
    UNCHANGED,
    "There is no configuration file: what the environment said at the start holds, and there is nothing to read again.",
    (),
    (),
)
_STOPPING: Verdict = (REFUSED, "Nothing was read.", (), ("the gateway is stopping",))


def _failed(problems: tuple[str, ...]) -> Verdict:
    return FAILED, "The configuration cannot be used, and nothing has changed.", (), problems


class Reloading:
    """`current` tells the configuration in use, `stopping` whether it is too late for another one.

    `now` is the monotonic clock, the reactor's clock is the time of day. `reopen` is called with each good reload, also
    where nothing has changed: it opens log files again that something else has moved away.
    """

    def __init__(
        self,
        source: Source | None,
        reactor: Any,
        now: Callable[[], float],
        current: Callable[[], Configuration],
        stopping: Callable[[], bool],
        apply: Apply,
        reopen: Callable[[], None],
    ) -> None:
        self.reloads = Reloads()
        self._source = source
        self._reactor = reactor
        self._now = now
        self._current = current
        self._stopping = stopping
        self._apply = apply
        self._reopen = reopen
        self._failed_for: str | None = None
        self._one_at_a_time: OneAtATime[Reload] = OneAtATime(self._turn)
        path = source.path if source is not None else None
        self._watch = FileWatch(path, lambda: self.ask("file"), reactor) if path is not None else None
        self._named_files = NamedFiles(lambda: self.ask(NAMED_FILE), reactor)

    def ask(self, asked_by: str) -> Deferred[Reload]:
        """Reload, now or after the reload that is under way; who asks meanwhile shares the next one. Never fails."""
        return self._one_at_a_time.ask(asked_by)

    def watch(self, configuration: Configuration) -> None:
        """From now on look at the file that this was read from, if it says so, and at the files that it names."""
        self._watch_own(configuration.watch)
        self._named_files.follow(named_files(configuration))

    def _watch_own(self, is_wanted: bool) -> None:
        if self._watch is not None and self._source is not None:
            if is_wanted:
                self._watch.start(self._source.digest)
            else:
                self._watch.stop()

    def stop(self) -> None:
        """Look at no file any more."""
        self._watch_own(False)
        self._named_files.stop()

    async def _turn(self, asked_by: str) -> Reload:
        began = self._now()
        try:
            verdict = await self._verdict(self._again if asked_by == NAMED_FILE else self._read)
        except Exception as error:
            _log.failure("a reload failed unforeseen", event="reload-failed")
            verdict = _failed((f"something unforeseen went wrong; the log tells more: {type(error).__name__}",))
        outcome, detail, changes, problems = verdict
        reload = Reload(outcome, asked_by, self._reactor.seconds(), self._now() - began, detail, changes, problems)
        self.reloads.note(reload)
        self._tell(reload)
        self._try_again_after(reload)
        return reload

    def _try_again_after(self, reload: Reload) -> None:
        """What was asked for in vain is done when the files fit: nobody has to ask for the same text once more."""
        if reload.asked_by != NAMED_FILE:
            self._failed_for = reload.asked_by if reload.outcome == FAILED else None
        elif self._failed_for is not None and self._source is not None and self._source.is_as_read():
            self.ask(self._failed_for)

    async def _verdict(self, read: Read) -> Verdict:
        if self._stopping():
            return _STOPPING
        try:
            configuration = await read()
        except ConfigurationError as error:
            return _failed(tuple(map(str, error.problems)))
        if self._stopping():
            return _STOPPING
        if configuration is None:
            self._reopen()
            return _NO_FILE
        return await self._compare_and_apply(configuration)

    async def _read(self) -> Configuration | None:
        """What the file says; None where there is none."""
        if self._source is None or self._source.path is None:
            return None
        return await self._in_thread(self._source.read)

    async def _again(self) -> Configuration:
        """The same configuration, with what is now in the files that it names."""
        return await self._in_thread(partial(usable, self._current(), again=True))

    async def _compare_and_apply(self, configuration: Configuration) -> Verdict:
        before = self._current()
        if configuration == before:
            self._reopen()
            return _SAME
        problems = await self._apply(configuration)
        if problems:
            return _failed(problems)
        self._reopen()
        return RELOADED, "The configuration was read again, and is in use.", differences(before, configuration), ()

    def _in_thread(self, read: Callable[[], Configuration]) -> Deferred[Configuration]:
        """In a thread, where there are any: a large file takes longer than exchanges may wait."""
        if IReactorThreads.providedBy(self._reactor):
            return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), read)
        return maybeDeferred(read)

    def _tell(self, reload: Reload) -> None:
        about = {"outcome": reload.outcome, "asked_by": reload.asked_by, "took_ms": round(reload.seconds * 1000, 1)}
        if reload.is_good:
            _log.info("{detail}", event="reloaded", detail=reload.detail, changes=list(reload.changes), **about)
        else:
            _log.error("{detail} {why}", event="reload-failed", detail=reload.detail, why="; ".join(reload.problems),
                       problems=list(reload.problems), **about)  # fmt: skip
