"""The command line, turned into a running gateway: `Options` and `makeService`, as twistd wants them. Only wires.

The one module that knows the global reactor, and even this one only once there is something to make.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from twisted.application import service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.logger import ILogObserver
from twisted.python import usage
from twisted.python.components import Componentized

from apigateway import __version__
from apigateway.assembly.extensions import PolicyPlugins, installed
from apigateway.config.check import routes_table
from apigateway.config.model import Configuration, EventLog, Listener
from apigateway.config.read import ConfigurationError
from apigateway.gateway import Gateway
from apigateway.lifecycle.early import leave_when_told
from apigateway.lifecycle.signals import Signals
from apigateway.lifecycle.source import Source
from apigateway.telemetry.events import EventWriter

LOG_OPTIONS = ("logfile", "logger", "syslog")
"""Options of twistd itself that say where the log goes."""


class Options(usage.Options):
    """The options of `twistd apigateway`."""

    synopsis = "[options]"
    longdesc = (
        "Without a configuration file, the services come from the environment: NAME_SERVICE_URL=http://host:port."
    )
    optParameters = [["config", "c", None, "The configuration file (YAML)."]]
    optFlags = [
        ["demo", None, "Also start two demo services, auth on port 8001 and product on ports 8002 and 8012."],
        ["check", None, 'Check the configuration and exit: every problem, or "ok" and the table of routes.'],
    ]

    def __init__(self) -> None:
        usage.Options.__init__(self)
        self["listen"] = []

    def opt_listen(self, endpoint: str) -> None:
        """Where to listen, as a Twisted endpoint such as tcp:8000. May be given several times; wins over the file."""
        self["listen"].append(endpoint)

    opt_l = opt_listen

    def opt_version(self) -> None:
        """Display the version of the gateway and exit."""
        print(f"apigateway {__version__}")  # noqa: T201
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Called by twistd; a mistake is told in one line instead of with all of twistd's own options."""
        try:
            usage.Options.parseOptions(self, options)
        except usage.UsageError as error:
            raise SystemExit(f"apigateway: {error}; --help shows the options") from None

    def postOptions(self) -> None:
        """Called by twistd when all options are known, before anything is made."""
        if self["check"]:
            from twisted.internet import reactor

            print(f"ok\n{routes_table(configuration_of(self, os.environ, reactor))}")  # noqa: T201
            raise SystemExit(0)
        # It means to reload, and would end a process that can't do that yet.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if self.parent is not None:
            leave_when_told()


def configuration_of(options: Options, environ: Mapping[str, str], reactor: Any) -> Configuration:
    """What the options, the file and the environment say; exits with every problem where they can't be used."""
    return read_at_start(options, environ, reactor)[0]


def read_at_start(options: Options, environ: Mapping[str, str], reactor: Any) -> tuple[Configuration, Source]:
    """The configuration, and where it can be read again. Exits as `configuration_of`."""
    problems: list[str] = []
    file, listen = options["config"], tuple(options["listen"])
    source = Source(file, environ, listen)
    configuration = Configuration(listen=source.listen or Configuration().listen)
    try:
        if options["demo"]:
            environ = demo().demo_environment(environ)
            source = Source(file, environ, listen)
            demo().demo_services(reactor, environ)
        configuration = source.read()
        PolicyPlugins(installed()).check(configuration)
    except (ConfigurationError, OSError, ValueError) as error:
        problems.append(str(error))
    problems.extend(endpoint_problems(configuration.listen, reactor))
    if problems:
        raise SystemExit("\n".join(problems))
    return configuration, source


def demo() -> ModuleType:
    """The demo services; what they stand on is loaded only where they are wanted."""
    from apigateway.demo import services  # noqa: PLC0415

    return services


def endpoint_problems(listeners: Sequence[Listener], reactor: Any) -> list[str]:
    """What is wrong with the endpoint strings of listeners; opens none of them."""
    problems = []
    for one in listeners:
        try:
            serverFromString(reactor, one.endpoint)
        except Exception as error:  # parsers of endpoints are plugins, and raise what they like
            form = "no endpoint such as tcp:8000 or tcp:8000:interface=127.0.0.1"
            problems.append(f"{one.where}: {one.endpoint!r} is {form}: {error}")
    return problems


def what_failed(error: CannotListenError | OSError) -> str:
    """Why ports, the access log or unix sockets could not be opened, and what to do where that is known."""
    if isinstance(error, CannotListenError):
        denied = isinstance(error.socketError, PermissionError)
        hint = " Ports below 1024 are for root, or need CAP_NET_BIND_SERVICE." if denied else ""
        return f"cannot listen: {error}{hint}"
    # A lock beside a unix socket is a link whose second name is the file.
    name = error.filename2 or error.filename
    return f"cannot listen: {error}" if name is None else f"cannot open {os.fsdecode(name)}: {error.strerror}"


def observer_for(options: Options, log: EventLog) -> EventWriter | None:
    """Our own way to write events, to standard error; None where twistd was told, or has to find, another place."""
    twistd = options.parent
    if twistd is not None and (not twistd["nodaemon"] or any(twistd[place] for place in LOG_OPTIONS)):
        return None
    return EventWriter(sys.__stderr__ or sys.stderr, log.level, log.format)


class Root(service.MultiService):
    """All that runs. It brings its log observer along; what can't be opened ends the process without a traceback.

    `signals` are heeded once all runs; `when_running` calls what it is given when the reactor does.
    """

    def __init__(
        self,
        observer: ILogObserver | None = None,
        signals: Signals | None = None,
        when_running: Callable[[Callable[[], None]], object] = lambda call: None,
    ) -> None:
        service.MultiService.__init__(self)
        self.signals = signals
        self._observer = observer
        self._when_running = when_running

    def setServiceParent(self, parent: Any) -> None:
        """Called with the application, whose log is opened only later."""
        if self._observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)
        service.MultiService.setServiceParent(self, parent)

    def privilegedStartService(self) -> None:
        """Called by twistd once the log is open and before privileges are dropped."""
        if self.signals is not None:
            self.signals.heed_hangup()
            self.signals.hold()
        try:
            service.MultiService.privilegedStartService(self)
        except (CannotListenError, OSError) as error:
            print(f"apigateway: {what_failed(error)}", file=sys.__stderr__)
            raise SystemExit(1) from None

    def startService(self) -> None:
        """Called by twistd before the reactor runs."""
        if self.signals is not None:
            # Before anybody hears that we listen, and after the reactor has set up its own ways.
            self._when_running(self.signals.heed)
        service.MultiService.startService(self)
        # What has been made by now lives as long as the process: the collector need not walk over it again. Its
        # thresholds are those of a server, where most objects die young.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)

    def stopService(self) -> Deferred[None]:
        """The last that was added stops first, and the others when it has: the services behind the gateway after it."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        service.Service.stopService(self)
        for one in reversed(list(self)):
            ended = one.stopService()
            if isinstance(ended, Deferred):
                await ended


def makeService(options: Options) -> service.IService:
    """The gateway that the options ask for, with the demo services before it where they are wanted."""
    from twisted.internet import reactor

    configuration, source = read_at_start(options, os.environ, reactor)
    observer = observer_for(options, configuration.log)

    def log_changed(log: EventLog) -> None:
        if observer is not None:
            observer.change(log.level, log.format)

    gateway = Gateway(configuration, reactor, source=source, log_changed=log_changed, policies=installed())
    running: Any = reactor
    root: service.MultiService = Root(observer, Signals(reactor, gateway), running.callWhenRunning)
    if options["demo"]:
        root.addService(demo().demo_services(reactor, os.environ))
    root.addService(gateway)
    return root
