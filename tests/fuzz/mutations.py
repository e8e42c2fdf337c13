"""Inputs near those that are there: bytes changed at random, and pieces of the target's own language moved about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

_ODD = b"\0\t\n\r \"#%&',-./0:;<=?@[\\]_{|}\x7f\x80\xff"
_NUMBERS = (b"0", b"-1", b"1", b"00", b"9" * 19, b"18446744073709551616", b"0x10", b"1e9", b"65536", b"2147483648")


class Mutator:
    """Changes inputs. `tokens` are inserted and put in place of each other; `corpus` is what pieces are taken from."""

    def __init__(self, tokens: Sequence[bytes], corpus: Sequence[bytes], most: int, random: Random) -> None:
        self._tokens = tokens or (b"",)
        self._corpus = corpus or (b"",)
        self._most = most
        self._random = random
        self._ways: tuple[Callable[[bytes], bytes], ...] = (
            self._insert_token, self._insert_token, self._replace_token, self._odd_byte, self._any_byte, self._cut,
            self._repeat, self._splice, self._lines, self._number,
        )  # fmt: skip

    def mutated(self, data: bytes) -> bytes:
        """The input with a few changes."""
        for _ in range(self._random.choice((1, 1, 2, 3, 5, 8))):
            data = self._random.choice(self._ways)(data)
        return data[: self._most]

    def made(self) -> bytes:
        """A new input, made from one of the corpus."""
        return self.mutated(self._random.choice(self._corpus))

    def _at(self, data: bytes) -> int:
        return self._random.randint(0, len(data))

    def _span(self, data: bytes, most: int = 40) -> tuple[int, int]:
        start = self._at(data)
        return start, min(len(data), start + self._random.randint(1, most))

    def _insert_token(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + self._random.choice(self._tokens) + data[at:]

    def _replace_token(self, data: bytes) -> bytes:
        present = [token for token in self._tokens if token and token in data]
        if not present:
            return self._insert_token(data)
        token = self._random.choice(present)
        places = data.split(token)
        at = self._random.randint(1, len(places) - 1)
        return token.join(places[:at]) + self._random.choice(self._tokens) + token.join(places[at:])

    def _odd_byte(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + bytes((self._random.choice(_ODD),)) + data[at + self._random.randint(0, 1) :]

    def _any_byte(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + bytes((self._random.randrange(256),)) + data[at + self._random.randint(0, 1) :]

    def _cut(self, data: bytes) -> bytes:
        start, end = self._span(data)
        return data[:start] + data[end:]

    def _repeat(self, data: bytes) -> bytes:
        start, end = self._span(data)
        return data[:end] + data[start:end] * self._random.choice((1, 1, 1, 2, 10, 100)) + data[end:]

    def _splice(self, data: bytes) -> bytes:
        other = self._random.choice(self._corpus)
        start, end = self._span(other, max(1, len(other)))
        at = self._at(data)
        return data[:at] + other[start:end] + data[at + self._random.choice((0, end - start)) :]

    def _lines(self, data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        if len(lines) > 1:
            one, other = self._random.randrange(len(lines)), self._random.randrange(len(lines))
            lines[one], lines[other] = self._random.choice(((lines[other], lines[one]), (lines[other], lines[other])))
        return b"".join(lines)

    def _number(self, data: bytes) -> bytes:
        at = next((at for at in range(self._at(data), len(data)) if data[at : at + 1].isdigit()), None)
        return data if at is None else data[:at] + self._random.choice(_NUMBERS) + data[at + 1 :]
