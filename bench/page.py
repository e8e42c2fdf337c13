"""`python -m bench.page FILE.json [PAGE]`: what a run found, written into docs/benchmarks.md between its markers.

No number of that page is typed by hand. The charts are written into the folder beside the page.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from bench import duties, goals, plot
from bench.peers import ROOT
from bench.report import Report, peers_in
from bench.tables import heading, markdown, number, rows, title

PAGE = ROOT / "docs" / "benchmarks.md"
_OURS = "apigateway"


def marked(name: str) -> re.Pattern[str]:
    """What stands between the markers of a part of the page."""
    return re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)


def filled(text: str, parts: dict[str, str]) -> str:
    """The page with its parts put in. Raises `ValueError` where it has no markers for one."""
    for name, part in parts.items():
        found = marked(name).search(text)
        if found is None:
            raise ValueError(f"the page has no markers for {name!r}")
        text = f"{text[: found.start()]}{found[1]}\n{part}\n\n{found[2]}{text[found.end() :]}"
    return text


def parts(report: Report, charts: str) -> dict[str, str]:
    """Each part of the page by name; `charts` is the folder of the charts as the page links to it."""
    return {
        "run": where(report),
        "goals": markdown(goals.rows(report)),
        "losses": losses(report),
        "duties": markdown(duties.rows(peers_in(report))),
        "workloads": "\n\n".join(_section(name, one, charts) for name, one in report["workloads"].items()),
    }


def where(report: Report) -> str:
    """The machine, the date, the command, the versions."""
    machine = report["machine"]
    ran = (
        f"Measured on {report['date']} on {machine['cores']} cores of {_article(machine['processor'])}, "
        f"Linux {machine['kernel']}, Python {machine['python']}, with:"
    )
    versions = [["", "version"]]
    versions += [[peer.title, report["versions"].get(peer.name, "unknown")] for peer in peers_in(report)]
    return f"{ran}\n\n```sh\n{report['command']}\n```\n\n{markdown(versions)}"


def _article(name: str) -> str:
    return f"an {name}" if name[:1] in "AEIO" else f"a {name}"


def losses(report: Report) -> str:
    """Where the gateway is behind Envoy or nginx: the workloads, and by how much."""
    lines = []
    for workload in report["workloads"].values():
        cells = workload["cells"]
        metric = "bytes_per_second" if workload["kind"] == "bytes" else "per_second"
        if _OURS not in cells or workload["kind"] not in ("exchanges", "bytes"):
            continue
        behind = [
            f"{number(cells[_OURS][metric]['median'] / cell[metric]['median'])} of {title(label)}"
            for label, cell in cells.items()
            if not cell["peer"].startswith(_OURS) and cell[metric]["median"] > cells[_OURS][metric]["median"]
        ]
        lines.append(f"* {workload['title']}: {', '.join(behind) if behind else 'behind none of them'}.")
    return "\n".join(lines)


def _section(name: str, workload: dict[str, Any], charts: str) -> str:
    return f"### {heading(workload)}\n\n![]({charts}/{name}.svg)\n\n{markdown(rows(workload))}"


def main() -> None:
    """Write the page and its charts from the report that is named."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("page", type=Path, nargs="?", default=PAGE)
    options = parser.parse_args()
    report = json.loads(options.report.read_text(encoding="utf-8"))
    page: Path = options.page
    text = filled(page.read_text(encoding="utf-8"), parts(report, page.stem))
    page.write_text(text, encoding="utf-8")
    plot.write(report, page.parent / page.stem)
    print(page)


if __name__ == "__main__":
    main()
