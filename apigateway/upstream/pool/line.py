"""Whether it makes sense to join the line for a connection: not at its end, where nobody was served in time lately.

Knows places and times, not who waits. The line itself is in order of arrival: a client that has given up has left it,
so whoever came first is no staler than whoever came last, and who is let in at all is told the truth about its chances.
"""

from __future__ import annotations

from apigateway.upstream.sliding import SlidingCount


class Line:
    """The pace of a line of at most `most` in which each waits for at most `wait_s` seconds.

    A line that has not been empty for `wait_s` is not a burst any more. From then on it takes no more than were served
    in the last `wait_s`: whoever came after them would wait in vain, and make others wait.
    """

    __slots__ = ("_most", "_wait_s", "_served", "_since")

    def __init__(self, most: int, wait_s: float) -> None:
        self._most = most
        self._wait_s = wait_s
        self._served = SlidingCount(wait_s)
        self._since = 0.0

    def takes(self, before: int, now: float) -> bool:
        """Whether one more may join; `before` are in the line already."""
        if not before:
            self._since = now
        if now - self._since < self._wait_s or before >= self._most:
            return before < self._most
        self._served.move_to(now)
        return before < self._served.all

    def served(self, now: float) -> None:
        """The first in the line got a connection."""
        self._served.count(now)
