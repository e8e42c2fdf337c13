"""The clients and the service of the workloads with TLS and WebSockets."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from apigateway.testing.certificates import Authority
from bench.load.handshakes import ask, context
from bench.load.messages import ANSWERED, ASKED, PATH, SIZE, Line, opened
from bench.peers import CATALOGUE
from bench.peers.echo_service import Connection, accepted
from bench.peers.variants import THREE_TARGETS, TLS, WEBSOCKET
from tests.bench.services import answering, closing, listening


def echoing(connection: socket.socket) -> None:
    """As the service behind the peers."""
    one = Connection(connection)
    while one.read():
        pass


class MessageTests(SynchronousTestCase):
    def test_a_message_is_a_frame_of_the_standard(self) -> None:
        reader = StreamReader()
        reader.feed_data(ASKED + b"x" * SIZE + ANSWERED + b"y" * SIZE)
        for mask, filling in ((True, b"x"), (False, b"y")):
            frame = _run(Frame.parse(reader.read_exact, mask=mask))
            self.assertEqual((frame.opcode, frame.data, frame.fin), (Opcode.BINARY, filling * SIZE, True))

    def test_the_token_of_the_handshake_is_that_of_the_example_in_the_standard(self) -> None:
        self.assertIn(
            b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", accepted(b"dGhlIHNhbXBsZSBub25jZQ==")
        )

    def test_messages_come_back_one_after_the_other(self) -> None:
        line = Line(listening(self, echoing))
        for _ in range(3):
            while line.take() is None:
                pass
            line.ask()
        line.socket.close()

    def test_the_service_sends_many_messages_back_however_they_come(self) -> None:
        with opened(listening(self, echoing)) as one:
            data = b"".join(ASKED + bytes([number]) * SIZE for number in range(20))
            for at in range(0, len(data), 100):
                one.sendall(data[at : at + 100])
            wanted = b"".join(ANSWERED + bytes([number]) * SIZE for number in range(20))
            self.assertEqual(one.makefile("rb").read(len(wanted)), wanted)

    def test_the_service_is_healthy(self) -> None:
        with socket.create_connection(("127.0.0.1", listening(self, echoing))) as one:
            one.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(one.recv(4096).startswith(b"HTTP/1.1 200 "))

    def test_a_refused_handshake_is_an_error(self) -> None:
        for serve in (answering(b"HTTP/1.1 404 Not Found\r\n\r\n"), closing):
            self.assertRaises(OSError, opened, listening(self, serve))


def _run(parsing: object) -> Frame:
    """The frame that a parser makes of data which is all there."""
    try:
        while True:
            next(parsing)  # type: ignore[call-overload]  # a generator
    except StopIteration as done:
        frame: Frame = done.value
        return frame


class HandshakeTests(SynchronousTestCase):
    def serving(self, answer: bytes) -> int:
        folder = Path(self.mktemp())
        folder.mkdir()
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secure.load_cert_chain(*Authority().server("127.0.0.1").write(folder))

        def serve(plain: socket.socket) -> None:
            with secure.wrap_socket(plain, server_side=True) as connection:
                connection.recv(65536)
                connection.sendall(answer)

        return listening(self, serve)

    def test_each_answer_comes_over_a_full_handshake(self) -> None:
        port, secure = self.serving(b"HTTP/1.1 200 OK\r\n\r\nok"), context()
        for _ in range(3):
            self.assertEqual(ask(port, secure), (True, 21))

    def test_a_refusal_is_no_good_answer(self) -> None:
        self.assertEqual(ask(self.serving(b"HTTP/1.1 503 No\r\n\r\n"), context())[0], False)

    def test_a_lost_connection_is_an_error(self) -> None:
        self.assertRaises(OSError, ask, listening(self, closing), context())


class VariantTests(SynchronousTestCase):
    def test_they_fill_places_that_the_configurations_have(self) -> None:
        for variant in (TLS, THREE_TARGETS, WEBSOCKET):
            for name, settings in variant.items():
                peer = CATALOGUE[name]
                home = Path(self.mktemp())
                home.mkdir()
                peer.prepare(peer.values(home, 8101, 8102, settings))
                assert peer.file is not None
                written = (home / peer.file).read_text(encoding="utf-8")
                for place in settings:
                    filled = peer.values(home, 8101, 8102, settings)[place]
                    self.assertIn(filled, written, f"{name}: {place}")

    def test_the_path_of_the_sockets_is_one_that_all_forward(self) -> None:
        self.assertTrue(PATH.startswith("/api/"))
