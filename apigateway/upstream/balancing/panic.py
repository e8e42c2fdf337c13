"""The time in which no target of a service is well, so that all are tried: told when it begins and when it is over."""

from __future__ import annotations

from twisted.logger import Logger

_log = Logger(namespace="apigateway.upstream")


class Panic:
    """Whether a service is in panic. Lives in the Registry, so that a new configuration doesn't begin it again."""

    __slots__ = ("_service", "_began")

    def __init__(self, service: str) -> None:
        self._service = service
        self._began: float | None = None

    def __repr__(self) -> str:
        return f"<Panic {self._service} {'lasts' if self.lasts else 'none'}>"

    @property
    def lasts(self) -> bool:
        """All targets are tried, as none is well."""
        return self._began is not None

    def tick(self, is_so: bool, now: float) -> None:
        """Note whether no target is well. Called every fraction of a second; `now` is monotonic seconds."""
        if is_so and self._began is None:
            self._began = now
            _log.warn("no target of {service} is well: all are tried", event="panic-began", service=self._service)
        elif not is_so and self._began is not None:
            seconds, self._began = round(now - self._began, 1), None
            _log.info(
                "some target of {service} is well again, after {seconds} s",
                event="panic-ended", service=self._service, seconds=seconds,
            )  # fmt: skip
