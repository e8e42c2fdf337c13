"""The tables of docs/failures.md, made from the catalogue of failures.

`python -m tests.failures docs/failures.md` puts the current ones in their place there.
"""

from __future__ import annotations

from itertools import groupby

from tests.failures.cases import LARGE, SMALL, UPLOADS, Case

BEGIN, END = "<!-- tables: made by tests.failures -->\n", "<!-- end of tables -->\n"

_HEADER = (
    "| the service | request | the client sees | breaker | health check | log | another target |\n"
    "|---|---|---|---|---|---|---|\n"
)
_NAMES = {SMALL: "any", UPLOADS: "half an upload", SMALL + UPLOADS: "any, half an upload", LARGE: "a large one"}


def tables(cases: tuple[Case, ...]) -> str:
    """Markdown: a heading and a table for each part."""
    parts = groupby(cases, key=lambda case: case.part)
    return "\n".join(f"### {part.capitalize()}\n\n{_HEADER}{''.join(map(_row, group))}" for part, group in parts)


def with_tables(page: str, cases: tuple[Case, ...]) -> str:
    """A page with what stands between its two marks replaced by the current tables."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(cases)}\n{END}{after}"


def _row(case: Case) -> str:
    cells = (case.what, _requests(case.requests), _seen(case), case.breaker, _health(case), _log(case), _spared(case))
    return f"| {' | '.join(cells)} |\n"


def _requests(names: tuple[str, ...]) -> str:
    return _NAMES.get(names) or "; ".join(names)


def _seen(case: Case) -> str:
    if case.cut:
        return f"{case.status}, cut"
    return f"{case.status} `{case.cause}`" if case.cause else f"{case.status}"


def _health(case: Case) -> str:
    return f"bad: {case.health}" if case.health else "good"


def _log(case: Case) -> str:
    status, cause = case.logged
    told = f"{status} `{cause}`" if cause else f"{status}"
    return told if case.attempts == 1 else f"{told}, {case.attempts} attempts"


def _spared(case: Case) -> str:
    if not case.spared:
        return "is not asked"
    return "answers" if case.spared == case.requests else f"answers {'; '.join(case.spared)}"
