"""Files, texts and the environment as configurations."""

from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import AccessLog, Admin, Configuration, EventLog, Limits, Listener, Stop
from apigateway.config.read import ConfigurationError, load_environment, load_file, parse_text

from .reading import ONE_SERVICE, problems, read
from .trees import TREES, configurations

EXAMPLE_OF_DESIGN = """
listen: [tcp:8000]
trusted_proxies: [10.0.0.0/8]
admin: {token: "${ADMIN_TOKEN}", allow: [127.0.0.0/8]}
access_log: {file: access.log, format: json}
limits: {connections: 20000, head: 32KiB}
defaults:
  timeouts: {connect: 5s, response: 30s, idle: 60s}
  rate_limit: {limit: 100, window: 60s, key: client}
  circuit_breaker: {failures: 5, recovery: 30s}
  health_check: {path: /health, interval: 10s, timeout: 2s, unhealthy_after: 3, healthy_after: 2}
services:
  auth:
    prefix: /auth
    methods: [POST]
    targets: [http://auth-service:8001]
  product:
    transport: native
    targets: [{url: http://a:8002, weight: 3}, {url: http://b:8002}]
    fallback: {status: 200, body: '{"items": []}', headers: {content-type: application/json}}
    routes:
      - {path: /api, methods: [GET, POST, PUT, DELETE]}
      - {host: shop.example.com, path: /catalogue, strip_prefix: true, rate_limit: {limit: 10, window: 1s}}
    cors: {origins: ["https://shop.example.com"]}
"""


class TextTests(SynchronousTestCase):
    """The text of a file."""

    def test_one_service_with_prefix_and_targets_is_enough(self) -> None:
        configuration = read(ONE_SERVICE)
        self.assertEqual(configuration, Configuration(services=configuration.services))

    def test_every_part_of_the_top_level_is_read(self) -> None:
        text = """
            listen: ["tcp:${PORT}", "unix:/run/gateway.sock"]
            trusted_proxies: [10.0.0.0/8]
            admin: {token: "${TOKEN}", allow: []}
            access_log: {file: access.log, format: combined, query: mask, rotate: 1GiB, keep: 9}
            log: {level: debug, format: json}
            limits: {connections: 1, head: 1KiB, fields: 2, uri: 99, head_timeout: 1, keep_alive: 2, body_timeout: 3}
            stop: {accept: 0, drain: 5m}
            dns_ttl: 0
        """
        found = read(f"{text}\n            {ONE_SERVICE}", {"PORT": "80", "TOKEN": "t"})
        self.assertEqual(found.listen, (Listener("tcp:80"), Listener("unix:/run/gateway.sock")))
        self.assertEqual((found.trusted_proxies, found.dns_ttl), (("10.0.0.0/8",), 0.0))
        self.assertEqual(found.admin, Admin("t", ()))
        self.assertEqual(found.access_log, AccessLog("access.log", "combined", "mask", 1 << 30, 9))
        self.assertEqual(found.log, EventLog("debug", "json"))
        self.assertEqual(found.limits, Limits(1, 10_000, 10_000, 0.25, 1024, 2, 99, 1.0, 2.0, 3.0))
        self.assertEqual(found.stop, Stop(0.0, 300.0))

    def test_the_access_log_can_be_switched_off(self) -> None:
        self.assertIsNone(read(f"access_log: false\n{ONE_SERVICE}").access_log)

    def test_numbers_and_switches_may_come_from_variables(self) -> None:
        text = "limits: {fields: '${F}'}\naccess_log: ${LOG:-false}\n"
        found = read(text + ONE_SERVICE, {"F": "7"})
        self.assertEqual((found.limits.fields, found.access_log), (7, None))

    def test_the_example_of_the_design_is_read(self) -> None:
        found = read(EXAMPLE_OF_DESIGN, {"ADMIN_TOKEN": "t"})
        self.assertEqual([service.name for service in found.services], ["auth", "product"])
        api, catalogue = found.services[1].routes
        self.assertEqual(api.methods, ("GET", "POST", "PUT", "DELETE", "HEAD"))
        self.assertEqual([limit.limit for route in (api, catalogue) for limit in route.policies.rate_limit], [100, 10])
        self.assertEqual(catalogue.policies.cors, api.policies.cors)

    def test_every_problem_is_told_at_once_with_file_line_and_path(self) -> None:
        text = """\
            listn: [tcp:8000]
            dns_ttl: -5
            admin:
              token: ${NONE}
            services:
              a:
                targets:
                - http://x/y
                rate_limit: {limit: 0}
        """
        accepted = "expected a duration (30s, 500ms, 5m, 1h, or a number of seconds), at least 0s"
        self.assertEqual(
            problems(text),
            [
                "gateway.yaml:1: listn: unknown key; did you mean `listen`?",
                f"gateway.yaml:2: dns_ttl: {accepted}, not '-5'",
                "gateway.yaml:4: admin.token: the variable NONE is not set; a default is written ${NONE:-default}",
                "gateway.yaml:6: services.a: needs `prefix` or `routes`, as no other service leads to it (`fallback`,"
                " `split`, `mirror`)",
                "gateway.yaml:8: services.a.targets[0]: a target's URL holds no path: the path of the request is what"
                " is forwarded",
                "gateway.yaml:9: services.a.rate_limit.limit: expected a whole number, at least 1, not '0'",
            ],
        )

    def test_a_secret_in_a_wrong_place_is_not_repeated(self) -> None:
        for text in (
            "admin: s3cret",
            "admin: {token: 's3cret s3cret'}",
            "services: {a: {prefix: /a, targets: s3cret}}",
        ):
            found = problems(text)
            self.assertTrue(found)
            self.assertNotIn("s3cret", "\n".join(found))

    def test_at_least_one_service_is_needed(self) -> None:
        self.assertEqual(problems(""), ["gateway.yaml:1: needs `services`, at least one"])
        self.assertEqual(problems("dns_ttl: 1s"), ["gateway.yaml:1: needs `services`, at least one"])
        self.assertEqual(problems("services: {}"), ["gateway.yaml:1: services: expected at least one entry"])
        self.assertTrue(problems("services:")[0].startswith("gateway.yaml:1: services: is empty; expected a mapping"))

    def test_a_file_that_is_no_mapping_is_refused(self) -> None:
        for text in ("[]", "hello"):
            self.assertIn("gateway.yaml:1: expected a mapping of `listen`", problems(text)[0])


