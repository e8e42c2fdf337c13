"""All outcomes of a soak: counted, and what is odd explained in the end. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from bench.soak.history import History
from bench.soak.outcomes import Outcome, explain, is_fine


class Ledger:
    """All outcomes, counted; those that need an explanation are kept until there is one."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.count = 0
        self.statuses: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.encrypted = 0
        self.messages = 0
        self.explained: Counter[str] = Counter()
        self.unexplained: list[str] = []
        self.ids: dict[str, int] = {}
        self._odd: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        """One request is over."""
        self.count += 1
        self.kinds[outcome.kind] += 1
        self.encrypted += outcome.is_encrypted
        self.statuses[str(outcome.seen)] += 1
        if outcome.by:
            self.answered[outcome.by] += 1
        if outcome.request_id:
            if outcome.request_id in self.ids:
                self.unexplained.append(f"two answers with the request id {outcome.request_id}")
            self.ids[outcome.request_id] = outcome.status
        if not is_fine(outcome) or not self.history.was_listed(outcome.by, outcome.began, outcome.ended):
            self._odd.append(outcome)

    def close(self, logged: Mapping[str, tuple[int, str]]) -> None:
        """All is known: explain what can be explained. `logged` are status and cause by request id."""
        for outcome in self._odd:
            if outcome.ending == "whole" and outcome.status != outcome.good and not outcome.cause:
                # An answer to HEAD can't tell the cause.
                outcome = replace(outcome, cause=logged.get(outcome.request_id, (0, ""))[1])
            why = explain(outcome, self.history)
            if why:
                self.explained[f"{outcome.seen}{' (fallback)' if outcome.fallback else ''}: {why}"] += 1
            else:
                self.unexplained.append(str(outcome))
        self._odd.clear()
