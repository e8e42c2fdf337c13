"""Looks up what the gateway runs on, as locked, in the database of known vulnerabilities (pip-audit asks PyPI's).

Fails where something is found. Where the database can't be asked, it says so and does not fail.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements.lock"
COMMAND = (
    sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--no-deps", "--disable-pip", "--format", "json",
    "--progress-spinner", "off", "--timeout", "15",
)  # fmt: skip


def found(dependencies: Iterable[dict[str, Any]]) -> list[str]:
    """A line for each vulnerability."""
    return [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in dependencies
        for flaw in one.get("vulns", ())
    ]


def verdict(report: str, names: int) -> tuple[int, list[str]]:
    """The exit status, and what to say, for a report of pip-audit on so many locked packages."""
    try:
        dependencies = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return 0, ["not audited: the database of vulnerabilities can't be reached"]
    flaws = found(dependencies)
    audited = [one["name"] for one in dependencies if "vulns" in one]
    if flaws:
        return 1, flaws
    if not audited:
        return 0, ["not audited: the database of vulnerabilities knows none of the packages"]
    left = f"; not audited: {names - len(audited)}" if len(audited) < names else ""
    return 0, [f"{len(audited)} packages audited, no known vulnerability{left}"]


def locked(text: str) -> list[str]:
    """The packages of a lock file, as `name==version`."""
    return [line for line in text.splitlines() if "==" in line and not line.startswith("#")]


def main() -> int:
    """Ask, and say what came of it."""
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    status, lines = verdict(done.stdout, len(locked(LOCK.read_text(encoding="utf-8"))))
    if "not audited" in lines[0]:
        print("\n".join(done.stderr.splitlines()[-1:]))
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
