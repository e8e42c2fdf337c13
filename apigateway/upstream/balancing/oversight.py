"""What is done about a service's targets every fraction of a second, whether exchanges come or not."""

from __future__ import annotations

from apigateway.upstream.balancing.group import Group
from apigateway.upstream.balancing.outliers import Outliers, release
from apigateway.upstream.balancing.panic import Panic


class Oversight:
    """Sees who leaves and comes back, who fails more than the others, and when nobody is well."""

    __slots__ = ("panic", "_group", "_outliers")

    def __init__(self, group: Group, panic: Panic, outliers: Outliers | None = None) -> None:
        self.panic = panic
        self._group = group
        self._outliers = outliers

    def __repr__(self) -> str:
        return f"<Oversight {self._group!r} {self.panic!r}>"

    def tick(self, now: float) -> None:
        """Look at all of them. `now` is monotonic seconds."""
        group = self._group
        if self._outliers is not None:
            self._outliers.tick(now)
        else:
            release(group.targets)
        group.review(now)
        self.panic.tick(group.in_panic(), now)
