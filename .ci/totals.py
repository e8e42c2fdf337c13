"""Sums what trial said at the end of each of its runs, read from standard input; fails where no test passed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

SUMMARY = re.compile(r"^(?:PASSED|FAILED)(?: \((.*)\))?$")
COUNT = re.compile(r"(\w+)=(\d+)")

KINDS = {
    "successes": "passed",
    "expectedFailures": "passed",
    "failures": "failed",
    "errors": "failed",
    "unexpectedSuccesses": "failed",
    "skips": "skipped",
}


def totals(lines: Iterable[str]) -> dict[str, int]:
    """How many tests passed, failed and were skipped; an error counts as failed."""
    sums = {"passed": 0, "failed": 0, "skipped": 0}
    for line in lines:
        summary = SUMMARY.match(line.strip())
        for kind, count in COUNT.findall(summary[1] or "") if summary else ():
            sums[KINDS[kind]] += int(count)
    return sums


def main() -> int:
    """Print the sums as the last line of a run."""
    sums = totals(sys.stdin)
    print(", ".join(f"{count} {kind}" for kind, count in sums.items()))
    return 0 if sums["passed"] and not sums["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
