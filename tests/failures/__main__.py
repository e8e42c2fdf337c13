"""`python -m tests.failures PAGE` puts the current tables into a page; `python -m tests.failures leaks 10000` looks
for leaks after so many failures, and tells what it found."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.failures.cases import CASES
from tests.failures.leaks import report
from tests.failures.page import with_tables


def main(arguments: list[str]) -> int:
    """Do what the arguments say; returns the exit status."""
    if arguments[:1] == ["leaks"]:
        lines, is_clean = report(int(arguments[1]) if len(arguments) > 1 else 10_000)
        print("\n".join(lines))
        return not is_clean
    for page in map(Path, arguments):
        page.write_text(with_tables(page.read_text("utf-8"), CASES), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
