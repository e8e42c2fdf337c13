"""Frames of WebSockets: where they begin and end, whatever the pieces they come in."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from websockets.frames import Close, Frame, Opcode

from apigateway.http.websocket import GOING_AWAY, Frames, close_frame


def frame(opcode: Opcode, size: int, is_masked: bool = False, is_last: bool = True) -> bytes:
    """A frame as the `websockets` library writes it."""
    return Frame(opcode, b"\x88" * size, is_last).serialize(mask=is_masked)


SIZES = st.one_of(st.integers(0, 130), st.sampled_from((125, 126, 127, 65_535, 65_536, 70_000)))
DATA = st.builds(frame, st.sampled_from((Opcode.TEXT, Opcode.BINARY, Opcode.CONT)), SIZES, st.booleans(), st.booleans())
PINGS = st.builds(frame, st.just(Opcode.PING), st.integers(0, 125), st.booleans())
FRAMES = st.lists(st.one_of(DATA, PINGS), min_size=1, max_size=6)


@st.composite
def in_pieces(draw: st.DrawFn) -> tuple[list[bytes], list[bytes]]:
    """Some frames, and the same bytes cut elsewhere."""
    frames = draw(FRAMES)
    whole = b"".join(frames)
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    edges = [0, *cuts, len(whole)]
    return frames, [whole[a:b] for a, b in pairwise(edges) if a < b]


class FramesTests(SynchronousTestCase):
    @given(in_pieces())
    @settings(deadline=None)
    def test_the_ends_of_frames_are_known_whatever_the_pieces(self, made: tuple[list[bytes], list[bytes]]) -> None:
        frames, pieces = made
        ends, at = set(), 0
        for one in frames:
            at += len(one)
            ends.add(at)
        followed, seen = Frames(), 0
        for piece in pieces:
            followed.feed(piece)
            seen += len(piece)
            self.assertEqual(followed.is_between, seen in ends)
        self.assertFalse(followed.is_closed)

    @given(in_pieces(), st.integers(0, 200_000))
    @settings(deadline=None)
    def test_the_rest_of_a_frame_can_be_taken_and_no_more(
        self, made: tuple[list[bytes], list[bytes]], split: int
    ) -> None:
        whole = b"".join(made[0])
        split %= len(whole) + 1
        ends, at = [0], 0
        for one in made[0]:
            at += len(one)
            ends.append(at)
        followed = Frames()
        if split:
            followed.feed(whole[:split])
        taken = followed.take_frame(whole[split:])
        self.assertEqual(split + taken, min(end for end in ends if end >= split))
        self.assertTrue(followed.is_between)

    def test_byte_by_byte(self) -> None:
        whole = frame(Opcode.BINARY, 70_000, is_masked=True)
        followed = Frames()
        between = []
        for at in range(len(whole)):
            followed.feed(whole[at : at + 1])
            between.append(followed.is_between)
        self.assertEqual((between.index(True), len(between)), (len(whole) - 1, len(whole)))

    def test_the_rest_of_a_frame_may_come_in_pieces(self) -> None:
        whole = frame(Opcode.BINARY, 300)
        followed = Frames()
        followed.feed(whole[:1])
        self.assertEqual([followed.take_frame(piece) for piece in (whole[1:2], whole[2:100])], [1, 98])
        self.assertFalse(followed.is_between)
        self.assertEqual(followed.take_frame(whole[100:] + b"\x81\x00"), 204)
        self.assertEqual(followed.take_frame(b"\x81\x00"), 0)

    def test_a_close_frame_is_noticed(self) -> None:
        for is_masked in (False, True):
            for before in (b"", frame(Opcode.TEXT, 5), frame(Opcode.TEXT, 70_000)):
                for pieces in (lambda data: [data], lambda data: [data[:-3], data[-3:]], lambda data: [data, b"after"]):
                    followed = Frames()
                    for piece in pieces(before + frame(Opcode.CLOSE, 2, is_masked)):
                        followed.feed(piece)
                    self.assertTrue(followed.is_closed)

    def test_other_control_frames_and_what_payloads_look_like_are_none(self) -> None:
        followed = Frames()
        for data in (frame(Opcode.PING, 2), frame(Opcode.TEXT, 100), frame(Opcode.TEXT, 200)):
            followed.feed(data)
        self.assertFalse(followed.is_closed)


class CloseFrameTests(SynchronousTestCase):
    def test_it_is_what_others_write(self) -> None:
        expected = Frame(Opcode.CLOSE, Close(1001, "").serialize())
        self.assertEqual(close_frame(GOING_AWAY), expected.serialize(mask=False))

    def test_a_client_masks_it(self) -> None:
        made = close_frame(GOING_AWAY, b"\x01\x02\x03\x04")
        self.assertEqual(made, b"\x88\x82\x01\x02\x03\x04" + bytes((0x03 ^ 1, 0xE9 ^ 2)))
