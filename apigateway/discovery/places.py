"""From names to the places behind them: each address of a name, or those of the hosts that SRV records tell.

Knows answers, not how they come about, and no targets: what a place becomes is for others to say.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from twisted.internet.defer import Deferred, DeferredList

from apigateway.discovery.answers import AAAA, SRV, A, LookupFailed, NoRecords, Srv
from apigateway.discovery.names import Known, Names

FAMILIES: dict[str, tuple[tuple[int, ...], ...]] = {
    "auto": ((A,), (AAAA,)),
    "ipv4": ((A,),),
    "ipv6": ((AAAA,),),
    "both": ((A, AAAA),),
}
"""Which records count, by word: those of a further group only where the one before has none."""

MOST_PLACES = 500
"""More places of one service are not used. Messages with many more names can't be read (twisted.names)."""

MOST_WEIGHT = 1000
"""The largest weight of a target; SRV records have larger ones."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address and a port, the name that led there, and its weight from 1 to `MOST_WEIGHT`."""

    host: str
    port: int
    address: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """Places in a stable order, until when they hold, and why they are not all that was wanted, if so."""

    places: tuple[Place, ...]
    until: float
    error: str = ""


Look = Callable[[], Coroutine[Deferred[Any], Any, Found]]
"""Finds places. Raises `NoRecords` where there are none, or another `LookupFailed`."""


def by_name(names: Names, host: str, port: int, family: str) -> Look:
    """A look for the addresses of one name."""

    async def look() -> Found:
        known = await addresses(names, host, family)
        return _found([Place(host, port, address) for address in known.records], [known])

    return look


def by_service(names: Names, name: str, family: str) -> Look:
    """A look for the hosts of SRV records (RFC 2782), those of the lowest priority of which one has an address."""

    async def look() -> Found:
        known = await names.look(name, SRV)
        errors: list[LookupFailed] = []
        for records in by_priority(known.records[:MOST_PLACES]):
            hosts = sorted({record.host for record in records})
            found, failed = await _all([addresses(names, host, family) for host in hosts])
            errors += failed
            if any(found):
                pairs = zip(hosts, found, strict=True)
                by_host = {host: one.records for host, one in pairs if one is not None}
                told = [known, *(one for one in found if one is not None)]
                return _found(places_of(records, by_host), told, errors)
        raise _worst(errors)

    return look


def by_priority(records: Sequence[Srv]) -> list[list[Srv]]:
    """Records of the same priority together, the lowest number first."""
    return [list(group) for _, group in groupby(sorted(records), key=lambda record: record.priority)]


def places_of(records: Iterable[Srv], addresses: dict[str, tuple[str, ...]]) -> list[Place]:
    """Each address of each record's host, with the record's weight; where several lead to one, it has all of theirs."""
    records = list(records)
    weights = dict(zip(records, fitting_weights([record.weight for record in records]), strict=True))
    merged: dict[tuple[str, int], Place] = {}
    for record in records:
        for address in addresses.get(record.host, ()):
            before = merged.get((address, record.port))
            weight = weights[record] + (before.weight if before else 0)
            host = before.host if before else record.host
            merged[address, record.port] = Place(host, record.port, address, min(weight, MOST_WEIGHT))
    return list(merged.values())


def fitting_weights(weights: Sequence[int]) -> list[int]:
    """Weights from 0 to 65535 as weights from 1 to `MOST_WEIGHT`, in the same proportion as far as that goes.

    All are halved until they fit, so that a newcomer seldom changes those of the others. RFC 2782 has 0 mean a very
    small share: it is the smallest here.
    """
    shift = 0
    while max(weights, default=0) >> shift > MOST_WEIGHT:
        shift += 1
    return [max(1, weight >> shift) for weight in weights]


async def addresses(names: Names, host: str, family: str) -> Known:
    """The addresses of a name. Raises as a `Look`."""
    errors: list[LookupFailed] = []
    for kinds in FAMILIES[family]:
        found, failed = await _all([names.look(host, kind) for kind in kinds])
        known = [one for one in found if one is not None]
        errors += failed
        if known:
            records = tuple(record for one in known for record in one.records)
            return Known(records, min(one.until for one in known), _reason([one.error for one in known], errors))
        if not all(isinstance(error, NoRecords) for error in failed):
            break
    raise _worst(errors)


async def _all(looks: Sequence[Coroutine[Any, Any, Known]]) -> tuple[list[Known | None], list[LookupFailed]]:
    """What came of each look, None for one that failed, and the failures."""
    results: list[Any] = await DeferredList([Deferred.fromCoroutine(look) for look in looks], consumeErrors=True)
    failures = [failure for is_good, failure in results if not is_good]
    for failure in failures:
        failure.trap(LookupFailed)
    return [known if is_good else None for is_good, known in results], [failure.value for failure in failures]


def _worst(errors: Sequence[LookupFailed]) -> LookupFailed:
    """The error that stands for all: that there is nothing is only sure where nobody failed to say so."""
    unsure = [error for error in errors if not isinstance(error, NoRecords)]
    return (unsure or list(errors) or [NoRecords("there is no such service")])[0]


def _reason(told: Iterable[str], errors: Iterable[LookupFailed]) -> str:
    """Why something is missing or old; that one of several has no records is no reason."""
    failed = [str(error) for error in errors if not isinstance(error, NoRecords)]
    return next((reason for reason in (*told, *failed) if reason), "")


def _found(places: list[Place], told: Sequence[Known], errors: Sequence[LookupFailed] = ()) -> Found:
    ordered = tuple(sorted(places, key=lambda place: (place.host, place.port, place.address)))
    error = _reason([one.error for one in told], errors)
    if len(ordered) > MOST_PLACES:
        error = error or f"{len(ordered)} were found; only the first {MOST_PLACES} are used"
    return Found(ordered[:MOST_PLACES], min(one.until for one in told), error)
