"""The field that tells a service how much time is left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.steps.deadline_field import DeadlineField

FIELD = DeadlineField(b"X-Time-Left")


class WrittenTests(SynchronousTestCase):
    def test_milliseconds_are_written_rounded_down(self) -> None:
        self.assertEqual(FIELD.written(b"A: 1\r\n", 1.2349), b"A: 1\r\nX-Time-Left: 1234\r\n")

    def test_there_is_never_less_than_no_time(self) -> None:
        self.assertEqual(FIELD.written(b"", -5.0), b"X-Time-Left: 0\r\n")

    def test_whatever_a_client_has_said_is_gone_in_any_spelling(self) -> None:
        said = (
            b"A: 1\r\nx-time-left: 9\r\nX_TIME_LEFT: 9\r\nX-Time_Left : 9\r\nB: X-Time-Left: 9\r\nX-Time-Left2: 9\r\n"
        )
        left = b"A: 1\r\nB: X-Time-Left: 9\r\nX-Time-Left2: 9\r\n"
        self.assertEqual(FIELD.written(said, 1.0), left + b"X-Time-Left: 1000\r\n")

    def test_repr_names_it(self) -> None:
        self.assertEqual(repr(FIELD), "<DeadlineField X-Time-Left>")


class ToldTests(SynchronousTestCase):
    def told(self, value: bytes, trusted: bool = True) -> float | None:
        exchange = exchange_for("GET", "/", [(b"x-TIME-left", value)])
        exchange.trusted = trusted
        return FIELD.told(exchange)

    def test_a_trusted_proxy_tells_milliseconds(self) -> None:
        self.assertEqual((self.told(b"1500"), self.told(b"0")), (1.5, 0.0))

    def test_nobody_else_is_believed(self) -> None:
        self.assertIsNone(self.told(b"1500", trusted=False))

    def test_what_is_no_number_is_not_told(self) -> None:
        for value in (b"", b"-1", b"1.5", b"soon", b"1" * 13, "²".encode()):
            self.assertIsNone(self.told(value), value)

    def test_without_the_field_nothing_is_told(self) -> None:
        exchange = exchange_for()
        exchange.trusted = True
        self.assertIsNone(FIELD.told(exchange))

    @given(st.integers(0, 10**12 - 1))
    def test_what_the_gateway_writes_it_reads(self, milliseconds: int) -> None:
        line = FIELD.written(b"", milliseconds / 1000 + 0.0001)
        told = self.told(line.partition(b": ")[2].strip())
        assert told is not None
        self.assertAlmostEqual(told, milliseconds / 1000, places=2)
