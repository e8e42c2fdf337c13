"""What is known of names: answers as long as they hold, the last good ones when nobody answers, and not too many.

Knows how to ask only as a function; no sockets, no timers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.names import dns

from apigateway.discovery.answers import Answer, Key, LookupFailed, NoRecords, Records, read_answer, read_more

MOST_NAMES = 4096
"""More are not remembered; the one that was asked for longest ago is forgotten first."""


@dataclass(frozen=True, slots=True)
class Known:
    """Records that hold until `until`. With an `error` they are old ones: it tells why there are no newer."""

    records: Records
    until: float
    error: str = ""


class Names:
    """Answers are kept as long as they say, but at least `min_ttl_s` and at most `max_ttl_s` seconds."""

    def __init__(
        self,
        ask: Callable[[Key], Deferred[dns.Message]],
        now: Callable[[], float],
        min_ttl_s: float,
        max_ttl_s: float,
        most: int = MOST_NAMES,
    ) -> None:
        self._ask = ask
        self._now = now
        self._min_ttl_s = min_ttl_s
        self._max_ttl_s = max_ttl_s
        self._most = most
        self._known: dict[Key, Known] = {}

    def __repr__(self) -> str:
        return f"<Names {len(self._known)} known>"

    async def look(self, name: str, kind: int) -> Known:
        """What is known of a name, asked for where that does not hold any more.

        Raises `NoRecords`, or another `LookupFailed` where nothing was known before.
        """
        key = (name, kind)
        known = self._known.pop(key, None)
        if known is not None and self._now() < known.until:
            self._known[key] = known
            return known
        try:
            message = await self._ask(key)
            found = self._remember(key, read_answer(message, key))
        except NoRecords:
            raise
        except LookupFailed as error:
            if known is None:
                raise
            self._known[key] = known
            return Known(known.records, self._now() + self._min_ttl_s, str(error))
        for further, answer in read_more(message).items():
            self._remember(further, answer)
        return found

    def _remember(self, key: Key, answer: Answer) -> Known:
        ttl_s = min(max(answer.ttl_s, self._min_ttl_s), self._max_ttl_s)
        self._known.pop(key, None)
        known = self._known[key] = Known(answer.records, self._now() + ttl_s)
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        return known
