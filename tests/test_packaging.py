"""The package as it is installed: from a wheel and from `pip install -e .`, each in a fresh environment.

So that nothing is downloaded, the fresh environments see the packages that we depend on through a `.pth` file that
points to those of the environment that runs the tests, and pip is told to install nothing but ourselves. What the
wheel says that it depends on is proved by tox's `packaging` environment, which installs it with its dependencies and
runs `InstalledTests` there: `APIGATEWAY_INSTALLED` names its Python.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from apigateway import __version__
from tests.starting import ROOT, Started, demo_urls, fetch, port_of

TWISTD = ("-c", "from twisted.scripts.twistd import run; run()")
"""twistd, also where its script is not installed."""

PLUGIN = "from twisted.plugins import apigateway_plugin; print(apigateway_plugin.__file__)"

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def outside() -> dict[str, str]:
    """The environment of a process that knows nothing of the checkout."""
    hidden = ("PYTHONPATH", "APIGATEWAY_INSTALLED", "AUTH_SERVICE_URL", "PRODUCT_SERVICE_URL")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def run(*command: str, folder: str | None = None) -> str:
    """What a command prints; raises with all that it said where it fails."""
    done = subprocess.run(command, env=outside(), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{command} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def fresh_environment(folder: Path, *what: str) -> str:
    """Make a virtual environment, install something there, and return its Python."""
    venv.create(folder, with_pip=False)
    python = str(folder / "bin" / "python")
    place = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    shared = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    Path(place, "shared.pth").write_text("\n".join(shared) + "\n", encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--no-build-isolation", "--no-index", *what)
    return python


@cache
def workplace() -> Path:
    """A folder for everything of this file, removed when the process ends."""
    folder = TemporaryDirectory(prefix="apigateway-packaging-")
    _KEPT.append(folder)
    return Path(folder.name)


_KEPT: list[TemporaryDirectory[str]] = []


@cache
def wheel() -> Path:
    """The wheel of the checkout."""
    folder = workplace() / "wheel"
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), folder=str(ROOT))
    (found,) = folder.glob("*.whl")
    return found


@cache
def installed() -> str:
    """The Python of an environment in which the wheel is installed."""
    return os.environ.get("APIGATEWAY_INSTALLED") or fresh_environment(workplace() / "installed", str(wheel()))


class WheelTests(SynchronousTestCase):
    def test_it_holds_the_package_and_the_plugin_and_nothing_else(self) -> None:
        with zipfile.ZipFile(wheel()) as archive:
            names = set(archive.namelist())
        information = f"apigateway-{__version__}.dist-info/"
        sources = {str(path.relative_to(ROOT)) for path in (ROOT / "apigateway").rglob("*.py")}
        plugin = {"twisted/plugins/apigateway_plugin.py", "apigateway/py.typed", "apigateway/demo/page.html"}
        self.assertEqual({name for name in names if not name.startswith(information)}, sources | plugin)
        self.assertIn(f"{information}licenses/LICENSE", names)

    def test_requirements_txt_asks_for_what_the_wheel_asks_for(self) -> None:
        lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        self.assertEqual([line for line in lines if not line.startswith("#")], PROJECT["dependencies"])


class InstalledTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.python = installed()
        self.script = str(Path(self.python).parent / "apigateway")
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def run_there(self, *command: str) -> str:
        return run(*command, folder=str(self.folder))

    def test_twistd_finds_the_plugin(self) -> None:
        self.assertIn("apigateway", self.run_there(self.python, *TWISTD, "--help"))
        place = Path(self.run_there(self.python, "-c", PLUGIN).strip())
        self.assertTrue(place.is_relative_to(Path(self.python).parent.parent), place)

    def test_the_console_script_tells_its_version_and_checks_a_file(self) -> None:
        self.assertEqual(self.run_there(self.script, "--version"), f"apigateway {__version__}\n")
        (self.folder / "a.yaml").write_text("services: {a: {prefix: /a, targets: [http://localhost:1]}}\n")
        self.assertEqual(self.run_there(self.script, "check", "a.yaml").splitlines()[0], "ok")

    def test_it_serves_with_twistd_and_with_the_console_script(self) -> None:
        listen = ("--listen", "tcp:0:interface=127.0.0.1")
        for command in ((self.script,), (self.python, *TWISTD, "-n", "--pidfile=", "apigateway")):
            environ = outside() | demo_urls()
            with Started([*command, "--demo", *listen], "listening", environ, str(self.folder)) as started:
                self.assertIn(b"Teapot", fetch(f"http://127.0.0.1:{port_of(started)}/api/products"))


class EditableTests(SynchronousTestCase):
    def test_the_plugin_is_found_after_an_editable_install(self) -> None:
        python = fresh_environment(workplace() / "editable", "--editable", str(ROOT))
        self.assertIn("apigateway", run(python, *TWISTD, "--help", folder=str(workplace())))
        place = Path(run(python, "-c", PLUGIN, folder=str(workplace())).strip())
        self.assertEqual(place, ROOT / "twisted" / "plugins" / "apigateway_plugin.py")
