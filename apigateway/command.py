"""The console script: twistd's plugin without twistd's own options getting in the way. Knows nothing of the gateway.

What takes its time to import is imported once signals are heeded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from apigateway import __version__
from apigateway.lifecycle.early import leave_when_told

USAGE = """\
Usage: apigateway [run] [-c FILE] [-l ENDPOINT]... [--demo]    serve until stopped
       apigateway check [FILE]                                 check a configuration: problems, or ok and the routes
       apigateway schema                                       the JSON Schema of the configuration file
       apigateway --version | --help

`apigateway run --help` tells what each option means.
"""


def run(arguments: Sequence[str]) -> None:
    """Run the plugin in the foreground, with no file for the process id."""
    if "--check" not in arguments:  # which has succeeded only when it says so
        leave_when_told()
    from twisted.scripts import twistd  # noqa: PLC0415  # see above

    sys.argv = ["apigateway", "--nodaemon", "--pidfile=", "apigateway", *arguments]
    twistd.run()


def check(arguments: Sequence[str]) -> None:
    """Check the file that is named first, or what further options say."""
    named = bool(arguments) and not arguments[0].startswith("-")
    run(["--check", *(["--config"] if named else []), *arguments])


def show_schema(arguments: Sequence[str]) -> None:
    """Print the JSON Schema of the configuration file."""
    from apigateway.config.schema import schema_text  # noqa: PLC0415  # see above

    sys.stdout.write(schema_text())


def show_version(arguments: Sequence[str]) -> None:
    """Print the version."""
    sys.stdout.write(f"apigateway {__version__}\n")


def show_usage(arguments: Sequence[str]) -> None:
    """Print what can be done."""
    sys.stdout.write(USAGE)


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "run": run,
    "check": check,
    "schema": show_schema,
    "--version": show_version,
    "--help": show_usage,
    "-h": show_usage,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the first word says; options without a word run the gateway."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in COMMANDS:
        COMMANDS[words[0]](words[1:])
    elif words and not words[0].startswith("-"):
        raise SystemExit(f"apigateway: unknown command {words[0]!r}\n{USAGE}")
    else:
        run(words)
