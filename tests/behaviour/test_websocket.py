"""WebSockets as the `websockets` library speaks them, at both ends of the gateway."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.frames import Close as CloseFrame
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from apigateway.http.websocket import close_frame
from apigateway.testing.certificates import Authority
from apigateway.testing.observer import RecordingObserver
from apigateway.testing.steps import Reset, Respond
from tests.behaviour.combinations import CHANNEL, NATIVE, Combination
from tests.behaviour.stage import ENDPOINT, Stage
from tests.behaviour.steps import Gate
from tests.behaviour.upgraded import SOCKET_OPEN, SOCKET_WISH, Speaks, behind_head, hears
from tests.behaviour.waiting import PATIENCE_S, a_moment, until

VIA = Combination(CHANNEL, NATIVE)

LARGE = 16 * 1024 * 1024


class Echoing:
    """A service that sends every message back. `ended` are the ends of its connections, as it saw them."""

    def __init__(self, test: TestCase, does: Callable[[ServerConnection], None] | None = None, **how: Any) -> None:
        self.opened: list[ServerConnection] = []
        self.ended: list[CloseFrame | None] = []
        self._does = does or self._echo
        server = serve(self._serve, "127.0.0.1", 0, max_size=None, close_timeout=PATIENCE_S, **how)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def end() -> None:
            server.shutdown()
            thread.join()

        test.addCleanup(deferToThread, end)
        self.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"

    def __repr__(self) -> str:
        return f"<Echoing {len(self.opened)} {self.ended}>"

    def _serve(self, connection: ServerConnection) -> None:
        self.opened.append(connection)
        try:
            self._does(connection)
        except ConnectionClosed as error:
            self.ended.append(error.rcvd)
        else:
            connection.close()
            self.ended.append(connection.protocol.close_rcvd)

    def _echo(self, connection: ServerConnection) -> None:
        while True:
            connection.send(connection.recv())


class SocketCase(TestCase):
    def stage(self, service: Echoing | None = None, **options: Any) -> Stage:
        """A gateway before this service, or a scripted one."""
        top = {name: options.pop(name) for name in ("observers", "stop", "listen", "rate_limit") if name in options}
        targets = {} if service is None else {"targets": [service.url]}
        return Stage(self, VIA, {"one": {"prefix": "/api", **targets, **options}}, **top)

    async def client(self, stage: Stage, **how: Any) -> ClientConnection:
        """A client whose socket is open."""
        uri = f"ws://127.0.0.1:{stage.port}/api/socket"
        opened: ClientConnection = await deferToThread(
            lambda: connect(uri, max_size=None, open_timeout=PATIENCE_S, close_timeout=PATIENCE_S, **how)
        )
        self.addCleanup(deferToThread, opened.close)
        return opened

    async def both(self, service: Echoing | None = None, **how: Any) -> ClientConnection:
        """The same, before this service."""
        return await self.client(self.stage(service or Echoing(self)), **how)

    async def echo(self, client: ClientConnection, message: Any) -> Any:
        """What comes back."""

        def ask() -> Any:
            client.send(message)
            return client.recv(timeout=PATIENCE_S)

        return await deferToThread(ask)

    async def end_of(self, client: ClientConnection) -> ConnectionClosed:
        """How a connection ends that nobody here closes."""

        def wait() -> ConnectionClosed:
            try:
                while True:
                    client.recv(timeout=PATIENCE_S)
            except ConnectionClosed as error:
                return error

        return await deferToThread(wait)


class MessageTests(SocketCase):
    async def test_text_and_binary_messages_come_back(self) -> None:
        client = await self.both()
        for message in (
            "hello",
            "grüße 🦊",
            "",
            b"",
            b"\0\xff" * 100,
            "x" * 125,
            "x" * 126,
            b"x" * 65_535,
            "x" * 65_536,
        ):
            self.assertEqual(await self.echo(client, message), message)

    async def test_one_of_16_megabytes_does(self) -> None:
        client = await self.both(compression=None)
        message = bytes(range(256)) * (LARGE // 256)
        self.assertEqual(len(message), LARGE)
        self.assertTrue(await self.echo(client, message) == message)

    async def test_one_in_many_fragments_does(self) -> None:
        client = await self.both()
        self.assertEqual(await self.echo(client, [b"ab", b"", b"c" * 70_000, b"d"]), b"ab" + b"c" * 70_000 + b"d")

    async def test_fragments_pass_as_they_are(self) -> None:
        def tell(connection: ServerConnection) -> None:
            connection.send(iter(["one", "two", "three"]))

        client = await self.both(Echoing(self, tell), compression=None)
        self.assertEqual(await deferToThread(lambda: list(client.recv_streaming())), ["one", "two", "three", ""])

    async def test_messages_are_compressed_between_the_ends(self) -> None:
        stage = self.stage(Echoing(self))
        client = await self.client(stage)
        self.assertEqual([one.name for one in client.protocol.extensions], ["permessage-deflate"])
        message = "a" * 1_000_000
        self.assertEqual(await self.echo(client, message), message)
        (relay,) = stage.gateway.site.channels
        told: Any = relay
        self.assertLess(told.bytes_in + told.bytes_out, 20_000)

    async def test_pings_are_answered_by_the_other_end(self) -> None:
        service = Echoing(self)
        client = await self.both(service)
        # Its thread may come to know of the socket a little later than the client.
        await until(lambda: service.opened, service)
        for end in (client, service.opened[0]):
            self.assertTrue(await deferToThread(end.ping("are you there").wait, PATIENCE_S))

    async def test_a_reader_that_stops_holds_the_other_back(self) -> None:
        def flood(connection: ServerConnection) -> None:
            for number in range(400):
                connection.send(b"%d" % number + b"x" * 200_000)

        stage = self.stage(Echoing(self, flood))
        client = await self.client(stage, max_queue=2, compression=None)
        (relay,) = stage.gateway.site.channels
        told: Any = relay
        await until(lambda: told.bytes_out > 1_000_000)
        before = -1
        while before != told.bytes_out:
            before = told.bytes_out
            await a_moment()
        self.assertLess(told.bytes_out, 60_000_000)
        sizes = await deferToThread(lambda: [len(client.recv(timeout=PATIENCE_S)) for _ in range(400)])
        self.assertEqual(sum(sizes), sum(len(str(number)) + 200_000 for number in range(400)))

    async def test_it_is_the_same_behind_tls(self) -> None:
        authority, folder = Authority(), Path(self.mktemp())
        folder.mkdir()
        certificate, key = authority.server("localhost").write(folder)
        tls = {"certificates": [{"certificate": certificate, "key": key}]}
        stage = self.stage(Echoing(self), listen=[{"endpoint": ENDPOINT, "tls": tls}])
        context = ssl.create_default_context(cadata=authority.pem.decode())
        uri = f"wss://localhost:{stage.port}/api"
        opened = await deferToThread(lambda: connect(uri, ssl=context, max_size=None, open_timeout=PATIENCE_S))
        self.addCleanup(deferToThread, opened.close)
        for message in ("hello", b"x" * 3_000_000):
            self.assertEqual(await self.echo(opened, message), message)


class HandshakeTests(SocketCase):
    async def test_both_ends_agree_on_a_subprotocol(self) -> None:
        client = await self.both(Echoing(self, subprotocols=["b", "c"]), subprotocols=["a", "b"])
        self.assertEqual(client.subprotocol, "b")

    async def test_the_service_may_refuse(self) -> None:
        for status in (401, 403, 404):

            def refuse(connection: ServerConnection, request: Any, status: int = status) -> Any:
                return connection.respond(HTTPStatus(status), f"no {status}")

            stage = self.stage(Echoing(self, process_request=refuse))
            error = await self.assertFailure(self.opening(stage), InvalidStatus)
            self.assertEqual((error.response.status_code, error.response.body), (status, f"no {status}".encode()))

    def opening(self, stage: Stage, path: str = "/api", **how: Any) -> Any:
        """A client that is going to fail."""
        return deferToThread(lambda: connect(f"ws://127.0.0.1:{stage.port}{path}", **how))

    async def test_so_may_the_gateway(self) -> None:
        stage = self.stage(Echoing(self), required_headers=["X-Key"])
        error = await self.assertFailure(self.opening(stage), InvalidStatus)
        self.assertEqual(error.response.status_code, 400)
        error = await self.assertFailure(self.opening(stage, "/nowhere"), InvalidStatus)
        self.assertEqual(error.response.status_code, 404)
        client = await self.client(stage, additional_headers={"X-Key": "a"})
        self.assertEqual(await self.echo(client, "in"), "in")

    async def test_where_it_is_switched_off_the_service_sees_an_ordinary_request(self) -> None:
        stage = self.stage(Echoing(self), upgrades=False)
        error = await self.assertFailure(self.opening(stage), InvalidStatus)
        self.assertEqual(error.response.status_code, 426)


class CloseTests(SocketCase):
    async def test_codes_pass_from_the_client_to_the_service(self) -> None:
        for code, reason in ((1000, ""), (1000, "bye"), (1001, ""), (3001, "x"), (4999, "grüße")):
            service, observer = Echoing(self), RecordingObserver()
            client = await self.client(self.stage(service, observers=[observer]))
            await deferToThread(client.close, code, reason)
            await until(service.ended.copy, service)
            self.assertEqual(service.ended, [CloseFrame(code, reason)])
            self.assertEqual((client.close_code, client.close_reason), (code, reason))
            await until(observer.exchanges.copy, observer)
            self.assertEqual(observer.summary()[0][2:4], (101, None))

    async def test_and_from_the_service_to_the_client(self) -> None:
        for code, reason in ((1000, ""), (1011, "bug"), (4000, "grüße")):

            def end(connection: ServerConnection, code: int = code, reason: str = reason) -> None:
                connection.close(code, reason)

            service, observer = Echoing(self, end), RecordingObserver()
            client = await self.client(self.stage(service, observers=[observer]))
            error = await self.end_of(client)
            self.assertEqual(error.rcvd, CloseFrame(code, reason))
            await until(observer.exchanges.copy, observer)
            self.assertEqual(observer.summary()[0][2:4], (101, None))

    async def test_a_service_that_dies_in_the_middle_of_a_frame(self) -> None:
        observer = RecordingObserver()
        stage = self.stage(observers=[observer])
        half = b"\x82\x7e\x10\x00half of it"
        stage.one.does(Respond(SOCKET_OPEN + half), gate := Gate(), Reset())
        caller = (await stage.call()).ask("GET", "/api", *SOCKET_WISH)
        await hears(caller, half)
        gate.open()
        await caller.closed()
        self.assertEqual(behind_head(caller), half)
        await until(lambda: observer.exchanges, observer)
        self.assertEqual(observer.summary()[0][2:4], (101, "connection-lost"))

    async def test_a_service_that_is_gone_without_a_close_frame(self) -> None:
        def vanish(connection: ServerConnection) -> None:
            connection.recv()
            connection.socket.close()

        client = await self.both(Echoing(self, vanish))
        await deferToThread(client.send, "go")
        error = await self.end_of(client)
        self.assertIsInstance(error, ConnectionClosedError)
        self.assertEqual((error.rcvd, client.close_code), (None, 1006))

    async def test_a_client_that_vanishes(self) -> None:
        service, observer = Echoing(self), RecordingObserver()
        client = await self.client(self.stage(service, observers=[observer]))
        await self.echo(client, "x")
        client.socket.close()
        await until(lambda: service.ended, service)
        self.assertEqual(service.ended, [None])
        await until(lambda: observer.exchanges, observer)
        self.assertEqual(observer.summary()[0][2:4], (101, "client-gone"))


class EndTests(SocketCase):
    async def test_a_stop_says_goodbye_to_both_ends(self) -> None:
        service, observer = Echoing(self), RecordingObserver()
        stage = self.stage(service, observers=[observer], stop={"accept": "0s", "drain": "3600s"})
        clients = [await self.client(stage) for _ in range(3)]
        for client in clients:
            await self.echo(client, "x")
        stopping = stage.gateway.stopService()
        ends = [await self.end_of(client) for client in clients]
        await stopping
        self.assertEqual([end.rcvd for end in ends], [CloseFrame(1001, "")] * 3)
        await until(lambda: len(service.ended) == 3, service)
        self.assertEqual(service.ended, [CloseFrame(1001, "")] * 3)
        self.assertEqual([one[2:4] for one in observer.summary()], [(101, "stopping")] * 3)

    async def test_a_stop_does_not_break_a_frame(self) -> None:
        stage = self.stage(stop={"accept": "0s", "drain": "3600s"})
        speaks = Speaks()
        stage.one.does(Respond(SOCKET_OPEN), speaks)
        caller = (await stage.call()).ask("GET", "/api", *SOCKET_WISH)
        await until(lambda: speaks.connection)
        frame = b"\x82\x7e\x01\x00" + b"x" * 256
        speaks.write(frame[:100])
        await hears(caller, frame[:100])
        stopping = stage.gateway.stopService()
        await a_moment()
        self.assertEqual(behind_head(caller), frame[:100])
        self.assertEqual(len(speaks.received), 8)  # the client was between frames
        speaks.write(frame[100:] + b"\x82\x05never")
        await hears(caller, frame + close_frame(1001))
        caller.send(close_frame(1001, b"abcd"))
        await caller.closed()
        speaks.write(close_frame(1001))
        await stopping
        mask = speaks.received[2:6]
        self.assertEqual(speaks.received, close_frame(1001, mask))

    async def test_who_does_not_answer_the_goodbye_is_cut(self) -> None:
        observer = RecordingObserver()
        stage = self.stage(observers=[observer], stop={"accept": "0s", "drain": "10s"})
        speaks = Speaks()
        stage.one.does(Respond(SOCKET_OPEN), speaks)
        caller = (await stage.call()).ask("GET", "/api", *SOCKET_WISH)
        await until(lambda: speaks.connection)
        stopping = stage.gateway.stopService()
        await hears(caller, close_frame(1001))
        stage.advance(11)
        await stopping
        await caller.closed()
        self.assertEqual([one[2:4] for one in observer.summary()], [(101, "stopping")])

    async def test_a_handshake_in_progress_is_answered_and_told_to_go(self) -> None:
        stage = self.stage(stop={"accept": "0s", "drain": "3600s"})
        speaks = Speaks()
        stage.one.does(speaks)
        caller = (await stage.call()).ask("GET", "/api", *SOCKET_WISH)
        await until(lambda: speaks.connection)
        stopping = stage.gateway.stopService()
        await a_moment()
        speaks.write(SOCKET_OPEN)
        await hears(caller, close_frame(1001))
        caller.send(close_frame(1001, b"abcd"))
        speaks.write(close_frame(1001))
        await stopping

    async def test_one_that_is_idle_for_too_long_is_told_to_go(self) -> None:
        service, observer = Echoing(self), RecordingObserver()
        stage = self.stage(service, observers=[observer], upgrades={"idle": "10s"}).hold_time()
        client = await self.client(stage, ping_interval=None)
        for _ in range(5):
            await self.echo(client, "x")
            await a_moment()
            stage.advance(8)
            await a_moment()
        stage.advance(11)
        error = await self.end_of(client)
        self.assertEqual(error.rcvd, CloseFrame(1001, ""))
        await until(lambda: service.ended == [CloseFrame(1001, "")], service)
        await until(lambda: observer.exchanges, observer)
        self.assertEqual(observer.summary()[0][2:4], (101, "idle-timeout"))

    async def test_pings_keep_it_alive(self) -> None:
        service = Echoing(self)
        stage = self.stage(service, upgrades={"idle": "10s"}).hold_time()
        client = await self.client(stage, ping_interval=None)
        for _ in range(5):
            await deferToThread(client.ping().wait, PATIENCE_S)
            await a_moment()
            stage.advance(8)
            await a_moment()
        self.assertEqual(await self.echo(client, "x"), "x")

    async def test_one_that_does_not_answer_is_cut_after_a_while(self) -> None:
        stage = self.stage(upgrades={"idle": "10s"}).hold_time()
        speaks = Speaks()
        stage.one.does(Respond(SOCKET_OPEN), speaks)
        caller = (await stage.call()).ask("GET", "/api", *SOCKET_WISH)
        await until(lambda: speaks.connection)
        await a_moment()
        stage.advance(2)
        await a_moment()
        stage.advance(11)
        await hears(caller, close_frame(1001))
        stage.advance(2)
        await a_moment()
        self.assertTrue(caller.is_open)
        stage.advance(4)
        await caller.closed()
        await until(lambda: not speaks.is_open, speaks)

    async def test_sockets_live_through_a_reload(self) -> None:
        service = Echoing(self)
        stage = self.stage(service)
        clients = [await self.client(stage) for _ in range(3)]
        for number in range(5):
            self.assertEqual(await stage.gateway.change(stage.configuration), ())
            for client in clients:
                self.assertEqual(await self.echo(client, f"{number}"), f"{number}")
