"""The command line of `twistd apigateway`: what it reads, what it refuses, and what it makes."""

from __future__ import annotations

import contextlib
import gc
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application import service
from twisted.application.app import ServerOptions
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from apigateway import __version__
from apigateway.config.model import Configuration, EventLog, Listener
from apigateway.tap import (
    Options,
    Root,
    configuration_of,
    endpoint_problems,
    makeService,
    observer_for,
    read_at_start,
    what_failed,
)
from apigateway.telemetry.events import EventWriter

FILE = """\
listen: [tcp:9000]
services:
  orders:
    prefix: /orders
    targets: ["${ORDERS_SERVICE_URL:-http://localhost:8003}"]
"""


def options(*arguments: str) -> Options:
    """The options of a command line."""
    made = Options()
    made.parseOptions(list(arguments))
    return made


class OptionsTests(SynchronousTestCase):
    def file(self, text: str = FILE) -> str:
        path = Path(self.mktemp())
        path.write_text(text, encoding="utf-8")
        return str(path)

    def configuration(self, *arguments: str, **environ: str) -> Configuration:
        return configuration_of(options(*arguments), environ, MemoryReactorClock())

    def refusal(self, *arguments: str, **environ: str) -> list[str]:
        """The lines that a refused command line is answered with."""
        refused = self.assertRaises(SystemExit, self.configuration, *arguments, **environ)
        return str(refused.code).splitlines()

    def test_without_a_file_the_services_come_from_the_environment(self) -> None:
        made = self.configuration(ORDERS_SERVICE_URL="http://orders:80")
        self.assertEqual(sorted(service.name for service in made.services), ["auth", "orders", "product"])

    def test_with_a_file_only_its_services_are_there(self) -> None:
        made = self.configuration("--config", self.file())
        self.assertEqual([service.name for service in made.services], ["orders"])
        self.assertEqual(made.listen, (Listener("tcp:9000"),))

    def test_listen_may_be_given_several_times_and_wins_over_the_file(self) -> None:
        made = self.configuration("-c", self.file(), "-l", "tcp:1", "--listen", "tcp:2:interface=127.0.0.1")
        self.assertEqual(made.listen, (Listener("tcp:1"), Listener("tcp:2:interface=127.0.0.1")))

    def test_the_demo_completes_the_environment_with_its_own_services(self) -> None:
        made = self.configuration("--demo", PRODUCT_SERVICE_URL="http://127.0.0.1:9")
        targets = {service.name: [target.url for target in service.targets] for service in made.services}
        self.assertEqual(targets, {"auth": ["http://127.0.0.1:8001"], "product": ["http://127.0.0.1:9"]})

    def test_the_demo_does_not_take_the_place_of_a_service_of_another_machine(self) -> None:
        (line,) = self.refusal("--demo", AUTH_SERVICE_URL="http://auth.example.com")
        self.assertIn("AUTH_SERVICE_URL", line)

    def test_every_problem_of_the_file_is_told_with_its_place(self) -> None:
        path = self.file("services:\n  orders:\n    prefix: orders\n    target: [http://localhost:1]\n")
        lines = self.refusal("-c", path)
        self.assertTrue(all(line.startswith(f"{path}:") for line in lines), lines)
        for place in (":3: services.orders.prefix: ", ":4: services.orders.target: "):
            self.assertTrue(any(place in line for line in lines), (place, lines))

    def test_a_file_that_is_not_there_is_told(self) -> None:
        (line,) = self.refusal("-c", "/nowhere/gateway.yaml")
        self.assertIn("/nowhere/gateway.yaml", line)

    def test_an_endpoint_that_is_none_is_told_beside_the_problems_of_the_file(self) -> None:
        lines = self.refusal("-c", self.file("services: {}"), "-l", "tpc:8000", "-l", "tcp:port=x")
        self.assertGreater(len(lines), 2)
        self.assertEqual([line.split(" is no endpoint")[0] for line in lines[-2:]],
                         ["--listen: 'tpc:8000'", "--listen: 'tcp:port=x'"])  # fmt: skip

    def test_an_endpoint_of_the_file_is_looked_at_too(self) -> None:
        path = self.file(FILE.replace("tcp:9000", "tpc:9000"))
        (line,) = self.refusal("-c", path)
        self.assertTrue(line.startswith(f"{path}:1: listen[0]: 'tpc:9000' is no endpoint"), line)

    def test_looking_at_endpoints_opens_no_port(self) -> None:
        memory = MemoryReactorClock()
        listeners = [Listener(endpoint) for endpoint in ("tcp:8000", "tcp6:8000", "unix:/nowhere")]
        self.assertEqual(endpoint_problems(listeners, memory), [])
        self.assertEqual((memory.tcpServers, memory.unixServers), ([], []))

    def test_a_mistake_on_the_command_line_is_told_in_one_line(self) -> None:
        for arguments in (["--confg", "x"], ["more"], ["--config"]):
            refused = self.assertRaises(SystemExit, options, *arguments)
            self.assertEqual(len(str(refused.code).splitlines()), 1, refused.code)

    def test_the_version_is_that_of_the_gateway(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.assertEqual(self.assertRaises(SystemExit, options, "--version").code, 0)
        self.assertEqual(printed.getvalue(), f"apigateway {__version__}\n")

    def test_every_option_is_explained(self) -> None:
        shown = str(Options())
        for option in ("-c, --config=", "-l, --listen=", "--demo", "--check"):
            self.assertIn(option, shown)
        self.assertIsInstance(Options(), usage.Options)

    def test_a_good_configuration_is_checked_with_ok_and_the_table_of_routes(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            ended = self.assertRaises(SystemExit, options, "--check", "-c", self.file())
        self.assertEqual(ended.code, 0)
        first, heading, row = printed.getvalue().splitlines()
        self.assertEqual((first, heading.split()[2], row.split()[2]), ("ok", "PATH", "/orders"))

    def test_a_bad_configuration_is_checked_with_its_problems(self) -> None:
        path = self.file("servces: {}")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            ended = self.assertRaises(SystemExit, options, "--check", "-c", path)
        self.assertIn(f"{path}:1: servces: ", str(ended.code))
        self.assertEqual(printed.getvalue(), "")


class Refused(service.Service):
    """A service that cannot listen."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def privilegedStartService(self) -> None:
        raise self.error


class Slow(service.Service):
    """A service that says when it is told to stop, and stops when it is let."""

    def __init__(self, name: str, said: list[str]) -> None:
        self._name = name
        self._said = said
        self.ended: Deferred[None] = Deferred()

    def stopService(self) -> Deferred[None]:
        self._said.append(self._name)
        return self.ended


class Heeding:
    """Notes which signals are to be heeded."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def heed_hangup(self) -> None:
        self._said.append("hangup")

    def hold(self) -> None:
        self._said.append("hold")

    def heed(self) -> None:
        self._said.append("all")


class RootTests(SynchronousTestCase):
    def test_it_brings_its_log_observer_to_the_application(self) -> None:
        application = service.Application("apigateway")
        observer = EventWriter(io.StringIO(), "info", "text")
        Root(observer).setServiceParent(application)
        self.assertIs(application.getComponent(ILogObserver), observer)

    def test_without_an_observer_the_log_is_twistds(self) -> None:
        application = service.Application("apigateway")
        Root().setServiceParent(application)
        self.assertIsNone(application.getComponent(ILogObserver, None))

    def test_a_port_that_is_taken_or_a_socket_that_cannot_be_made_ends_the_process(self) -> None:
        for error in (CannotListenError("127.0.0.1", 8000, OSError("taken")), FileNotFoundError("/nowhere/a.sock")):
            root = Root()
            root.addService(Refused(error))
            self.assertEqual(self.assertRaises(SystemExit, root.privilegedStartService).code, 1)

    def test_what_could_not_be_opened_is_told_and_what_to_do(self) -> None:
        self.assertIn("taken", what_failed(CannotListenError("", 443, OSError("taken"))))
        self.assertNotIn("1024", what_failed(CannotListenError("", 443, OSError("taken"))))
        self.assertIn("Ports below 1024", what_failed(CannotListenError("", 443, PermissionError(13, "denied"))))
        missing = FileNotFoundError(2, "No such file or directory", "123", None, b"/nowhere/a.sock.lock")
        self.assertEqual(what_failed(missing), "cannot open /nowhere/a.sock.lock: No such file or directory")
        self.assertEqual(what_failed(OSError(24, "Too many")), "cannot listen: [Errno 24] Too many")

    def test_its_services_stop_one_after_the_other_the_last_first(self) -> None:
        root, said = Root(), list[str]()
        services = [Slow(name, said) for name in ("behind", "gateway")]
        for one in services:
            root.addService(one)
        stopped = root.stopService()
        self.assertEqual(said, ["gateway"])
        services[1].ended.callback(None)
        self.assertEqual(said, ["gateway", "behind"])
        self.assertNoResult(stopped)
        services[0].ended.callback(None)
        self.successResultOf(stopped)

    def test_signals_are_heeded_once_the_reactor_runs_and_before_anybody_hears_that_it_listens(self) -> None:
        said: list[str] = []
        waiting: list[Callable[[], None]] = []
        signals: Any = Heeding(said)
        root = Root(None, signals, waiting.append)
        root.privilegedStartService()
        self.assertEqual(said, ["hangup", "hold"])
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)
        root.startService()
        self.assertEqual((said, len(waiting)), (["hangup", "hold"], 1))
        waiting[0]()
        self.assertEqual(said, ["hangup", "hold", "all"])

    def test_a_mistake_of_ours_is_not_hidden(self) -> None:
        root = Root()
        root.addService(Refused(TypeError("a bug")))
        self.assertRaises(TypeError, root.privilegedStartService)


class ObserverTests(SynchronousTestCase):
    def observer(self, **twistd: object) -> ILogObserver | None:
        made = options()
        made.parent = ServerOptions()
        made.parent.update({"nodaemon": 1, "syslog": 0} | twistd)
        return observer_for(made, EventLog())

    def test_in_the_foreground_events_are_written_in_our_own_way(self) -> None:
        self.assertIsNotNone(self.observer())

    def test_a_place_that_twistd_was_told_wins(self) -> None:
        for place in ({"logfile": "a.log"}, {"logger": "a.b"}, {"syslog": 1}):
            self.assertIsNone(self.observer(**place), place)

    def test_in_the_background_there_is_no_standard_error_to_write_to(self) -> None:
        self.assertIsNone(self.observer(nodaemon=0))

    def test_gateway_tac_has_no_options_of_twistd_to_look_at(self) -> None:
        self.assertIsNotNone(observer_for(Options(), EventLog()))


class MakeServiceTests(SynchronousTestCase):
    def children(self, *arguments: str) -> list[str]:
        made = makeService(options("-l", "tcp:0:interface=127.0.0.1", *arguments))
        self.assertTrue(verifyObject(service.IService, made))
        assert isinstance(made, Root)
        return [type(child).__name__ for child in made]

    def test_it_makes_the_gateway(self) -> None:
        self.assertEqual(self.children(), ["Gateway"])

    def test_the_demo_services_are_started_before_the_gateway(self) -> None:
        self.assertEqual(self.children("--demo"), ["MultiService", "Gateway"])

    def test_it_reads_again_what_it_has_read_and_what_listen_says_stays(self) -> None:
        path = Path(self.mktemp())
        path.write_text(FILE)
        made, source = read_at_start(options("-c", str(path), "-l", "tcp:1"), {}, MemoryReactorClock())
        self.assertEqual((made.listen, source.path), ((Listener("tcp:1"),), str(path.absolute())))
        path.write_text(FILE.replace("orders", "others"))
        again = source.read()
        self.assertEqual((again.listen, again.services[0].name), ((Listener("tcp:1"),), "others"))

    def test_the_demo_reads_the_same_environment_again(self) -> None:
        made, source = read_at_start(options("--demo"), {}, MemoryReactorClock())
        self.assertEqual(source.read(), made)

    def test_a_configuration_that_cannot_be_used_makes_nothing(self) -> None:
        self.assertRaises(SystemExit, makeService, options("-c", "/nowhere/gateway.yaml"))
