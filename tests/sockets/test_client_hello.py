"""What is read of a client's first words, held against what OpenSSL really sends."""

from __future__ import annotations

import contextlib
import ssl
import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets.client_hello import MOST_HELLO, ClientHello, HelloReader, NoHelloError


def hello(name: str | None = None, protocols: tuple[str, ...] = ()) -> bytes:
    """The first bytes of a client of OpenSSL's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if protocols:
        context.set_alpn_protocols(protocols)
    outgoing = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake with nobody")


def read_hello(data: bytes) -> ClientHello | None:
    """What the first bytes of a connection say."""
    return HelloReader().read(data)


def in_records(data: bytes, size: int) -> bytes:
    """The message of one record in records of so many bytes."""
    message = data[5:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(piece)) + piece for piece in pieces)


class HelloTests(SynchronousTestCase):
    def test_the_name_and_the_protocols_that_a_client_wants(self) -> None:
        for name, protocols in ((None, ()), ("Api.Example", ()), ("a.example", ("h2", "http/1.1"))):
            found = read_hello(hello(name, protocols))
            wanted = tuple(one.encode() for one in protocols) or None
            self.assertEqual(found, ClientHello(name.lower() if name else None, wanted))

    def test_it_may_come_in_any_pieces_and_in_any_records(self) -> None:
        whole = hello("a.example", ("h2",))
        expected = ClientHello("a.example", (b"h2",))
        for data in (whole, in_records(whole, 1), in_records(whole, 100)):
            self.assertEqual([read_hello(data[:end]) for end in range(len(data))], [None] * len(data))
            self.assertEqual(read_hello(data), expected)
        self.assertEqual(read_hello(whole + b"more"), expected)

    def test_each_record_is_read_once_however_many_there_are(self) -> None:
        data = in_records(hello("a.example", ("h2",)), 1)
        reader = HelloReader()

        class Counted(bytes):
            looked_at = 0

            def __getitem__(self, key: Any) -> Any:
                Counted.looked_at += 1
                return super().__getitem__(key)

        found = [reader.read(Counted(data[:end])) for end in range(1, len(data) + 1)]
        self.assertEqual((set(found[:-1]), found[-1]), ({None}, ClientHello("a.example", (b"h2",))))
        self.assertLess(Counted.looked_at, 3 * len(data))

    def test_what_is_no_tls_is_known_by_its_first_bytes(self) -> None:
        huge = b"\x16\x03\x01\x40\x00\x01" + (MOST_HELLO + 1).to_bytes(3, "big")
        for data in (b"G", b"GET / HTTP/1.1\r\n", b"\x80\x2e\x01", b"\x16\x02", b"\x16\x03\x01\0\0", huge.ljust(20000),
                     b"\x17\x03\x03\0\x01a", b"\x16\x03\x01\0\x04\x02\0\0\0"):  # fmt: skip
            with self.assertRaises(NoHelloError):
                read_hello(data)

    def test_one_that_is_cut_off_inside_says_nothing(self) -> None:
        body = hello("a.example", ("h2",))[9:]
        for length in (0, 30, 36, 60, len(body) - 1):
            message = b"\x01" + length.to_bytes(3, "big") + body[:length]
            found = read_hello(b"\x16\x03\x01" + struct.pack("!H", len(message)) + message)
            self.assertEqual(found, ClientHello())

    @settings(deadline=None)
    @given(st.binary(max_size=600), st.integers(0, 600))
    def test_no_bytes_break_it(self, noise: bytes, at: int) -> None:
        good = hello("a.example", ("h2", "http/1.1"))
        for data in (noise, good[:at] + noise, good[:at] + noise + good[at + len(noise) :]):
            with contextlib.suppress(NoHelloError):
                self.assertIsInstance(read_hello(data), ClientHello | None)
