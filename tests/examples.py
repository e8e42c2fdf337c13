"""The examples in the project's pages: found, and shell sessions run against a gateway with the demo behind it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.starting import ROOT

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))

GATEWAY = "localhost:8000"

MARK = "::end of what was printed::"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ ", re.MULTILINE)
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: the section (counted) and the line on which it begins, its language, its text."""

    page: str
    section: int
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Step:
    """One command of a shell session, and what the page shows of its output (`…` stands for anything)."""

    command: str
    shown: str


@dataclass(frozen=True)
class Session:
    """The blocks of a page that talk to a gateway with one configuration; an empty one is the environment's."""

    page: str
    configuration: str
    blocks: tuple[Block, ...]


def blocks_of(path: Path) -> list[Block]:
    """The fenced blocks of a page."""
    text = path.read_text(encoding="utf-8")
    page = str(path.relative_to(ROOT))
    return [Block(page, *_place(text[: m.start()]), m[1], m[2]) for m in _FENCE.finditer(text)]


def _place(before: str) -> tuple[int, int]:
    """Section and line of what comes after some text."""
    outside_blocks = _FENCE.sub("", before)
    return len(_HEADING.findall(outside_blocks)), before.count("\n") + 1


def all_blocks(language: str) -> Iterator[Block]:
    """The blocks of a language on all pages."""
    return (block for path in PAGES for block in blocks_of(path) if block.language == language)


def variables_of(block: Block) -> dict[str, str]:
    """A value for each variable that a configuration needs."""
    return dict.fromkeys(_VARIABLE.findall(block.text), "an-example-of-a-value")


def steps_of(block: Block) -> list[Step]:
    """The commands of a `console` block; a line that ends in a backslash goes on."""
    steps = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        length = 1 + next(i for i, line in enumerate(lines) if not line.endswith("\\"))
        steps.append(Step("\n".join(lines[:length]), "\n".join(lines[length:])))
    return steps


def sessions() -> list[Session]:
    """The shell sessions of all pages: what follows a YAML block in its section is run with that configuration."""
    found: dict[tuple[str, str], list[Block]] = {}
    for path in PAGES:
        configured: dict[int, str] = {}
        for block in blocks_of(path):
            if block.language == "yaml":
                configured[block.section] = block.text
            elif block.language == "console" and GATEWAY in block.text:
                found.setdefault((block.page, configured.get(block.section, "")), []).append(block)
    return [Session(page, configuration, tuple(blocks)) for (page, configuration), blocks in found.items()]


def run(commands: list[str], folder: str) -> list[str]:
    """What each command prints, errors included, all in one shell."""
    # Without a terminal curl would show its progress.
    Path(folder, ".curlrc").write_text("silent\nshow-error\n", encoding="utf-8")
    environ = {**os.environ, "CURL_HOME": folder}
    script = "".join(f"{{ {command}\n}} 2>&1\necho; echo '{MARK}'\n" for command in commands)
    done = subprocess.run(
        ["bash"], input=script, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=600
    )
    return done.stdout.split(f"\n{MARK}\n")[:-1]


def looks_like(shown: str, printed: str) -> bool:
    """Whether an output is what a page shows, but for spaces, and with `…` for anything."""
    pattern = ".*".join(re.escape(" ".join(part.split())) for part in shown.split("…"))
    return re.fullmatch(re.sub(r"(\\ )+", r"\\s*", pattern), " ".join(printed.split()), re.DOTALL) is not None
