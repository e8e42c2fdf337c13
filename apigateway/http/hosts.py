"""Names of hosts, as `Host` fields and configurations have them, and the ports that go unsaid. Pure functions."""

from __future__ import annotations

DEFAULT_PORTS = {"http": 80, "https": 443}
"""The ports of URLs that name none, by their scheme."""


def host_name(host: bytes) -> bytes:
    """The name in a `Host` field, in lower case, without port and without the dot of the root of all names."""
    name = host.strip().lower()
    name = name.rpartition(b":")[0] if b":" in name and not name.endswith(b"]") else name
    return name.removesuffix(b".")


def is_named(name: bytes, pattern: bytes) -> bool:
    """Whether a name is the one of a pattern; `*.example.com` is one or more labels below that name."""
    return name == pattern or (pattern[:2] == b"*." and name.endswith(pattern[1:]))
