"""Whatever services answer: nobody gets what was not for him, and every client gets what it can read in one way."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.http.near import Answers, response_streams
from tests.smuggling import mutate
from tests.smuggling.betrayal import Split, Stage, Told, may_be_reused
from tests.smuggling.requests import PIECES
from tests.smuggling.responses import CATEGORIES, HONEST, POISON, Lie, answer, sized
from tests.smuggling.test_requests import bytewise, whole

ENTRIES = {f"{category}: {name}": lie for category, family in CATEGORIES.items() for name, lie in family.items()}


class TableTests(SynchronousTestCase):
    maxDiff = None

    def tell(self, stage: Stage, split: Split, step: int = 1) -> dict[str, Told]:
        return {name: stage.tell(lie, split) for name, lie in list(ENTRIES.items())[::step]}

    def nobody_is_betrayed(self, told: dict[str, Told]) -> None:
        self.assertEqual({name: one.disagreements for name, one in told.items() if one.disagreements}, {})

    def test_lies_told_at_once(self) -> None:
        told = self.tell(Stage(), whole)
        self.nobody_is_betrayed(told)
        self.assertGreater(sum(one.refused for one in told.values()), len(told) / 2)

    def test_lies_told_byte_by_byte(self) -> None:
        self.nobody_is_betrayed(self.tell(Stage(), bytewise, step=3))

    def test_lies_told_to_treq_in_pieces_cut_by_chance(self) -> None:
        random = Random(6)
        self.nobody_is_betrayed(self.tell(Stage("treq"), lambda data: mutate.pieces(random, data), step=2))

    def test_honest_answers_arrive_and_their_connections_are_used_again(self) -> None:
        for transport in ("native", "treq"):
            stage = Stage(transport)
            for split in (whole, bytewise):
                for name, lie in HONEST.items():
                    told = stage.tell(lie, split)
                    self.assertEqual((told.disagreements, told.refused, told.reused), ([], False, True), name)


class ChanceTests(SynchronousTestCase):
    stage = Stage()

    @settings(deadline=None, max_examples=100)
    @given(response_streams())
    def test_answers_near_the_grammar(self, answers: Answers) -> None:
        for is_head, pieces in answers:
            lie = Lie(b"".join(pieces), b"HEAD" if is_head else b"GET")
            told = self.stage.tell(lie, lambda data, pieces=pieces: pieces)  # type: ignore[misc]  # bound to this turn
            self.assertEqual(told.disagreements, [], lie)

    @settings(deadline=None, max_examples=100)
    @given(st.integers(0, 1 << 32))
    def test_lies_changed(self, seed: int) -> None:
        random = Random(seed)
        _, lie = mutate.lie(random)
        self.assertEqual(self.stage.tell(lie, lambda data: mutate.pieces(random, data)).disagreements, [], lie)


class FoundTests(SynchronousTestCase):
    """What was found to poison, or to be read by the gateway in a way of its own."""

    def is_harmless(self, lie: Lie, refused: bool) -> None:
        for transport in ("native", "treq"):
            for split in (whole, bytewise):
                told = Stage(transport).tell(lie, split)
                self.assertEqual((told.disagreements, told.reused, told.refused), ([], False, refused), transport)

    def test_a_body_to_head_that_comes_with_the_next_request(self) -> None:
        self.is_harmless(Lie(answer(b"Content-Length: 44\r\n"), b"HEAD", next=POISON), refused=False)
        self.is_harmless(Lie(answer(PIECES), b"HEAD", next=POISON), refused=False)

    def test_a_body_of_304_that_comes_with_the_next_request(self) -> None:
        unmodified = answer(b"Content-Length: 44\r\n", first=b"HTTP/1.1 304 Not Modified")
        self.is_harmless(Lie(unmodified, next=POISON), refused=False)

    def test_a_coding_with_a_tab_behind_it(self) -> None:
        self.is_harmless(Lie(answer(b"Transfer-Encoding: chunked\t\r\n", b"0\r\n\r\n")), refused=True)

    def test_an_answer_of_1_0_that_only_a_field_of_nobody_keeps(self) -> None:
        for line in (b"Proxy-Connection: keep-alive\r\n", b"Connection: keep-alive, close\r\n"):
            lie = Lie(answer(line + b"Content-Length: 6\r\n", b"honest", b"HTTP/1.0 200 OK"))
            self.is_harmless(lie, refused=False)

    def test_interim_answers_without_end_however_slowly_they_come(self) -> None:
        self.is_harmless(Lie(b"HTTP/1.1 102 Wait\r\n\r\n" * 150 + sized()), refused=True)

    def test_answers_of_other_protocols(self) -> None:
        self.is_harmless(Lie(sized(first=b"RTSP/1.0 200 OK")), refused=True)
        self.is_harmless(Lie(sized(first=b"ICE/1.0 200 OK")), refused=True)

    def test_framing_fields_behind_a_body(self) -> None:
        self.is_harmless(Lie(answer(PIECES, b"0\r\nTransfer-Encoding: identity\r\n\r\n")), refused=True)

    def test_control_bytes_in_the_status_line_of_an_interim_answer(self) -> None:
        self.is_harmless(Lie(b"HTTP/1.1 103 Hi\0nts\r\n\r\n" + sized()), refused=True)


class OracleTests(SynchronousTestCase):
    def test_it_knows_after_which_answers_a_connection_is_good(self) -> None:
        self.assertEqual([name for name, lie in HONEST.items() if not may_be_reused(lie)], [])
        for lie in (
            Lie(sized() + POISON),
            Lie(sized(), later=POISON),
            Lie(answer(b"Content-Length: 44\r\n"), b"HEAD"),
            Lie(sized(first=b"garbage")),
            Lie(answer(b"Connection: close\r\nContent-Length: 6\r\n", b"honest")),
        ):
            self.assertFalse(may_be_reused(lie), lie)

    def test_it_notices_a_service_that_betrays_the_next_client(self) -> None:
        stage = Stage()
        stage.liar.poisons = True
        told = stage.tell(HONEST["an answer"])
        self.assertTrue(any("betrayed" in one for one in told.disagreements), told.disagreements)
