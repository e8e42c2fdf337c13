"""Durations, sizes and shares as people write them."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.units import (
    DURATION_PATTERN,
    SHARE_PATTERN,
    SIZE_PATTERN,
    duration_text,
    octets,
    part,
    seconds,
    share_text,
    size_text,
)


class DurationTests(SynchronousTestCase):
    """Durations."""

    def test_read_in_each_unit_and_as_bare_seconds(self) -> None:
        written = {
            "500ms": 0.5,
            "30s": 30.0,
            "5m": 300.0,
            "1h": 3600.0,
            "45": 45.0,
            "1.5s": 1.5,
            "0.25h": 900.0,
            "0": 0.0,
        }
        self.assertEqual({text: seconds(text) for text in written}, written)

    def test_are_written_in_the_largest_unit_that_holds_them_exactly(self) -> None:
        written = {0.0: "0s", 0.25: "250ms", 1.5: "1500ms", 75.0: "75s", 60.0: "1m", 7200.0: "2h"}
        self.assertEqual({value: duration_text(value) for value in written}, written)

    @settings(deadline=None)
    @given(st.integers(0, 10**10))
    def test_read_back_as_they_were_written_to_the_millisecond(self, milliseconds: int) -> None:
        text = duration_text(milliseconds / 1000)
        self.assertTrue(re.fullmatch(DURATION_PATTERN, text), text)
        self.assertEqual(seconds(text), milliseconds / 1000)


class SizeTests(SynchronousTestCase):
    """Sizes."""

    def test_read_in_powers_of_1024_and_of_1000_and_as_bare_bytes(self) -> None:
        written = {
            "10MiB": 10 << 20,
            "32KiB": 32 << 10,
            "1GiB": 1 << 30,
            "10MB": 10**7,
            "64kB": 64_000,
            "7B": 7,
            "9": 9,
        }
        self.assertEqual({text: octets(text) for text in written}, written)

    def test_may_have_a_fraction_that_gives_whole_bytes(self) -> None:
        self.assertEqual(octets("1.5KiB"), 1536)
        self.assertRaises(ValueError, octets, "1.5B")

    @settings(deadline=None)
    @given(st.integers(0, 10**14))
    def test_read_back_as_they_were_written(self, size: int) -> None:
        text = str(size_text(size))
        self.assertTrue(re.fullmatch(SIZE_PATTERN, text), text)
        self.assertEqual(octets(text), size)


class ShareTests(SynchronousTestCase):
    """Shares of a whole."""

    def test_read_in_percent_and_as_parts_of_one(self) -> None:
        written = {"5%": 0.05, "100%": 1.0, "0%": 0.0, "12.5%": 0.125, "0.05": 0.05, "1": 1.0, "33.3333%": 0.333333}
        self.assertEqual({text: part(text) for text in written}, written)

    @settings(deadline=None)
    @given(st.integers(0, 10**8))
    def test_read_back_as_they_were_written_to_the_millionth_of_a_percent(self, millionths: int) -> None:
        text = share_text(millionths / 10**8)
        self.assertTrue(re.fullmatch(SHARE_PATTERN, text), text)
        self.assertEqual(part(text), millionths / 10**8)
