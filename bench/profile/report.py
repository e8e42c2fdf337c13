"""A profile as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from bench.profile.layers import Seen, seen
from bench.profile.native import MISSING, by_object, perf
from bench.profile.run import Profile
from bench.profile.system_calls import Call
from bench.tables import number, terminal

LINES = 25
"""How many functions are shown."""

LEAST = 0.001
"""Shared objects with a smaller share are not shown."""

OTHER_THREADS = "other threads: the access log's file"


def shown(made: Profile, lines: int = LINES) -> str:
    """All of it."""
    found = seen(made.stacks)
    parts = (
        _summary(made),
        _layers(made, found),
        _most(made, found, found.modules, "by module", lines),
        _functions(made, found, lines),
        _calls(made),
        _native(made, lines),
    )
    return "\n\n".join(parts)


def _per_exchange(made: Profile, seconds: float) -> float:
    return seconds / max(1, made.plain.answers.whole) * 1e6


def _summary(made: Profile) -> str:
    plain, sampled = made.plain, made.sampled
    slower = sampled.cost_us / plain.cost_us - 1
    user, system = _per_exchange(made, plain.user_s), _per_exchange(made, plain.system_s)
    return (
        f"{number(plain.per_second)} exchanges a second, {number(plain.cost_us)} µs of processor time each:"
        f" {number(user)} user + {number(system)} system, as the kernel splits it\n"
        f"{made.looks} looks at the main thread while {sampled.answers.whole} exchanges went by;"
        f" looking made them {slower:+.0%} dearer. Shares are of what was seen, µs are those of the undisturbed turn."
    )


def _main_us(made: Profile) -> float:
    return _per_exchange(made, made.threads["main"])


def _line(made: Profile, found: Seen, seconds: float) -> list[str]:
    share = seconds / found.total if found.total else 0.0
    return [f"{share:.1%}", number(share * _main_us(made))]


def _layers(made: Profile, found: Seen) -> str:
    rows = [["by layer", "share", "µs each"]]
    for name, seconds in sorted(found.layers.items(), key=lambda pair: -pair[1]):
        rows.append([name, *_line(made, found, seconds)])
    rows.append(["the main thread", "100.0%", number(_main_us(made))])
    rows.append([OTHER_THREADS, "", number(_per_exchange(made, made.threads["others"]))])
    return terminal(rows)


def _most(made: Profile, found: Seen, seconds: Mapping[str, float], title: str, lines: int) -> str:
    most = sorted(seconds.items(), key=lambda pair: -pair[1])[:lines]
    return terminal([[title, "share", "µs each"], *([name, *_line(made, found, some)] for name, some in most)])


def _functions(made: Profile, found: Seen, lines: int) -> str:
    rows = [["by function", "share", "µs each", "with calls", "µs each"]]
    most = sorted(found.functions.items(), key=lambda pair: -pair[1])[:lines]
    rows += [[name, *_line(made, found, some), *_line(made, found, found.with_calls[name])] for name, some in most]
    return terminal(rows)


def _native(made: Profile, lines: int) -> str:
    if not made.symbols:
        return "nothing of machine code: perf may not look here" if perf() else f"nothing of machine code: {MISSING}"
    rows = [["in machine code", "share", "µs each"]]
    rows += [_shared(made, name, share) for name, share in by_object(made.symbols).items() if share >= LEAST]
    rows += [["", "", ""]]
    rows += [_shared(made, f"{one.name} ({one.where})", one.share) for one in made.symbols[:lines]]
    return terminal(rows)


def _shared(made: Profile, name: str, share: float) -> list[str]:
    return [name, f"{share:.1%}", number(share * made.plain.cost_us)]


def _calls(made: Profile) -> str:
    if made.uncounted:
        return f"no count of system calls: {made.uncounted}"
    rows = [["system calls", "per exchange", "failed", "µs each exchange"]]
    for call in sorted(made.calls, key=lambda one: -one.count):
        rows.append(_call(call, made.exchanges))
    rows.append(["all", *_call(_sum(made.calls), made.exchanges)[1:]])
    note = (
        f"counted over {made.exchanges} exchanges; tracing slows all down, so that more arrives together than usual:"
        "\nthe times show which calls are dear, not how dear they are; the first table has that as `kernel`."
        " futex is a thread that waits."
    )
    return f"{terminal(rows)}\n{note}"


def _call(call: Call, exchanges: int) -> list[str]:
    each = max(1, exchanges)
    return [call.name, f"{call.count / each:.3f}", f"{call.failed / each:.3f}", f"{call.seconds / each * 1e6:.2f}"]


def _sum(calls: list[Call]) -> Call:
    return Call("all", sum(c.count for c in calls), sum(c.failed for c in calls), sum(c.seconds for c in calls))