class FileTests(SynchronousTestCase):
    """A file."""

    def problem(self, path: str) -> str:
        """What is wrong with a file."""
        return str(self.assertRaises(ConfigurationError, load_file, path, {}))

    def test_is_named_in_problems_as_it_was_given(self) -> None:
        path = self.mktemp()
        Path(path).write_text("x: 1\n" + ONE_SERVICE, "utf-8")
        self.assertTrue(self.problem(path).startswith(f"{path}:1: x: unknown key"))

    def test_may_begin_with_a_byte_order_mark(self) -> None:
        path = self.mktemp()
        Path(path).write_text(ONE_SERVICE, "utf-8-sig")
        self.assertEqual(load_file(path, {}), read(ONE_SERVICE))

    def test_may_end_its_lines_as_windows_does(self) -> None:
        path = self.mktemp()
        Path(path).write_bytes(ONE_SERVICE.replace("\n", "\r\n").encode())
        self.assertEqual(load_file(path, {}), read(ONE_SERVICE))

    def test_that_cannot_be_read_is_a_problem(self) -> None:
        self.assertEqual(
            self.problem("/no/such/file.yaml"), "/no/such/file.yaml: cannot be read: No such file or directory"
        )
        self.assertEqual(self.problem("/"), "/: cannot be read: Is a directory")

    def test_that_is_not_text_is_a_problem(self) -> None:
        path = self.mktemp()
        Path(path).write_bytes(b"a: \xff\xfe")
        self.assertEqual(self.problem(path), f"{path}: not text in UTF-8")


def loads_or_is_refused(text: str, environ: dict[str, str]) -> None:
    """Anything but a configuration or a `ConfigurationError` is an error of the test."""
    try:
        assert parse_text(text, "g", environ).services
    except ConfigurationError as error:
        assert error.problems
        assert str(error)


class AnythingTests(SynchronousTestCase):
    """Whatever is given, it is read or refused."""

    @settings(deadline=None, max_examples=200)
    @given(TREES, st.dictionaries(st.just("A"), st.text(max_size=4)))
    def test_any_tree_is_read_or_refused(self, value: object, environ: dict[str, str]) -> None:
        loads_or_is_refused(yaml.safe_dump(value), environ)

    @settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(configurations(noise=True))
    def test_any_tree_of_known_keys_is_read_or_refused(self, value: object) -> None:
        loads_or_is_refused(yaml.safe_dump(value), {"A": "a"})

    @settings(deadline=None, max_examples=200)
    @given(st.text() | st.text(alphabet="[]{}:,&*-?!|>'\"%@` \nab<$", max_size=30))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        loads_or_is_refused(text, {})

    @settings(deadline=None)
    @given(st.dictionaries(st.from_regex(r"\A[A-Z_]{0,3}_SERVICE_(URL|PREFIX)\Z"), st.text(max_size=20)))
    def test_any_environment_is_read_or_refused(self, environ: dict[str, str]) -> None:
        try:
            assert len(load_environment(environ).services) >= 2
        except ConfigurationError as error:
            assert error.problems
