"""What the pages say: every example loads or runs, every cause of an error is explained, every link leads somewhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.check import routes_table
from apigateway.config.read import parse_text
from apigateway.errors import CAUSES
from apigateway.testing.ports import free_port
from tests.examples import GATEWAY, PAGES, Session, all_blocks, looks_like, run, sessions, steps_of, variables_of
from tests.starting import ROOT, Started, demo_urls, environment, port_of

_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_ROW = re.compile(r"^\| `([a-z-]+)` \| (\d+) \| (\w+) \|", re.MULTILINE)


class ExampleTests(SynchronousTestCase):
    def test_every_yaml_block_is_a_whole_configuration(self) -> None:
        blocks = list(all_blocks("yaml"))
        self.assertGreater(len(blocks), 2)
        for block in blocks:
            made = parse_text(block.text, str(block), variables_of(block))
            self.assertIn("PATH", routes_table(made))

    def test_every_json_block_is_json(self) -> None:
        for block in all_blocks("json"):
            json.loads(block.text)

    def test_the_python_blocks_of_a_page_run_as_one_module_and_their_tests_pass(self) -> None:
        pages: dict[str, list[str]] = {}
        for block in all_blocks("python"):
            pages.setdefault(block.page, []).append(block.text)
        for page, texts in pages.items():
            module = Path(self.mktemp()).with_suffix(".py")
            module.write_text("\n\n".join(texts), encoding="utf-8")
            command = [sys.executable, "-m", "twisted.trial", "--temp-directory", self.mktemp(), str(module)]
            done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, f"{page}\n{done.stdout}{done.stderr}")

    def test_every_shell_session_with_the_demo_goes_as_shown(self) -> None:
        self.assertIsNotNone(shutil.which("curl"), "the sessions need curl")
        found = sessions()
        self.assertIn("README.md", [session.page for session in found])
        wrong = [line for session in found for line in self.differences(session)]
        self.assertEqual(wrong, [], "\n".join(wrong))

    def folder(self) -> str:
        path = Path(self.mktemp()).resolve()
        path.mkdir()
        return str(path)

    def differences(self, session: Session) -> list[str]:
        """Where a session does not go as its page shows."""
        folder = self.folder()
        urls = demo_urls()
        urls["PRODUCT_SERVICE_URL"] += f",http://127.0.0.1:{free_port()}"
        places = [url.removeprefix("http://") for url in ",".join(urls.values()).split(",")]
        ports = dict(zip(("localhost:8001", "localhost:8002", "localhost:8012"), places, strict=True))
        command = [sys.executable, "-m", "apigateway", "--demo", "--listen", "tcp:0:interface=127.0.0.1"]
        if session.configuration:
            Path(folder, "gateway.yaml").write_text(replaced(session.configuration, ports), encoding="utf-8")
            command += ["--config", "gateway.yaml"]
        with Started(command, "listening", environment(**urls), folder) as gateway:
            ports[GATEWAY] = f"localhost:{port_of(gateway)}"
            steps = [(block, step) for block in session.blocks for step in steps_of(block)]
            outputs = run([replaced(step.command, ports) for _, step in steps], folder)
        self.assertEqual(len(outputs), len(steps), session.page)
        return [
            f"{block}: {step.command}\nshown: {step.shown}\nprinted: {printed}"
            for (block, step), printed in zip(steps, outputs, strict=True)
            if step.shown and not looks_like(step.shown, printed)
        ]


def replaced(text: str, words: dict[str, str]) -> str:
    """A text with the addresses of the pages replaced by those of this run."""
    for word, other in words.items():
        text = text.replace(word, other).replace(word.replace("localhost", "127.0.0.1"), other)
    return text


class MatchTests(SynchronousTestCase):
    def test_what_is_shown_stands_for_what_is_printed(self) -> None:
        for shown, printed in (
            ("a b", "a   b\n"),
            ("…", "x\ny"),
            ('{"a": "…"}', '{"a": "1"}'),
            ("… 401", "  99 401\n"),
        ):
            self.assertTrue(looks_like(shown, printed), (shown, printed))

    def test_anything_else_does_not(self) -> None:
        for shown, printed in (("a", "b"), ("a", "a b"), ("… 401", "99 402"), ("a.c", "abc"), ("", "x")):
            self.assertFalse(looks_like(shown, printed), (shown, printed))

    def test_a_session_runs_in_one_shell_and_shows_errors(self) -> None:
        folder = self.mktemp()
        Path(folder).mkdir()
        self.assertEqual(run(["A=1", "echo $A", "echo no >&2", "printf x"], folder), ["", "1\n", "no\n", "x"])


class PageTests(SynchronousTestCase):
    def test_every_cause_is_explained_with_its_status_and_side(self) -> None:
        text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
        explained = [(code, int(status), side) for code, status, side in _ROW.findall(text)]
        self.assertEqual(explained, [(cause.code, cause.status, cause.side.value) for cause in CAUSES.values()])

    def test_every_link_leads_to_a_file(self) -> None:
        broken = []
        for page in PAGES:
            for target in _LINK.findall(page.read_text(encoding="utf-8")):
                if not (page.parent / target).exists():
                    broken.append(f"{page.name}: {target}")
        self.assertEqual(broken, [])

    def test_the_readme_leads_to_every_page(self) -> None:
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        pages = [str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")]
        self.assertEqual([page for page in pages if f"({page})" not in readme], [])
