"""The parts of the soak: its WebSockets notice what is wrong, and its files are what the gateway reads."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given
from hypothesis.strategies import binary, sampled_from
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.read import parse_text
from bench.soak.answering import Asked, head
from bench.soak.certificates import Certificates
from bench.soak.configuration import LISTENER, Configuration
from bench.soak.frames import BINARY, CLOSE, KEY, accepted, frame, read_frame
from bench.soak.services import DIVIDED, ENCRYPTED, EVENTS, FOUND, SERVICES, SOCKETS, target
from bench.soak.sockets import Echoes
from bench.soak.told import left_over, told

MASK = b"\x01\x02\x03\x04"


def reader(data: bytes) -> asyncio.StreamReader:
    made = asyncio.StreamReader()
    made.feed_data(data)
    made.feed_eof()
    return made


class FrameTests(SynchronousTestCase):
    @given(binary(max_size=300), sampled_from((b"", MASK)))
    def test_a_frame_is_read_as_it_was_sent(self, payload: bytes, mask: bytes) -> None:
        async def read_back() -> tuple[int, bytes]:
            return await read_frame(reader(frame(BINARY, payload, mask)))

        self.assertEqual(asyncio.run(read_back()), (BINARY, payload))

    def test_there_are_three_ways_to_tell_a_length(self) -> None:
        async def read_back(size: int) -> int:
            return len((await read_frame(reader(frame(BINARY, bytes(size), MASK))))[1])

        for size in (125, 126, 65535, 65536):
            self.assertEqual(asyncio.run(read_back(size)), size)

    def test_a_frame_that_neither_end_sends_is_refused(self) -> None:
        async def fragment() -> None:
            await read_frame(reader(b"\x02\x00"))

        self.assertRaises(ValueError, asyncio.run, fragment())

    def test_the_key_is_answered_as_the_standard_s_example_is(self) -> None:
        self.assertEqual(accepted("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        self.assertEqual(len(KEY), 24)

    def test_the_head_of_a_switch_tells_no_length(self) -> None:
        self.assertNotIn(b"Length", head(Asked("GET", "/", {}), "101 Switching Protocols"))


class Service:
    """The other end of a WebSocket: `answers` makes of each frame what is sent back; nothing ends the connection."""

    def __init__(self, answers: Any) -> None:
        self._answers = answers
        self._tasks: list[asyncio.Future[None]] = []
        self.reader = asyncio.StreamReader()

    def write(self, data: bytes) -> None:
        self._tasks.append(asyncio.ensure_future(self._answer(data)))

    async def _answer(self, data: bytes) -> None:
        back = self._answers(await read_frame(reader(data)))
        if back is None:
            self.reader.feed_eof()
        else:
            self.reader.feed_data(back)

    async def drain(self) -> None:
        pass


def echoed(came: tuple[int, bytes]) -> bytes:
    code, payload = came
    return frame({9: 10}.get(code, code), payload)


class SocketTests(SynchronousTestCase):
    def talked(self, answers: Any, seconds: float = 0.05) -> Echoes:
        async def talk() -> Echoes:
            service = Service(answers)
            self.service_ends = service.reader.feed_eof
            writer: Any = service
            echoes = Echoes((service.reader, writer), Random(1), "n")
            await echoes.run(time.monotonic() + seconds)
            return echoes

        for _ in range(20):
            echoes = asyncio.run(talk())
            if echoes._numbers:  # else the machine was busy for all of the time, and nothing was said
                break
        return echoes

    def test_it_is_whole_when_all_came_back_and_nothing_comes_after_the_end(self) -> None:
        def answers(came: tuple[int, bytes]) -> bytes:
            if came[0] == CLOSE:
                asyncio.get_running_loop().call_soon(self.service_ends)
            return echoed(came)

        echoes = self.talked(answers)
        self.assertEqual((echoes.ending, echoes.is_right), ("whole", True))
        self.assertGreater(echoes.count, 0)

    def test_another_message_is_not_right(self) -> None:
        def answers(came: tuple[int, bytes]) -> bytes | None:
            return None if came[0] == CLOSE else frame(BINARY, b"another")

        self.assertFalse(self.talked(answers).is_right)

    def test_an_end_without_a_word_is_a_cut(self) -> None:
        self.assertEqual(self.talked(lambda came: None, 5).ending, "cut")

    def test_a_close_frame_that_nobody_asked_for_is_told_apart(self) -> None:
        self.assertEqual(self.talked(lambda came: frame(CLOSE, b""), 5).ending, "closed")

    def test_a_message_that_is_left_out_at_the_end_is_noticed(self) -> None:
        def answers(came: tuple[int, bytes]) -> bytes:
            return echoed(came) if came[0] == CLOSE else b""

        self.assertEqual(self.talked(answers).ending, "closed")


class ConfigurationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        certificates = Certificates(self.folder)
        for name in (LISTENER, *ENCRYPTED):
            certificates.renew(name)
        urls = {
            name: [f"http{'s' * one.is_encrypted(number)}://127.0.0.1:{number + 1}" for number in range(one.targets)]
            for name, one in SERVICES.items()
        }
        self.configuration = Configuration(1, 2, urls, self.folder, certificates)
        for name in FOUND:
            listed = self.configuration.listed(name, {0: 1, 2: 3})
            self.configuration.found(name).write_text(listed, encoding="ascii")

    def test_the_gateway_can_use_each_generation_and_each_tells_its_number(self) -> None:
        for generation in (0, 1):
            text = self.configuration.text(generation)
            parse_text(text, str(self.folder / "gateway.yaml"), {})
            self.assertIn(f'"X-Generation": "{generation}"', text)
            self.assertEqual('"extra"' in text, bool(generation))

    def test_services_that_nobody_asks_are_led_to_by_others(self) -> None:
        led = {*DIVIDED, *(one.options["mirror"]["service"] for one in SERVICES.values() if "mirror" in one.options)}
        self.assertEqual(led, {name for name, one in SERVICES.items() if not one.weight})

    def test_websockets_and_events_are_of_services_that_are_asked(self) -> None:
        self.assertTrue({*SOCKETS, *EVENTS} < {name for name, one in SERVICES.items() if one.weight})
        self.assertEqual([name for name in SOCKETS if SERVICES[name].restarts], [SOCKETS[-1]])

    def test_a_target_s_name_begins_with_its_service(self) -> None:
        self.assertEqual(target("again", 0), "again-0")


class ToldTests(SynchronousTestCase):
    SEEN = {
        "process": {"in_flight": 1},
        "listeners": {"tcp:1": {"tls": {"handshakes": 5}}},
        "services": {
            "a": {
                "relays": {"open": 2, "total": 7},
                "further_attempts": {"retries": 3, "hedges": 4},
                "targets": {
                    "http://a": {"in_flight": 2, "pool": {}},
                    "https://a": {"in_flight": 1, "pool": {"handshakes": 9, "resumed": 8}},
                },
            },
            "b": {
                "further_attempts": {"retries": 1, "hedges": 0},
                "mirrored": {"/a": {"sent": 20, "failed": 6, "in_flight": 1}},
                "targets": {},
            },
        },
    }  # fmt: skip

    def test_what_is_under_way_is_added_up(self) -> None:
        self.assertEqual(left_over(self.SEEN), {"exchanges": 1, "attempts": 3, "relays": 2, "copies": 1})

    def test_what_was_done_is_added_up(self) -> None:
        self.assertEqual([*told(self.SEEN).values()], [7, 4, 4, 20, 6, 5, 9, 8])
