"""The four ways through the gateway, what each of them cannot do, and how a test is run over all of them.

`CANNOT` is the one table. A test that says `needs("trailers")` runs where trailers can pass, one that says
`lacks("trailers")` runs where they can't and shows what happens instead; `test_combinations` holds that both exist.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any, NamedTuple, TypeVar

CHANNEL, STOCK, TLS = "channel", "stock", "tls"
"""The client's side: our own `Http1Channel`, or a stock twisted.web `Site` over the same resource tree; or the channel
behind TLS, for tests where that could matter."""

NATIVE, TREQ = "native", "treq"
"""The service's side: `transport: native` or `transport: treq`."""

CANNOT: dict[str, tuple[str, ...]] = {
    # What twisted.web's server and Twisted's client both lose.
    "trailers": (STOCK, TREQ),
    # A stock Site hands a request on when all of its body is there, and says "100 Continue" before anybody is asked.
    "streamed uploads": (STOCK,),
    "continue after admission": (STOCK,),
    # A stock Request has no way to send 1xx answers.
    "interim answers": (STOCK,),
    # A stock Site reads heads by its own rules, refuses in its own words, or just closes.
    "refusals of malformed heads": (STOCK,),
    "limits on heads": (STOCK,),
    "limits on connections": (STOCK,),
    "several options in Connection": (STOCK,),
    "absolute form": (STOCK,),
    "asterisk form": (STOCK,),
    "kept connections in HTTP/1.0": (STOCK,),
    "spelling of field names": (STOCK,),
    # Its tree is walked segment by segment with each decoded on its own, and what it finds nothing for is its own page.
    "paths decoded before routing": (STOCK,),
    "problems where no route is": (STOCK,),
    # It goes on with pipelined requests while the client reads none of the answers.
    "pipelined requests held back": (STOCK,),
    # Its connections have one time limit of their own, and know nothing of the gateway's stop.
    "time limits of clients": (STOCK,),
    "connections that end with the stop": (STOCK,),
    # Twisted's pool takes the oldest idle connection, and reads no header line above 16 KiB.
    "newest idle connection first": (TREQ,),
    "long answer fields": (TREQ,),
    # It hands a request on when all of its body is there.
    "both bodies at once": (STOCK,),
    # Neither twisted.web's requests nor Twisted's client give a connection away after a 101.
    "another protocol": (STOCK, TREQ),
}
"""What cannot be done → by which ends."""

Test = TypeVar("Test", bound=Callable[..., Awaitable[None]])
Case = TypeVar("Case", bound=type)

NEEDED: set[str] = set()
LACKED: set[str] = set()
"""What tests said they need, and said they lack."""


class Combination(NamedTuple):
    """One way through the gateway."""

    downstream: str
    upstream: str

    def __str__(self) -> str:
        return f"{self.downstream}_{self.upstream}"

    def can(self, what: str) -> bool:
        """Whether both ends can do it."""
        return self.downstream not in CANNOT[what] and self.upstream not in CANNOT[what]


COMBINATIONS = tuple(Combination(*ends) for ends in product((CHANNEL, STOCK), (NATIVE, TREQ)))
OVER_TLS = Combination(TLS, NATIVE)


def needs(*what: str) -> Callable[[Test], Test]:
    """Run a test only where all of `what` can be done."""
    NEEDED.update(what)
    return _where(lambda via: all(via.can(one) for one in what))


def lacks(*what: str) -> Callable[[Test], Test]:
    """Run a test only where something of `what` can't be done, to show what happens then."""
    LACKED.update(what)
    return _where(lambda via: not all(via.can(one) for one in what))


def only(*ends: str) -> Callable[[Test], Test]:
    """Run a test only over combinations with one of these ends, where it is about that end."""
    return _where(lambda via: via.downstream in ends or via.upstream in ends)


def _where(applies: Callable[[Combination], bool]) -> Callable[[Test], Test]:
    def mark(test: Test) -> Test:
        conditions = getattr(test, "conditions", ())
        test.conditions = (*conditions, applies)  # type: ignore[attr-defined]  # a mark on a plain function
        return test

    return mark


def over_all_combinations(case: Case) -> Case:
    """Make of each test, which takes a `Combination`, one test for each combination that it applies to."""
    return _over(COMBINATIONS, case)


def over_tls_too(case: Case) -> Case:
    """As `over_all_combinations`, and over TLS: for what is about bytes on the wire, their pace and their end."""
    return _over((*COMBINATIONS, OVER_TLS), case)


def _over(combinations: tuple[Combination, ...], case: Case) -> Case:
    for name, test in list(vars(case).items()):
        if name.startswith("test_"):
            delattr(case, name)
            for via in combinations:
                if all(applies(via) for applies in getattr(test, "conditions", ())):
                    setattr(case, f"{name}__{via}", _through(test, via))
    return case


def _through(test: Callable[..., Awaitable[None]], via: Combination) -> Callable[[Any], Awaitable[None]]:
    async def run(self: Any) -> None:
        await test(self, via)

    run.__doc__ = test.__doc__
    return run
