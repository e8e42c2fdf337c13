"""Field lines: the same fields as bytes and as pairs, and one of them found by its name."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.lines import find_value, join_lines, lines_named, lines_spelled, split_lines
from tests.http.messages import Pairs, lines, names, plain_fields, values


class PairsTests(SynchronousTestCase):
    def test_lines_are_pairs_in_their_order_spelling_and_repetition(self) -> None:
        pairs = [(b"x-B", b"1"), (b"Cookie", b"a=1; b=2"), (b"X-b", b""), (b"T", b"12:30:05"), (b"Cookie", b"\xe9\t!")]
        written = b"x-B: 1\r\nCookie: a=1; b=2\r\nX-b: \r\nT: 12:30:05\r\nCookie: \xe9\t!\r\n"
        self.assertEqual(split_lines(written), pairs)
        self.assertEqual(join_lines(pairs), written)

    def test_no_fields_are_no_lines(self) -> None:
        self.assertEqual((split_lines(b""), join_lines([])), ([], b""))

    def test_space_before_a_value_is_no_part_of_it(self) -> None:
        self.assertEqual(split_lines(b"A:b\r\nC: \t d\r\nE: \t\r\n"), [(b"A", b"b"), (b"C", b"d"), (b"E", b"")])

    def test_any_iterable_of_pairs_is_taken(self) -> None:
        self.assertEqual(join_lines(pair for pair in ((b"A", b"b"), (b"C", b"d"))), b"A: b\r\nC: d\r\n")

    @settings(deadline=None)
    @given(plain_fields)
    def test_pairs_come_back_from_lines(self, pairs: Pairs) -> None:
        self.assertEqual(join_lines(pairs), lines(pairs))
        self.assertEqual(split_lines(join_lines(pairs)), pairs)

    @settings(deadline=None)
    @given(plain_fields, plain_fields)
    def test_lines_after_lines_are_all_the_fields(self, some: Pairs, more: Pairs) -> None:
        self.assertEqual(split_lines(join_lines(some) + join_lines(more)), some + more)


class NamedTests(SynchronousTestCase):
    def test_the_lines_of_some_names_can_be_taken_out(self) -> None:
        remove = lines_named([b"server", b"x-a.b"]).sub
        given = (
            b"sErVeR: a\r\nServer-X: b\r\nX-Server: c\r\nD: Server: e\r\nX-A.B: f\r\nX-AxB: g\r\nserver:h\r\nI: j\r\n"
        )
        left = b"Server-X: b\r\nX-Server: c\r\nD: Server: e\r\nX-AxB: g\r\nI: j\r\n"
        self.assertEqual((remove(b"", given), remove(b"", b"")), (left, b""))

    def test_also_in_spellings_that_services_may_take_for_them(self) -> None:
        remove = lines_spelled([b"X-A-B"]).sub
        given = b"x-a-b: 1\r\nX_A-b: 2\r\nX_A_B : 3\r\nXAB: 4\r\nX-A-B2: 5\r\nC: X-A-B: 6\r\nX_A_B:7\r\n"
        self.assertEqual(remove(b"", given), b"XAB: 4\r\nX-A-B2: 5\r\nC: X-A-B: 6\r\n")

    @settings(deadline=None)
    @given(plain_fields, st.lists(names, min_size=1, max_size=3))
    def test_it_is_what_a_look_at_every_pair_leaves(self, pairs: Pairs, gone: list[bytes]) -> None:
        for unwanted in (gone, [*gone, *(name for name, _ in pairs[:2])]):
            lower = [name.lower() for name in unwanted]
            left = [field for field in pairs if field[0].lower() not in lower]
            self.assertEqual(lines_named(unwanted).sub(b"", join_lines(pairs)), join_lines(left))


class FindingTests(SynchronousTestCase):
    def test_a_value_is_found_whatever_the_spelling_of_its_name(self) -> None:
        for name in (b"user-agent", b"User-Agent", b"USER-agent"):
            for written in (b"user-agent", b"uSER-aGENT"):
                self.assertEqual(find_value(b"A: b\r\n%b: curl\r\nC: d\r\n" % written, name), b"curl")

    def test_the_first_of_several_is_taken_without_the_space_around_it(self) -> None:
        self.assertEqual(find_value(b"A: \t 1 x \t\r\na: 2\r\n", b"a"), b"1 x")
        self.assertEqual(find_value(b"A: \r\nA: 2\r\n", b"a"), b"")

    def test_what_only_looks_like_the_name_is_not_it(self) -> None:
        for written in (b"", b"X-A: 1\r\n", b"A-X: 1\r\n", b"B: A: 1\r\n", b"B: \ta: 1\r\n", b"AA: 1\r\n", b"B: A\r\n"):
            self.assertIsNone(find_value(written, b"a"), written)

    def test_a_name_means_nothing_but_itself(self) -> None:
        self.assertIsNone(find_value(b"axb: 1\r\n", b"a.b"))
        self.assertEqual(find_value(b"a.*+^|b: 1\r\n", b"a.*+^|b"), b"1")

    @settings(deadline=None)
    @given(plain_fields, st.one_of(names, st.sampled_from((b"x-a", b"x-"))))
    def test_it_is_what_a_look_at_every_pair_finds(self, pairs: Pairs, name: bytes) -> None:
        for wanted in (name, *(key for key, _ in pairs)):
            found = [value for key, value in pairs if key.lower() == wanted.lower()]
            self.assertEqual(find_value(join_lines(pairs), wanted), found[0] if found else None)

    @settings(deadline=None)
    @given(names, values, st.sampled_from((b"", b" ", b"\t", b"  \t ")))
    def test_space_after_a_value_is_no_part_of_it(self, name: bytes, value: bytes, space: bytes) -> None:
        self.assertEqual(find_value(b"%b:%b%b%b\r\n" % (name, space, value, space), name), value)
