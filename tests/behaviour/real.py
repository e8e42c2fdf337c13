"""Services and clients that nobody here wrote: started, asked and ended for a test; skipped where they are missing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SkipTest, TestCase

from apigateway.testing.ports import free_port
from tests.behaviour.waiting import reactor, until


def program(name: str) -> str:
    """The path of a program; skips the test where there is none."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        raise SkipTest(f"{name} is not installed on this machine")
    return path


def package(name: str) -> Any:
    """An imported package; skips the test where there is none."""
    try:
        return import_module(name)
    except ImportError:
        raise SkipTest(f"{name} is not installed on this Python") from None


async def run(name: str, *arguments: str) -> tuple[bytes, bytes, int]:
    """What a program prints, what it complains, and how it exits."""
    out, err, code = await getProcessOutputAndValue(program(name), arguments, env=dict(os.environ))
    return out, err, code


async def curl(*arguments: str) -> bytes:
    """What curl prints; fails where curl does."""
    out, err, code = await run("curl", "--silent", "--show-error", "--max-time", "60", *arguments)
    if code:
        raise AssertionError(f"curl exits with {code}: {err.decode()}")
    return out


async def in_thread(call: Callable[[], Any]) -> Any:
    """The result of something that blocks."""
    return await deferToThread(call)


class _Page(BaseHTTPRequestHandler):
    """A page of the standard library's server: tells what arrived, in one piece or line by line."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Say hello in chunks, one for each word."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in (b"hello", b"from", b"the", b"library"):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(word), word))
        self.wfile.write(b"0\r\n\r\n")

    def do_POST(self) -> None:
        """Send back what came."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _QuietServer(ThreadingHTTPServer):
    """Says nothing when a connection is cut."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that ends between two requests is no error."""


def library_server(test: TestCase, version: str = "HTTP/1.1") -> str:
    """The URL of a server of the standard library that speaks `version`."""
    page = type("Page", (_Page,), {"protocol_version": version})
    return _served(test, _QuietServer(("127.0.0.1", 0), page))


def werkzeug_server(test: TestCase, app: Callable[..., Iterator[bytes]]) -> str:
    """The URL of a WSGI application on werkzeug's server."""
    serving = package("werkzeug.serving")
    quiet = type("Quiet", (serving.WSGIRequestHandler,), {"log_request": lambda *_: None})
    return _served(test, serving.make_server("127.0.0.1", 0, app, threaded=True, request_handler=quiet))


def _served(test: TestCase, server: Any) -> str:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def end() -> None:
        server.shutdown()
        thread.join()
        server.server_close()

    test.addCleanup(deferToThread, end)
    return f"http://127.0.0.1:{server.server_port}"


async def uvicorn_server(test: TestCase, app: Any) -> str:
    """The URL of an ASGI application on uvicorn."""
    uvicorn = package("uvicorn")
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()

    def end() -> None:
        server.should_exit = True
        thread.join()

    test.addCleanup(deferToThread, end)
    await until(lambda: server.started, "uvicorn")
    return f"http://127.0.0.1:{port}"


_NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors crit;
events {{}}
http {{
    access_log off; keepalive_timeout 75s; client_body_temp_path {folder}; proxy_temp_path {folder};
    fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port}{tls}; root {folder}; default_type text/plain; {options}
        location /api/seen {{ return 200 "$request_method $request_uri $http_x_forwarded_for $http_connection\\n"; }}
        location /api/small {{ client_max_body_size 10; return 200; }}
    }}
}}
"""


async def nginx_server(test: TestCase, files: dict[str, bytes], tls: str = "") -> str:
    """The URL of an nginx with these files, by path; `tls` are options with which it speaks that."""
    path = program("nginx")
    folder, port = Path(test.mktemp()).absolute(), free_port()
    folder.mkdir()
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, port=port, tls=" ssl" if tls else "", options=tls))
    process = subprocess.Popen([path, "-c", str(configuration), "-e", "stderr"], stderr=subprocess.PIPE)

    def end() -> None:
        process.send_signal(signal.SIGTERM)
        process.communicate()

    test.addCleanup(deferToThread, end)
    await until(lambda: (folder / "pid").exists() or process.poll() is not None, "nginx")
    if process.poll() is not None:
        raise AssertionError(f"nginx does not start: {process.communicate()[1]!r}")
    return f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"


async def openssl_server(test: TestCase, *options: str) -> str:
    """The URL of OpenSSL's own test server, which tells of each handshake."""
    path, port = program("openssl"), free_port()
    command = [path, "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def end() -> None:
        process.send_signal(signal.SIGTERM)
        process.communicate()

    test.addCleanup(deferToThread, end)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0 or process.poll() is not None

    await until(listens, "openssl s_server")
    if process.poll() is not None:
        raise AssertionError(f"openssl does not start: {process.communicate()[1]!r}")
    return f"https://localhost:{port}"


__all__ = [
    "curl", "in_thread", "library_server", "nginx_server", "openssl_server", "package", "program", "reactor", "run",
    "uvicorn_server", "werkzeug_server",
]  # fmt: skip
