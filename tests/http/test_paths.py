"""Paths: one reading for all spellings, and no spelling that two readers could take for two things gets through."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.paths import CONTROL, read_path, without_parameters, without_prefix

_PIECES = (
    b"/", b"/", b"/", b"a", b"api", b".", b"..", b";", b"%2f", b"%2F", b"%5c", b"\\", b"%2e", b"%2E", b"%41", b"%25",
    b"%2525", b"%c0%ae", b"\xc0\xaf", b"%e0%80%ae", b"%f0%80%80%af", b"%e2%82%ac", b"%00", b"%0a", b"%7f", b"%",
    b"%zz", b"%4", b" ", b"%20", b"\xc3\xa9", b"%c3%a9", b"\x01", b"~",
)  # fmt: skip
paths = st.lists(st.sampled_from(_PIECES), max_size=10).map(lambda pieces: b"/" + b"".join(pieces))


def decoded_once(path: bytes) -> bytes:
    """What a simple reader makes of a path: each %XX is one byte, and that's it."""
    out, at = b"", 0
    while at < len(path):
        if re.fullmatch(rb"%[0-9A-Fa-f]{2}", path[at : at + 3]):
            out += bytes([int(path[at + 1 : at + 3], 16)])
            at += 3
        else:
            out += path[at : at + 1]
            at += 1
    return out


def folded(path: bytes) -> bytes:
    while b"//" in path:
        path = path.replace(b"//", b"/")
    return path


def is_overlong(text: bytes) -> bool:
    """Whether a reader of UTF-8 that adds up bits without a check would find a character written too long."""
    for at, byte in enumerate(text):
        size = 2 if 0xC0 <= byte < 0xE0 else 3 if 0xE0 <= byte < 0xF0 else 4 if 0xF0 <= byte < 0xF8 else 1
        more = text[at + 1 : at + size]
        if size > 1 and len(more) == size - 1 and all(0x80 <= one < 0xC0 for one in more):
            value = byte & (0x7F >> size)
            for one in more:
                value = value << 6 | one & 0x3F
            if value < (0x80, 0x800, 0x10000)[size - 2]:
                return True
    return False


def ways_of(path: bytes) -> set[str]:
    """In which ways a simple reader finds a path ambiguous."""
    decoded = decoded_once(path)
    segments = decoded.replace(b"\\", b"/").split(b"/")
    ways = set()
    has_control = any(byte < 0x20 or byte == 0x7F for byte in decoded)
    if has_control or re.search(rb"%(?![0-9a-fA-F]{2})", path) or is_overlong(decoded):
        ways.add(CONTROL)
    if any(segment.partition(b";")[0] in (b".", b"..") for segment in segments):
        ways.add("dot-segments")
    if b"%2f" in path.lower():
        ways.add("encoded-slash")
    if b"\\" in decoded:
        ways.add("backslash")
    return ways


