"""Headers of the PROXY protocol: what they say, and that nothing else is taken for one."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.proxy_protocol import (
    MOST_V1,
    MOST_V2,
    SIGNATURE,
    UNKNOWN,
    ProxyHeader,
    ProxyHeaderError,
    crc32c,
    read_header,
)

Address = IPv4Address | IPv6Address

CRC32C, SSL, NOOP, AUTHORITY, UNIQUE_ID = 0x03, 0x20, 0x04, 0x02, 0x05


def v1(source: Address, port: int, to: Address, to_port: int) -> bytes:
    """A line of version 1."""
    return f"PROXY TCP{source.version} {source} {to} {port} {to_port}\r\n".encode()


def field(kind: int, value: bytes) -> bytes:
    """A field behind the addresses of version 2."""
    return struct.pack("!BH", kind, len(value)) + value


def raw(command: int, family: int, payload: bytes) -> bytes:
    """A header of version 2."""
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(payload)) + payload


def v2(source: Address, port: int, to: Address, to_port: int, *fields: bytes, summed: bool = False) -> bytes:
    """A header of version 2 for a connection by TCP, with its checksum where that is asked for."""
    family = 0x11 if source.version == 4 else 0x21
    payload = source.packed + to.packed + struct.pack("!HH", port, to_port) + b"".join(fields)
    if not summed:
        return raw(1, family, payload)
    header = raw(1, family, payload + field(CRC32C, bytes(4)))
    return header[:-4] + struct.pack("!I", crc32c(header))


def outcome(data: bytes) -> object:
    """What is made of some bytes: a header, None where there is more to come, or the complaint."""
    try:
        return read_header(data)
    except ProxyHeaderError as error:
        return str(error)


CLIENT, HERE = IPv4Address("192.0.2.7"), IPv4Address("198.51.100.1")
CLIENT6, HERE6 = IPv6Address("2001:db8::7"), IPv6Address("2001:db8::1")
V1 = v1(CLIENT, 50000, HERE, 443)
V2 = v2(CLIENT, 50000, HERE, 443)


class Version1Tests(SynchronousTestCase):
    def test_a_line_tells_the_client_and_how_long_it_is(self) -> None:
        self.assertEqual(read_header(V1 + b"GET / HTTP/1.1\r\n"), ProxyHeader(len(V1), "192.0.2.7", 50000))
        line = v1(CLIENT6, 1, HERE6, 2)
        self.assertEqual(read_header(line), ProxyHeader(len(line), "2001:db8::7", 1))

    def test_an_address_has_one_spelling(self) -> None:
        for written, expected in (("2001:DB8:0::7", "2001:db8::7"), ("::ffff:192.0.2.7", "192.0.2.7")):
            found = read_header(f"PROXY TCP6 {written} ::1 1 2\r\n".encode())
            assert found is not None
            self.assertEqual(found.host, expected)

    def test_a_client_may_be_unknown_whatever_else_is_said(self) -> None:
        for line in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ffff:f... garbage \xff 1\r\n"):
            self.assertEqual(read_header(line + b"x"), ProxyHeader(len(line), UNKNOWN))

    def test_the_longest_line_is_read(self) -> None:
        line = b"PROXY UNKNOWN " + b"f" * (MOST_V1 - 16) + b"\r\n"
        self.assertEqual((len(line), read_header(line)), (MOST_V1, ProxyHeader(MOST_V1, UNKNOWN)))
        self.assertEqual(outcome(b"PROXY UNKNOWN " + b"f" * (MOST_V1 - 15) + b"\r\n"),
                         "a line of version 1 is longer than 107 bytes")  # fmt: skip

    def test_what_is_not_exactly_a_line_is_refused(self) -> None:
        for line in (
            b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\n", b"PROXY TCP4 192.0.2.7  198.51.100.1 50000 443\r\n",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443 \r\n", b"PROXY TCP4 192.0.2.7 198.51.100.1 050000 443\r\n",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n", b"PROXY TCP4 192.0.2.7 198.51.100.1 1 70000\r\n",
            b"PROXY TCP4 192.0.2.007 198.51.100.1 1 2\r\n", b"PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n",
            b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n", b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
            b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", b"PROXY TCP5 192.0.2.7 198.51.100.1 1 2\r\n",
            b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n", b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 2\r\n",
            b"PROXY UNKNOWNx\r\n", b"PROXY\tTCP4 192.0.2.7 198.51.100.1 1 2\r\n", b"PROXY \r\n", b"proxy UNKNOWN\r\n",
            b"PROXY UNKNOWN\r \r\n",
        ):  # fmt: skip
            self.assertIsInstance(outcome(line), str, line)


class Version2Tests(SynchronousTestCase):
    def test_a_header_tells_the_client_and_how_long_it_is(self) -> None:
        self.assertEqual(read_header(V2 + b"\x16\x03\x01"), ProxyHeader(28, "192.0.2.7", 50000))
        header = v2(CLIENT6, 1, HERE6, 2)
        self.assertEqual(read_header(header), ProxyHeader(52, "2001:db8::7", 1))
        mapped = v2(IPv6Address("::ffff:192.0.2.7"), 1, HERE6, 2)
        self.assertEqual(read_header(mapped), ProxyHeader(52, "192.0.2.7", 1))

    def test_a_proxy_may_connect_on_its_own_account_whatever_else_it_says(self) -> None:
        for family, payload in ((0, b""), (0x11, V2[16:]), (0x99, b"\xff" * 40)):
            header = raw(0, family, payload)
            self.assertEqual(read_header(header), ProxyHeader(len(header)), header)

    def test_clients_without_an_address_of_the_net_are_unknown(self) -> None:
        for family, payload in ((0, b""), (0x12, V2[16:]), (0x22, bytes(36)), (0x31, bytes(216)), (0x32, bytes(216))):
            header = raw(1, family, payload)
            self.assertEqual(read_header(header), ProxyHeader(len(header), UNKNOWN), header)

    def test_fields_behind_the_addresses_are_passed_over(self) -> None:
        header = v2(
            CLIENT, 1, HERE, 2, field(AUTHORITY, b"example.com"), field(NOOP, b""), field(UNIQUE_ID, b"\0" * 128)
        )
        self.assertEqual(read_header(header), ProxyHeader(len(header), "192.0.2.7", 1))

    def test_a_proxy_that_ended_the_clients_tls_says_so(self) -> None:
        for flags, expected in ((b"\x01", True), (b"\x07", True), (b"\x00", False), (b"\x06", False), (b"", False)):
            inner = flags + bytes(4) + field(0x21, b"TLSv1.3") if flags else b""
            found = read_header(v2(CLIENT, 1, HERE, 2, field(SSL, inner)))
            assert found is not None
            self.assertIs(found.secure, expected, flags)

    def test_a_checksum_that_is_there_must_be_right(self) -> None:
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)  # RFC 3720, appendix B.4 has more
        self.assertEqual(crc32c(bytes(32)), 0x8A9136AA)
        header = v2(CLIENT, 1, HERE, 2, field(AUTHORITY, b"x"), summed=True)
        self.assertEqual(read_header(header), ProxyHeader(len(header), "192.0.2.7", 1))
        for at in (*range(16, len(header) - 7), *range(len(header) - 4, len(header))):
            changed = header[:at] + bytes([header[at] ^ 1]) + header[at + 1 :]
            self.assertIsInstance(outcome(changed), str, at)
        self.assertEqual(outcome(v2(CLIENT, 1, HERE, 2, field(CRC32C, bytes(3)))), "the checksum is wrong")

    def test_what_is_not_exactly_a_header_is_refused(self) -> None:
        for header in (
            SIGNATURE + b"\x11\x11\0\x0c" + bytes(12), SIGNATURE + b"\x31\x11\0\x0c" + bytes(12),
            SIGNATURE + b"\x22\x11\0\x0c" + bytes(12), raw(1, 0x11, bytes(11)), raw(1, 0x21, bytes(35)),
            raw(1, 0x31, bytes(215)), raw(1, 0x13, bytes(216)), raw(1, 0x41, bytes(216)), raw(1, 0x10, bytes(216)),
            raw(1, 0x11, bytes(12) + b"\x04\0"), raw(1, 0x11, bytes(12) + b"\x04\0\x02\0"), raw(1, 0, b"\x04"),
        ):  # fmt: skip
            self.assertIsInstance(outcome(header), str, header)

    def test_a_header_has_a_bound(self) -> None:
        room = MOST_V2 - 28 - 3
        self.assertIsInstance(outcome(v2(CLIENT, 1, HERE, 2, field(NOOP, bytes(room)))), ProxyHeader)
        self.assertEqual(outcome(v2(CLIENT, 1, HERE, 2, field(NOOP, bytes(room + 1)))[:16]),
                         "a header of 4097 bytes; 4096 are read")  # fmt: skip


class EitherTests(SynchronousTestCase):
    def test_anything_else_is_refused_with_its_first_wrong_byte(self) -> None:
        for data in (b"G", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"PROXY_", b"\r\n\r\n\0\r\nQUIT\r", b"\n", b"\0"):
            self.assertEqual(outcome(data), "no header of the PROXY protocol", data)

    def test_the_beginning_of_one_is_awaited(self) -> None:
        for header in (V1, V2, v2(CLIENT6, 1, HERE6, 2, field(NOOP, b"x"), summed=True), raw(0, 0, b"")):
            for length in range(len(header)):
                self.assertIsNone(read_header(header[:length]), header[:length])

    addresses = st.one_of(
        st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6))
    )
    ports = st.integers(0, 65535)
    fields = st.lists(
        st.builds(field, st.integers(0, 255).filter(lambda kind: kind not in (CRC32C, SSL)), st.binary(max_size=40)),
        max_size=4,
    )

    @settings(deadline=None)
    @given(addresses, ports, ports, fields, st.booleans(), st.binary(max_size=20))
    def test_what_was_written_is_read_again(
        self,
        pair: tuple[Address, Address],
        port: int,
        to_port: int,
        fields: list[bytes],
        summed: bool,
        rest: bytes,
    ) -> None:
        source, to = pair
        expected = str(getattr(source, "ipv4_mapped", None) or ip_address(str(source)))
        for header in (v1(source, port, to, to_port), v2(source, port, to, to_port, *fields, summed=summed)):
            found = read_header(header + rest)
            self.assertEqual(found, ProxyHeader(len(header), expected, port))

    pieces = st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from(
                (V1, V2, SIGNATURE, b"PROXY ", b"TCP4 ", b"1.2.3.4 ", b"\r\n", b"\x21\x11\0\x0c", b"UNKNOWN")
            ),
        ),
        max_size=6,
    ).map(b"".join)

    @settings(deadline=None)
    @given(pieces)
    def test_only_its_own_error_is_raised_and_what_follows_changes_no_verdict(self, data: bytes) -> None:
        whole = outcome(data)
        parts = [outcome(data[:length]) for length in range(len(data) + 1)]
        verdicts = [part for part in parts if part is not None]
        self.assertEqual(parts, [None] * (len(parts) - len(verdicts)) + verdicts)
        if isinstance(whole, ProxyHeader):
            self.assertEqual(set(verdicts), {whole})
            self.assertEqual(len(verdicts), len(data) - whole.size + 1)
        else:
            self.assertEqual({type(part) for part in verdicts}, {str} if whole else set())
