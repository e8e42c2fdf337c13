"""The image without a Docker engine: the Dockerfile's own steps, run in order in an empty folder.

What this does, and what it does not: each COPY, RUN, ENV, HEALTHCHECK and CMD of the Dockerfile is carried out as it is
written, with absolute paths moved into an empty folder and `FROM` answered by the Python that runs the tests. `NOT_RUN`
lists the steps that need root or another machine. As in `test_packaging`, nothing is downloaded: pip installs only
ourselves, what we depend on is seen through a `.pth` file. Whether the base image exists and the image builds on an
engine is not tested here.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.read import load_environment
from apigateway.demo.__main__ import options
from tests.starting import ROOT, Started, demo_urls, port_of

NOT_RUN = {"RUN useradd": "needs root", "USER": "needs root", "EXPOSE": "tells people, does nothing", "FROM": "no engine"}
"""Beginnings of steps that are not carried out, and why."""

MOVED = re.compile(r"(?<![\w.:/-])/(?=opt/|srv\b|src\b)")
"""Where an absolute path of the image begins in a step."""

OFFLINE = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_BUILD_ISOLATION": "0"}
"""Nothing is downloaded. (`PIP_NO_BUILD_ISOLATION` means its opposite: 0 switches the isolation off.)"""


def steps() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile: the word, and what follows it."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    found = [line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, rest in found]


def why_not_run(word: str, rest: str) -> str | None:
    """Why a step is not carried out here; None where it is."""
    return next((why for step, why in NOT_RUN.items() if f"{word} {rest}".startswith(step)), None)


class Image:
    """The folder in which the steps are carried out, and what they have set."""

    def __init__(self, root: Path, context: Path) -> None:
        self.root = root
        self.context = context
        self.folder = root
        self.environ = {**os.environ, **OFFLINE}
        self.environ.pop("PYTHONPATH", None)
        self.command: list[str] = []
        self.health: list[str] = []
        self.done = {
            "RUN": self.run, "COPY": self.copy, "ENV": self.set_variable, "WORKDIR": self.work_in,
            "HEALTHCHECK": self.check_with, "CMD": self.start_with,
        }  # fmt: skip

    def moved(self, text: str) -> str:
        """A step with the paths of the image moved into the folder."""
        return MOVED.sub(f"{self.root}/", text)

    def run(self, rest: str) -> None:
        subprocess.run(
            self.moved(rest), shell=True, check=True, cwd=self.folder, env=self.environ, capture_output=True, text=True
        )
        if "-m venv" in rest:
            self._share_dependencies(self.moved(rest).split()[-1])

    def _share_dependencies(self, environment: str) -> None:
        (place,) = Path(environment).glob("lib/python*/site-packages")
        shared = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
        (place / "shared.pth").write_text("\n".join(shared) + "\n", encoding="utf-8")
        # the scripts of what we depend on, which pip would have put there
        shutil.copy(Path(sysconfig.get_path("scripts")) / "twistd", self.root / "twistd")

    def copy(self, rest: str) -> None:
        words = shlex.split(rest)
        if words[0].startswith("--from="):
            # the stages share the folder
            return
        *sources, target = words
        for source in sources:
            place = self.folder / target
            found = self.context / source
            if found.is_dir():
                shutil.copytree(found, place, ignore=ignored)
            else:
                shutil.copy(found, place)

    def set_variable(self, rest: str) -> None:
        name, _, value = self.moved(rest).partition("=")
        self.environ[name] = value.replace("$PATH", self.environ["PATH"])

    def work_in(self, rest: str) -> None:
        self.folder = Path(self.moved(rest))
        self.folder.mkdir(exist_ok=True)

    def check_with(self, rest: str) -> None:
        self.health = json.loads(rest.partition("CMD")[2])

    def start_with(self, rest: str) -> None:
        self.command = json.loads(rest)


def ignored(folder: str, names: list[str]) -> set[str]:
    """What .dockerignore keeps out of the folders that are copied."""
    return {name for name in names if name in ("__pycache__", "dropin.cache")}
