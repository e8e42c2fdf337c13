"""The table of every key in the documents."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.read import parse_text
from apigateway.config.reference import keys_reference, with_reference

from .keys.test_service import TABLES

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


class ReferenceTests(SynchronousTestCase):
    """`docs/configuration.md`."""

    def test_holds_the_table_of_every_key_as_it_is(self) -> None:
        page = PAGE.read_text("utf-8")
        self.assertIn(keys_reference(), page)
        self.assertEqual(page, with_reference(page), "python -m apigateway.config.reference docs/configuration.md")

    def test_has_a_row_for_every_key(self) -> None:
        reference = keys_reference()
        for table in TABLES.values():
            for name, key in table.keys.items():
                self.assertIn(f"| `{name}` | ", reference)
                self.assertIn(key.text, reference)

    def test_every_example_of_the_page_loads(self) -> None:
        examples = re.findall(r"(?ms)^```yaml\n(.*?)^```", PAGE.read_text("utf-8"))
        self.assertGreaterEqual(len(examples), 3)
        for example in examples:
            parse_text(example, "configuration.md", {})
