"""Where the targets of a service are found while the gateway runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Discovery:
    """One of `file`, with a list of targets, `dns`, a URL whose name has addresses, and `srv`, a name of SRV records.

    The rest is about names: `scheme` of what SRV records tell; `nameservers` as `address:port`, none for the system's;
    `family` "auto", "ipv4", "ipv6" or "both"; bounds in seconds on how long an answer holds; and for how many seconds
    the last targets stay when a name has none any more.
    """

    file: str | None = None
    dns: str | None = None
    srv: str | None = None
    scheme: str = "http"
    nameservers: tuple[str, ...] = ()
    family: str = "auto"
    min_ttl: float = 1.0
    max_ttl: float = 60.0
    hold: float = 300.0

    @property
    def kind(self) -> str:
        """The kind of discovery: "file", "dns" or "srv"."""
        return "file" if self.file is not None else "dns" if self.dns is not None else "srv"

    @property
    def subject(self) -> str:
        """What is looked at: a file's path, a URL or a name."""
        return self.file or self.dns or self.srv or ""