class ReadingTests(SynchronousTestCase):
    def test_a_plain_path_is_itself(self) -> None:
        for path in (b"/", b"/api/v1", b"/a.b/c~d", b"/a;b=c", b"*", b"/api/"):
            self.assertEqual(read_path(path), (path, frozenset()))

    def test_escapes_are_decoded_once(self) -> None:
        for path, read in (
            (b"/%61pi", b"/api"),
            (b"/a%20b", b"/a b"),
            (b"/%2561", b"/%61"),
            (b"/%C3%A9", b"/\xc3\xa9"),
        ):
            self.assertEqual(read_path(path), (read, frozenset()))

    def test_runs_of_slashes_are_one(self) -> None:
        self.assertEqual(read_path(b"//api///v1//"), (b"/api/v1/", frozenset()))

    def test_dots_that_make_no_segment_are_harmless(self) -> None:
        for path in (b"/.well-known/x", b"/a..b", b"/...", b"/a./b", b"/.a", b"/a;..", b"/%2efoo"):
            self.assertEqual(read_path(path)[1], frozenset(), path)

    def test_dot_segments_are_found_in_every_spelling(self) -> None:
        for path in (
            b"/..",
            b"/a/../b",
            b"/./a",
            b"/%2e%2E/a",
            b"/a/.%2e",
            b"/..;/a",
            b"/..;x=y",
            b"/a/%2e;",
            b"/a//..",
        ):
            self.assertEqual(read_path(path)[1], {"dot-segments"}, path)

    def test_dot_segments_between_other_separators_too(self) -> None:
        self.assertEqual(read_path(b"/a%2f..%2fb")[1], {"dot-segments", "encoded-slash"})
        self.assertEqual(read_path(b"/a\\..\\b")[1], {"dot-segments", "backslash"})
        self.assertEqual(read_path(b"/a%5c..")[1], {"dot-segments", "backslash"})

    def test_encoded_slashes_and_backslashes_are_found(self) -> None:
        for path, way in ((b"/a%2fb", "encoded-slash"), (b"/a%2Fb", "encoded-slash"), (b"/a\\b", "backslash"),
                          (b"/a%5Cb", "backslash")):  # fmt: skip
            self.assertEqual(read_path(path)[1], {way}, path)

    def test_control_bytes_and_bad_escapes_are_found(self) -> None:
        for path in (b"/%00", b"/a%0d%0ab", b"/a\x01", b"/%7F", b"/\x7f", b"/a%", b"/a%4", b"/a%zz", b"/%u0041"):
            self.assertEqual(read_path(path)[1], {CONTROL}, path)

    def test_characters_that_are_written_longer_than_they_are_count_as_control_bytes(self) -> None:
        for path in (b"/%c0%ae%c0%ae/", b"/\xc0\xaf", b"/%C1%9C", b"/%e0%80%af", b"/%f0%80%80%af"):
            self.assertEqual(read_path(path)[1], {CONTROL}, path)
        for text in ("/é", "/ࠀ", "/€", "/😀", "/ÿ"):
            self.assertEqual(read_path(text.encode())[1], frozenset(), text)
        self.assertEqual(read_path("/Àé".encode("latin-1"))[1], frozenset())

    @settings(deadline=None, max_examples=500)
    @given(paths)
    def test_it_agrees_with_a_simple_reader(self, path: bytes) -> None:
        read, ways = read_path(path)
        self.assertEqual(read, folded(decoded_once(path)))
        expected = ways_of(path)
        if CONTROL in expected:
            self.assertIn(CONTROL, ways)
        else:
            self.assertEqual(ways, expected)

    @settings(deadline=None, max_examples=300)
    @given(paths)
    def test_what_was_read_reads_as_itself(self, path: bytes) -> None:
        read, ways = read_path(path)
        if not ways and b"%" not in read:
            self.assertEqual(read_path(read), (read, frozenset()))

    @settings(deadline=None, max_examples=300)
    @given(paths)
    def test_a_path_without_ambiguities_has_no_control_byte_and_no_dot_segment(self, path: bytes) -> None:
        read, ways = read_path(path)
        if not ways:
            self.assertIsNone(re.search(rb"[\x00-\x1f\x7f\\]", read))
            self.assertFalse({b".", b".."} & set(read.split(b"/")))


class ParameterTests(SynchronousTestCase):
    def test_they_are_cut_from_each_segment(self) -> None:
        for path, left in (
            (b"/a;x/b;y=1;z/c", b"/a/b/c"),
            (b"/;x/a", b"/a"),
            (b"/a/;/b/;", b"/a/b/"),
            (b"/a", b"/a"),
        ):
            self.assertEqual(without_parameters(path), left)


class PrefixTests(SynchronousTestCase):
    def test_the_prefix_is_cut_and_what_is_left_begins_with_a_slash(self) -> None:
        for target, left in (
            (b"/api/v1?a=b", b"/v1?a=b"),
            (b"/api", b"/"),
            (b"/api/", b"/"),
            (b"/api?a", b"/?a"),
            (b"/api/%2561", b"/%2561"),
        ):
            self.assertEqual(without_prefix(target, b"/api"), left)

    def test_what_is_left_is_never_the_name_of_a_host(self) -> None:
        for target in (b"/api//evil.example/x", b"/api///evil.example/x", b"//api//evil.example/x",
        b"/%61pi//evil.example/x",
                       b"/api/%2fevil.example/x", b"/api%2F%2fevil.example/x"):  # fmt: skip
            self.assertEqual(without_prefix(target, b"/api"), b"/evil.example/x", target)
        self.assertEqual(without_prefix(b"/api//", b"/api"), b"/")

    def test_however_it_is_spelled(self) -> None:
        for target in (b"/%61pi/x", b"//api/x", b"/a%70%69/x", b"/%41pi/x"):
            self.assertEqual(without_prefix(target, decoded_once(folded(target))[:4]), b"/x", target)
        self.assertEqual(without_prefix(b"/a%2fb/x", b"/a/b"), b"/x")
        self.assertEqual(without_prefix(b"/a.b/x", b"/a.b"), b"/x")

    @settings(deadline=None, max_examples=300)
    @given(paths, st.integers(0, 5))
    def test_what_is_left_is_what_follows_the_prefix(self, path: bytes, segments: int) -> None:
        read, _ = read_path(path)
        prefix = b"/".join(read.split(b"/")[: segments + 1]).rstrip(b"/")
        left, _ = read_path(without_prefix(path, prefix))
        self.assertEqual(left, folded(b"/" + read[len(prefix) :]))
