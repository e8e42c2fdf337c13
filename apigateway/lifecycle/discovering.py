"""The discoveries of the services in use: begun and ended as the configuration says, their targets put into it.

Knows when targets change, and that somebody must then go on with them; not how they are found or used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from apigateway.config.model import Configuration, Discovery, Service, Target

EVERY_S = 1.0
"""Other targets are used at most so often, however often they change."""

SOON_S = 0.02
"""The first targets of a service are used after this; by then those of others may be there as well."""

PATIENCE_S = 5.0
"""So long after a discovery has begun, nobody waits for its first answer any more."""

_log = Logger(namespace="apigateway.discovery")


@dataclass
class _Followed:
    """A discovery that runs. `before` are the targets that the service had when it began."""

    options: Discovery
    discovery: Any
    since: float
    before: tuple[Target, ...]
    used: bool = False

    @property
    def targets(self) -> tuple[Target, ...]:
        found: tuple[Target, ...] | None = self.discovery.targets
        return self.before if found is None else found


class Discovering:
    """`make` makes the `IDiscovery` of a service, which then calls what it was given when targets have changed.

    `use` goes on with the targets of now. `now` is the monotonic clock.
    """

    def __init__(
        self,
        make: Callable[[Service, Callable[[], None]], Any],
        use: Callable[[], object],
        clock: IReactorTime,
        now: Callable[[], float],
    ) -> None:
        self._make = make
        self._use = use
        self._clock = clock
        self._now = now
        self._followed: dict[str, _Followed] = {}
        self._in_use: Mapping[str, tuple[Target, ...]] = {}
        self._last_s = float("-inf")
        self._timer: IDelayedCall | None = None
        self._beginning = self._changed = False

    def __repr__(self) -> str:
        return f"<Discovering {', '.join(self._followed) or 'nothing'}{' changed' if self._changed else ''}>"

    def effective(self, configuration: Configuration) -> Configuration:
        """The configuration with the targets that are known now.

        A service whose discovery is new keeps the targets that it has, until there are others.
        """
        if all(one.discovery is None for one in configuration.services):
            return configuration
        return replace(configuration, services=tuple(map(self._with_targets, configuration.services)))

    def _with_targets(self, service: Service) -> Service:
        if service.discovery is None:
            return service
        followed = self._followed.get(service.name)
        if followed is not None and followed.options == service.discovery:
            return replace(service, targets=followed.targets)
        return replace(service, targets=self._in_use.get(service.name, ()))

    def in_use(self, configuration: Configuration) -> None:
        """This configuration, with its targets, is used from now on."""
        self._in_use = {one.name: one.targets for one in configuration.services}
        self._last_s = self._now()

    def follow(self, services: Iterable[Service]) -> None:
        """Discover the targets of these services, and of no others. What is the same as before goes on.

        What is found at once is used at once.
        """
        wanted = {one.name: one for one in services if one.discovery is not None}
        for name, followed in list(self._followed.items()):
            if name not in wanted or wanted[name].discovery != followed.options:
                del self._followed[name]
                followed.discovery.stop()
        self._beginning = True
        for name, service in wanted.items():
            if name not in self._followed:
                self._begin(service)
        self._beginning = False
        if self._changed:
            self._go_on()

    def _begin(self, service: Service) -> None:
        options = service.discovery
        assert options is not None
        discovery = self._make(service, lambda: self._has_changed(service.name))
        before = self._in_use.get(service.name, ())
        self._followed[service.name] = _Followed(options, discovery, self._now(), before)
        discovery.start()

    def stop(self) -> None:
        """Discover nothing any more; the targets stay."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        for followed in self._followed.values():
            followed.discovery.stop()

    def describe(self) -> dict[str, dict[str, Any]]:
        """The state of each discovery, by service, as values for JSON."""
        return {name: followed.discovery.describe() for name, followed in self._followed.items()}

    def awaited(self) -> Sequence[str]:
        """The services that have no targets yet, and may have some in a moment."""
        late = self._now() - PATIENCE_S
        return [
            name
            for name, one in self._followed.items()
            if one.discovery.targets is None and not one.before and one.since > late
        ]

    # Changes.

    def _has_changed(self, name: str) -> None:
        followed = self._followed[name]
        pause_s = SOON_S if not followed.used else max(0.0, self._last_s + EVERY_S - self._now())
        self._changed = followed.used = True
        if self._beginning:
            return
        if self._timer is None:
            self._timer = self._clock.callLater(pause_s, self._go_on)
        elif self._timer.getTime() > self._clock.seconds() + pause_s:
            self._timer.reset(pause_s)

    def _go_on(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        if not self._changed:
            return
        self._changed = False
        try:
            self._use()
        except Exception:
            _log.failure("discovered targets cannot be used", event="discovery-failed")
