"""The whole of a file, and the example file that shows every key."""

import yaml
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.keys.process import TOP
from apigateway.config.read import load_environment, load_file, parse_text

from .test_service import EXAMPLE, TABLES, switched_on, used


class ExampleTests(SynchronousTestCase):
    """`gateway.yaml`."""

    def test_says_the_same_as_no_file_at_all(self) -> None:
        self.assertEqual(load_file(str(EXAMPLE), {}), load_environment({}))

    def test_shows_every_key(self) -> None:
        shown = set(used(yaml.safe_load(switched_on(EXAMPLE.read_text("utf-8"))), TOP))
        # What may also stand in `defaults`, a service or a route is shown in one of them.
        shown_names = {name for _, name in shown}
        layered = ("defaults", "service", "route")
        missing = {
            (table.name, key)
            for table in TABLES.values()
            for key in table.keys
            if (key not in shown_names if table.name in layered else (table.name, key) not in shown)
        }
        self.assertEqual(missing, set())

    def test_loads_with_every_setting_switched_on(self) -> None:
        configuration = parse_text(
            switched_on(EXAMPLE.read_text("utf-8")),
            "gateway.yaml",
            {"ADMIN_TOKEN": "t", "STICKY_SECRET": "0123456789abcdef"},
        )
        self.assertEqual(
            [service.name for service in configuration.services],
            ["auth", "product", "shop", "stock", "basket", "search", "archive", "shop-next"],
        )
        self.assertEqual(configuration.admin.token, "t")
