"""Whatever clients send: the service sees the requests that policies judged, or the client is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.http.near import request_streams
from tests.smuggling import mutate
from tests.smuggling.ground import Ground, Played, compare
from tests.smuggling.requests import CATEGORIES, HIDDEN, NEXT, ask, sized

Split = Callable[[bytes], Sequence[bytes]]
ENTRIES = {f"{category}: {name}": data for category, family in CATEGORIES.items() for name, data in family.items()}

TRIED = {
    "transfer codings": (432, 413, 55),
    "lengths": (312, 258, 76),
    "chunks": (252, 186, 125),
    "lines and fields": (720, 442, 403),
    "hosts": (201, 139, 102),
    "bodies and expectations": (180, 98, 161),
    "several requests": (37, 8, 186),
}
"""Of each category: how many entries there are, how many were refused, and how many requests were forwarded."""


def whole(data: bytes) -> Sequence[bytes]:
    """All at once."""
    return [data]


def bytewise(data: bytes) -> Sequence[bytes]:
    """A byte at a time; what is very long, in pieces."""
    step = 1 if len(data) < 2000 else 997
    return [data[at : at + step] for at in range(0, len(data), step)]


class TableTests(SynchronousTestCase):
    maxDiff = None

    def play(self, ground: Ground, split: Split, step: int = 1, early: bool = False) -> dict[str, Played]:
        return {name: ground.play(split(data), early) for name, data in list(ENTRIES.items())[::step]}

    def agree(self, played: dict[str, Played]) -> None:
        wrong = {name: one.disagreements for name, one in played.items() if one.disagreements}
        self.assertEqual(wrong, {})

    def test_nothing_gets_through_in_one_piece(self) -> None:
        played = self.play(Ground(), whole)
        self.agree(played)
        numbers = {category: Counter[str]() for category in CATEGORIES}
        for name, one in played.items():
            numbers[name.partition(":")[0]].update(tried=1, refused=one.refused, forwarded=one.forwarded)
        self.assertEqual({name: (*number.values(),) for name, number in numbers.items()}, TRIED)

    def test_nothing_gets_through_byte_by_byte_and_all_comes_to_the_same(self) -> None:
        ground = Ground()
        for name, data in list(ENTRIES.items())[::2]:
            once, bytes_ = ground.play([data]), ground.play(bytewise(data))
            self.assertEqual(bytes_.disagreements, [], name)
            self.assertEqual((once.refused, once.forwarded), (bytes_.refused, bytes_.forwarded), name)

    def test_nothing_gets_through_cut_by_chance_to_a_service_that_answers_early(self) -> None:
        random = Random(4)
        self.agree(self.play(Ground(), lambda data: mutate.pieces(random, data), 2, early=True))

    def test_nothing_gets_through_to_treq(self) -> None:
        random = Random(5)
        self.agree(self.play(Ground("treq"), lambda data: mutate.pieces(random, data), 2))


class ChanceTests(SynchronousTestCase):
    ground = Ground()

    @settings(deadline=None, max_examples=150)
    @given(request_streams())
    def test_heads_near_the_grammar(self, pieces: list[bytes]) -> None:
        self.assertEqual(self.ground.play(pieces).disagreements, [])

    @settings(deadline=None, max_examples=150)
    @given(st.integers(0, 1 << 32), st.booleans())
    def test_attacks_joined_and_changed(self, seed: int, early: bool) -> None:
        random = Random(seed)
        _, data = mutate.stream(random)
        self.assertEqual(self.ground.play(mutate.pieces(random, data), early).disagreements, [])


class FoundTests(SynchronousTestCase):
    """What was found to be read by the gateway in a way of its own."""

    def refused(self, data: bytes) -> None:
        for split in (whole, bytewise):
            played = Ground().play(split(data))
            self.assertEqual((played.refused, played.forwarded, played.is_closed), (True, 0, True), data)

    def test_requests_of_rtsp_are_none_of_http(self) -> None:
        for first in (b"GET /a RTSP/1.0", b"POST /a RTSP/1.1", b"OPTIONS  *   RTSP/1.0"):
            self.refused(ask(first=first))
        self.refused(b"GET /a RTSP/1.0\r\n\r\n")

    def test_an_absolute_target_does_not_excuse_a_bad_host(self) -> None:
        for host in (b"", b"Host: h i\r\n", b"Host: u@h\r\n", b"Host: h/a\r\n", b"Host: h:x\r\n"):
            self.refused(b"GET http://h/a HTTP/1.1\r\n" + host + b"\r\n")

    def test_the_host_of_an_absolute_target_is_the_one_that_policies_see(self) -> None:
        played = Ground().play([b"GET http://there/a HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n\r\n"])
        self.assertEqual(played.disagreements, [])
        self.assertEqual(played.judged[0].head.get(b"host"), b"there")
        self.assertEqual(played.seen[0].all(b"host"), [b"there"])

    def test_a_host_is_one_name_and_a_port_that_exists(self) -> None:
        for host in (b"h,h", b"h;i", b"h%2fi", b"h%00", b"*", b":80", b"h:65536", b"h:99999", b"h:123456"):
            self.refused(b"GET /a HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")


class OracleTests(SynchronousTestCase):
    """The comparison notices what it is there for."""

    def played(self) -> Played:
        played = Ground().play([ask(b"X: y\r\n" + sized(HIDDEN), HIDDEN) + NEXT])
        self.assertEqual((played.disagreements, played.forwarded), ([], 2))
        return played

    def noticed(self, played: Played, what: str) -> None:
        found = list(compare(played, []))
        self.assertTrue(any(what in one for one in found), found)

    def test_a_request_that_nobody_judged(self) -> None:
        played = self.played()
        played.seen[1].fields = [(b"x-request-id", b"forged")]
        self.noticed(played, "nobody judged")

    def test_a_request_that_was_judged_as_another(self) -> None:
        played = self.played()
        played.seen[0].target = b"/smuggled"
        self.noticed(played, "seen as")

    def test_a_body_that_is_not_the_one_that_was_judged(self) -> None:
        played = self.played()
        played.seen[0].body = HIDDEN[:-1]
        self.noticed(played, "with the body")

    def test_a_field_that_was_not_judged(self) -> None:
        played = self.played()
        played.seen[0].fields.append((b"cookie", b"a"))
        self.noticed(played, "judged with")

    def test_a_field_behind_the_body_that_decides_something(self) -> None:
        played = self.played()
        played.seen[0].trailers.append(b"x_forwarded_for")
        self.noticed(played, "behind the body")

    def test_a_host_that_was_not_judged(self) -> None:
        played = self.played()
        played.seen[0].fields = [field for field in played.seen[0].fields if field[0] != b"host"] + [(b"host", b"i")]
        self.noticed(played, "seen as for")

    def test_requests_in_another_order(self) -> None:
        played = self.played()
        played.seen.reverse()
        self.noticed(played, "another order")

    def test_one_request_seen_twice(self) -> None:
        played = self.played()
        self.noticed(played._replace(seen=[*played.seen, played.seen[0]]), "seen twice")

    def test_an_answer_that_was_split_or_added(self) -> None:
        played = self.played()
        self.noticed(played._replace(received=played.received + played.received), "can't read its answers")
        self.noticed(played._replace(received=played.received.replace(b"Via", b"Via\r\n\r\nVia")), "answer")

    def test_what_the_service_could_not_read(self) -> None:
        self.assertIn("can't read what it got: why", next(compare(self.played(), ["why"])))
