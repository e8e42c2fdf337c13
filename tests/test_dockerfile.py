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
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Listener
from apigateway.config.read import load_environment
from apigateway.demo.__main__ import options
from tests.starting import ROOT, Started, demo_urls, port_of

NOT_RUN = {
    "RUN useradd": "needs root",
    "USER": "needs root",
    "EXPOSE": "tells people, does nothing",
}
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
            "FROM": self.begin, "RUN": self.run, "COPY": self.copy, "ENV": self.set_variable, "WORKDIR": self.work_in,
            "HEALTHCHECK": self.check_with, "CMD": self.start_with,
        }  # fmt: skip

    def moved(self, text: str) -> str:
        """A step with the paths of the image moved into the folder."""
        return MOVED.sub(f"{self.root}/", text)

    def begin(self, rest: str) -> None:
        """A stage: the working folder is the root again."""
        self.folder = self.root

    def run(self, rest: str) -> None:
        done = self.process(["sh", "-c", self.moved(rest)])
        if done.returncode:
            raise AssertionError(f"RUN {rest}\n{done.stdout}{done.stderr}")
        if "-m venv" in rest:
            self._share_dependencies(self.moved(rest).split()[-1])

    def process(self, command: list[str], **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the image to its end."""
        environ = self.environ | more
        return subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, text=True, check=False)

    def _share_dependencies(self, environment: str) -> None:
        (place,) = Path(environment).glob("lib/python*/site-packages")
        shared = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
        (place / "shared.pth").write_text("\n".join(shared) + "\n", encoding="utf-8")
        # pip would have put twistd's script there along with Twisted
        script = Path(environment, "bin", "twistd")
        script.write_text(f"#!{environment}/bin/python\nfrom twisted.scripts.twistd import run\nrun()\n")
        script.chmod(0o755)

    def copy(self, rest: str) -> None:
        """Copy from the context; the stages share the folder, so what goes from one to the other is there already."""
        *sources, target = shlex.split(rest)
        if sources[0].startswith("--from="):
            return
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


@cache
def image() -> Image:
    """The image, made step by step in an empty folder that is removed when the process ends."""
    folder = TemporaryDirectory(prefix="apigateway-image-")
    _KEPT.append(folder)
    made = Image(Path(folder.name), ROOT)
    (made.root / "opt").mkdir()
    for word, rest in steps():
        if why_not_run(word, rest) is None:
            made.done[word](rest)
    return made


_KEPT: list[TemporaryDirectory[str]] = []


class DockerfileTests(SynchronousTestCase):
    def test_its_steps_make_a_gateway_that_serves_and_that_its_health_check_finds_healthy(self) -> None:
        made = image()
        environ = made.environ | demo_urls()
        listen = ["--listen", "tcp:0:interface=127.0.0.1"]
        with Started([*made.command, "--demo", *listen], "listening", environ, str(made.folder)) as gateway:
            url = f"http://127.0.0.1:{port_of(gateway)}/health/live"
            healthy = made.process(made.health, APIGATEWAY_HEALTH_URL=url)
        stopped = made.process(made.health, APIGATEWAY_HEALTH_URL=url)
        self.assertEqual((healthy.returncode, stopped.returncode), (0, 1), healthy.stderr)
        self.assertEqual(list(made.folder.iterdir()), [], "it serves without writing anything")

    def test_what_serves_is_what_was_copied_into_the_image(self) -> None:
        place = image().process(["python", "-c", "import apigateway; print(apigateway.__file__)"]).stdout
        self.assertTrue(Path(place).is_relative_to(image().root / "opt"), place)

    def test_the_cache_of_plugins_is_warm(self) -> None:
        (cache,) = image().root.glob("opt/apigateway/lib/python*/site-packages/twisted/plugins/dropin.cache")
        self.assertIn(b"apigateway_plugin", cache.read_bytes())

    def test_it_does_not_serve_as_root_and_has_no_build_stage_in_its_image(self) -> None:
        words = [word for word, _ in steps()]
        last_stage = words[len(words) - words[::-1].index("FROM") :]
        self.assertLess(last_stage.index("USER"), last_stage.index("CMD"))
        self.assertNotIn(("USER", "root"), steps())
        copied = [rest for word, rest in steps()[-len(last_stage) :] if word == "COPY"]
        self.assertTrue(all(rest.startswith("--from=") for rest in copied), copied)

    def test_the_steps_that_are_not_run_are_there(self) -> None:
        not_run = [step for step in NOT_RUN if not any(f"{word} {rest}".startswith(step) for word, rest in steps())]
        self.assertEqual(not_run, [])

    def test_what_is_copied_is_not_ignored(self) -> None:
        lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
        for word, rest in steps():
            if word == "COPY" and not rest.startswith("--from="):
                for source in shlex.split(rest)[:-1]:
                    self.assertIn(f"!{source}", lines)
        self.assertLess({"**/__pycache__", "**/dropin.cache"}, {*lines})


class ComposeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]

    def test_the_gateway_is_given_the_services_that_run_beside_it(self) -> None:
        made = load_environment(self.services["gateway"]["environment"])
        targets = {target.url for service in made.services for target in service.targets}
        self.assertEqual(targets, {f"http://{name}:{port}" for name, port in self.beside().items()})

    def beside(self) -> dict[str, int]:
        """The other services, and the port each is told to listen on."""
        ports = {}
        for name, service in self.services.items():
            if name != "gateway":
                self.assertEqual(service["command"][:3], ["python", "-m", "apigateway.demo"])
                chosen = options(service["command"][3:])
                self.assertEqual(chosen.host, "0.0.0.0", "other containers must reach it")
                ports[name] = chosen.port
        return ports

    def test_the_gateway_waits_until_the_services_are_healthy(self) -> None:
        for name, port in self.beside().items():
            self.assertEqual(self.services["gateway"]["depends_on"][name], {"condition": "service_healthy"})
            url = self.services[name]["environment"]["APIGATEWAY_HEALTH_URL"]
            self.assertEqual(url, f"http://127.0.0.1:{port}/health")

    def test_all_are_containers_of_the_same_image(self) -> None:
        self.assertEqual({(s["image"], s["build"]) for s in self.services.values()}, {("apigateway", ".")})

    def test_the_port_of_the_gateway_is_the_one_it_listens_on_by_itself(self) -> None:
        self.assertEqual(load_environment({}).listen, (Listener("tcp:8000"),))
        self.assertEqual(self.services["gateway"]["ports"], ["8000:8000"])
