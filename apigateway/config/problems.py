"""What is wrong with a configuration, and where. Knows nothing of YAML or of any key."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Final


class Invalid(Enum):
    """Stands for a value that was refused; the problem has been noted."""

    INVALID = "invalid"


INVALID: Final = Invalid.INVALID


@dataclass(frozen=True, slots=True)
class Where:
    """A place: a file or "environment", its line from 1 (0: there is none), and a path or a variable's name."""

    file: str
    line: int = 0
    path: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}" if self.path else place


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `path` is like `services.auth.targets[0].url`, or the name of a variable."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{Where(self.file, self.line, self.path)}: {self.message}"


class ConfigurationError(Exception):
    """A configuration cannot be used. `problems` are all that were found, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class Problems:
    """Collects problems; the same one, met again through `defaults` or an alias, counts once."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}

    def add(self, where: Where, message: str) -> Invalid:
        """Note a problem."""
        self._found[Problem(where.file, where.line, where.path, message)] = None
        return INVALID

    def raise_any(self) -> None:
        """Raise what was found as a `ConfigurationError`."""
        if self._found:
            raise ConfigurationError(tuple(sorted(self._found, key=lambda problem: problem.line)))


MOST_COMPARED = 100
"""More words are not compared with an unknown one, nor listed: there may be thousands of each."""


def nearest(word: str, known: list[str]) -> str:
    """A hint at what an unknown word was meant to be."""
    more = "" if len(known) <= MOST_COMPARED else " and more"
    known = known[:MOST_COMPARED]
    close = get_close_matches(word.lower(), known, 1)
    return f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}{more}"
