"""Durations, sizes and shares as people write them. Knows no keys."""

from __future__ import annotations

from decimal import Decimal

DURATION_PATTERN = r"[0-9]{1,12}(\.[0-9]{1,6})?(ms|s|m|h)?"
SHARE_PATTERN = r"[0-9]{1,3}(\.[0-9]{1,6})?%?"
SIZE_PATTERN = r"[0-9]{1,15}(\.[0-9]{1,6})?(B|kB|KB|MB|GB|KiB|MiB|GiB)?"

_MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1, "": 1000}
_BYTES = {
    "GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "GB": 10**9, "MB": 10**6, "kB": 1000, "KB": 1000, "B": 1, "": 1,
}  # fmt: skip


def _scaled(text: str, factors: dict[str, int]) -> Decimal:
    number = text.rstrip("BGKMikhms")
    return Decimal(number) * factors[text[len(number) :]]


def seconds(text: str) -> float:
    """The seconds of a text that matches `DURATION_PATTERN`; a bare number is seconds."""
    return float(_scaled(text, _MILLISECONDS) / 1000)


def octets(text: str) -> int:
    """The bytes of a text that matches `SIZE_PATTERN`; `ValueError` where they are not whole."""
    size = _scaled(text, _BYTES)
    if size != int(size):
        raise ValueError(text)
    return int(size)


def duration_text(value: float) -> str:
    """The shortest text of a duration, to the millisecond."""
    milliseconds = round(value * 1000)
    unit = next(unit for unit, factor in _MILLISECONDS.items() if milliseconds % factor == 0)
    return f"{milliseconds // _MILLISECONDS[unit]}{unit}" if milliseconds else "0s"


def size_text(value: int) -> str | int:
    """A size in the largest binary unit that holds it exactly; without one, plain bytes."""
    unit = next((unit for unit in ("GiB", "MiB", "KiB") if value and value % _BYTES[unit] == 0), "")
    return f"{value // _BYTES[unit]}{unit}" if unit else value


def part(text: str) -> float:
    """The part of one that a text says which matches `SHARE_PATTERN`; a bare number is such a part already."""
    return float(Decimal(text[:-1]) / 100 if text.endswith("%") else Decimal(text))


def share_text(value: float) -> str:
    """A part of one in percent."""
    return f"{value * 100:.6f}".rstrip("0").rstrip(".") + "%"
