"""What an answer of a name server says: addresses or SRV records, and for how long. No socket, no time passing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any

from twisted.names import dns

Records = tuple[Any, ...]
"""Addresses as text, or `Srv`, in a stable order."""

Key = tuple[str, int]
"""A name in lower case, without the dot of the root, and a type of records."""

A, AAAA, SRV = dns.A, dns.AAAA, dns.SRV

_NO_TTL = 2**31

_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,62}")

_WORDS = {dns.EFORMAT: "FORMERR", dns.ESERVER: "SERVFAIL", dns.ENOTIMP: "NOTIMP", dns.EREFUSED: "REFUSED"}


class LookupFailed(Exception):
    """A question was not answered; the message is part of a sentence that tells why."""


class NoRecords(LookupFailed):
    """A question was answered: the name, or what was asked of it, does not exist."""


@dataclass(frozen=True, slots=True, order=True)
class Srv:
    """One SRV record (RFC 2782). The lowest `priority` is asked first, by `weight`."""

    priority: int
    host: str
    port: int
    weight: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Records, and for how many seconds they hold."""

    records: Records
    ttl_s: float


def check_answer(message: dns.Message, key: Key) -> None:
    """Raise `LookupFailed` for a message that answers another question, or none."""
    about = [(_name(query.name), query.type) for query in message.queries]
    if about != [key]:
        raise LookupFailed("says something about another question")
    if message.rCode not in (dns.OK, dns.ENAME):
        raise LookupFailed(f"says {_WORDS.get(message.rCode, f'error {message.rCode}')}")


def read_answer(message: dns.Message, key: Key) -> Answer:
    """The records that a message has for a name; those of names that it is another name of (CNAME) count.

    The message is one that `check_answer` has passed. Raises `NoRecords`.
    """
    name, kind = key
    if message.rCode == dns.ENAME:
        raise NoRecords(f"there is no name {name} in DNS (/etc/hosts is not looked at)")
    owners = _other_names(message.answers, name)
    found = _answer((header for header in message.answers if _name(header.name) in owners), kind)
    if not found.records and message.trunc:
        raise LookupFailed(f"only a part of an answer about {name} has come")
    if not found.records:
        raise NoRecords(f"{name} has no {dns.QUERY_TYPES[kind]} records")
    return found


def read_more(message: dns.Message) -> dict[Key, Answer]:
    """The addresses that come along with SRV records, by name (RFC 2782: additional data)."""
    by_name: dict[Key, list[Any]] = {}
    for header in message.additional:
        if header.type in (A, AAAA):
            by_name.setdefault((_name(header.name), header.type), []).append(header)
    return {key: answer for key, headers in by_name.items() if (answer := _answer(headers, key[1])).records}


def _other_names(headers: Iterable[Any], name: str) -> set[str]:
    """A name and those that it is another name of, as a chain of CNAME records says."""
    leads = {_name(header.name): _name(header.payload.name) for header in headers if header.type == dns.CNAME}
    names = {name}
    while (name := leads.get(name, name)) not in names:
        names.add(name)
    return names


def _answer(headers: Iterable[Any], kind: int) -> Answer:
    counted = [header for header in headers if header.type in (kind, dns.CNAME)]
    found = {_READ[kind](header.payload) for header in counted if header.type == kind}
    # RFC 2181 §8: a time that is too large to be one is none.
    ttls = [header.ttl if header.ttl < _NO_TTL else 0 for header in counted]
    return Answer(tuple(sorted(one for one in found if one is not None)), min(ttls, default=0))


def _name(name: dns.Name) -> str:
    return bytes(name.name).decode("ascii", "replace").lower().rstrip(".")


def _srv(payload: dns.Record_SRV) -> Srv | None:
    """None for what is no host: that is how a domain says that it has no such service (RFC 2782)."""
    host = _name(payload.target)
    if not _HOST.fullmatch(host) or not payload.port:
        return None
    return Srv(payload.priority, host, payload.port, payload.weight)


_READ: dict[int, Any] = {
    A: lambda payload: inet_ntop(AF_INET, payload.address),
    AAAA: lambda payload: inet_ntop(AF_INET6, payload.address),
    SRV: _srv,
}
"""What a record of some type is to us."""
