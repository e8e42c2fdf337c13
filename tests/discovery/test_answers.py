"""What messages of name servers say."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from apigateway.discovery.answers import (
    AAAA,
    SRV,
    A,
    Answer,
    LookupFailed,
    NoRecords,
    Srv,
    check_answer,
    read_answer,
    read_more,
)


def message(*headers: dns.RRHeader, code: int = dns.OK, name: str = "a.b", kind: int = A) -> dns.Message:
    """An answer to a question, after a way over the wire."""
    made = dns.Message(1, answer=1, maxSize=0)
    made.rCode = code
    made.queries = [dns.Query(name, kind)]
    made.answers = list(headers)
    read = dns.Message()
    read.fromStr(made.toStr())
    return read


def srv(host: str, port: int = 80, priority: int = 0, weight: int = 0, ttl: int = 30) -> dns.RRHeader:
    return dns.RRHeader("a.b", SRV, ttl=ttl, payload=dns.Record_SRV(priority, weight, port, host))


def address(text: str, ttl: int = 30, name: str = "a.b") -> dns.RRHeader:
    record = dns.Record_AAAA(text) if ":" in text else dns.Record_A(text)
    return dns.RRHeader(name, record.TYPE, ttl=ttl, payload=record)


class ReadTests(SynchronousTestCase):
    def test_addresses_are_told_in_order_each_once_and_for_the_shortest_of_their_times(self) -> None:
        told = message(address("10.0.0.2", 9), address("10.0.0.1", 5), address("10.0.0.2", 7))
        self.assertEqual(read_answer(told, ("a.b", A)), Answer(("10.0.0.1", "10.0.0.2"), 5))
        told = message(address("2001:db8::1"), kind=AAAA)
        self.assertEqual(read_answer(told, ("a.b", AAAA)), Answer(("2001:db8::1",), 30))

    def test_another_name_on_the_way_bounds_the_time_as_well(self) -> None:
        alias = dns.RRHeader("a.b", dns.CNAME, ttl=3, payload=dns.Record_CNAME("c.d"))
        self.assertEqual(read_answer(message(alias, address("10.0.0.1", name="c.d")), ("a.b", A)).ttl_s, 3)

    def test_what_is_said_of_names_that_nobody_asked_for_is_not_heard(self) -> None:
        aliases = [dns.RRHeader(name, dns.CNAME, ttl=9, payload=dns.Record_CNAME(to))
                   for name, to in (("c.d", "E.f"), ("A.b", "c.d"), ("x.y", "a.b"))]  # fmt: skip
        told = message(address("10.0.0.9", 1, "x.y"), *aliases, address("10.0.0.1", 8, "e.f"))
        self.assertEqual(read_answer(told, ("a.b", A)), Answer(("10.0.0.1",), 8))
        with self.assertRaises(NoRecords):
            read_answer(message(address("10.0.0.9", name="x.y")), ("a.b", A))

    def test_names_that_are_names_of_each_other_lead_nowhere(self) -> None:
        aliases = [dns.RRHeader(name, dns.CNAME, payload=dns.Record_CNAME(to))
                   for name, to in (("a.b", "c.d"), ("c.d", "a.b"))]  # fmt: skip
        with self.assertRaises(NoRecords):
            read_answer(message(*aliases), ("a.b", A))

    def test_a_part_of_an_answer_does_not_say_that_there_is_nothing(self) -> None:
        part = message()
        part.trunc = 1
        with self.assertRaisesRegex(LookupFailed, "only a part of an answer") as caught:
            read_answer(part, ("a.b", A))
        self.assertNotIsInstance(caught.exception, NoRecords)

    def test_a_time_too_long_to_be_one_is_none(self) -> None:
        self.assertEqual(read_answer(message(address("10.0.0.1", 2**31)), ("a.b", A)).ttl_s, 0)

    def test_srv_records_tell_host_port_priority_and_weight(self) -> None:
        told = message(srv("B.c.", 81, 1, 5), srv("a.c", 80, 1, 7), kind=SRV)
        found = read_answer(told, ("a.b", SRV))
        self.assertEqual(found.records, (Srv(1, "a.c", 80, 7), Srv(1, "b.c", 81, 5)))

    def test_what_is_no_host_or_no_port_is_left_out(self) -> None:
        for bad in (".", "a b", "a\r\nX: y", "-a", "a..b", "http://a", "a/b", "ä.b", "x" * 64):
            record = dns.Record_SRV(0, 0, 80, "placeholder")
            record.target.name = bad.encode("utf-8")
            made = message(srv("good.c"), kind=SRV)
            made.answers.append(dns.RRHeader("a.b", SRV, payload=record))
            self.assertEqual(read_answer(made, ("a.b", SRV)).records, (Srv(0, "good.c", 80, 0),), bad)
        with self.assertRaises(NoRecords):
            read_answer(message(srv("a.c", 0), kind=SRV), ("a.b", SRV))

    def test_no_name_and_no_records_are_told_apart(self) -> None:
        with self.assertRaisesRegex(NoRecords, "there is no name a.b"):
            read_answer(message(code=dns.ENAME), ("a.b", A))
        with self.assertRaisesRegex(NoRecords, "a.b has no AAAA records"):
            read_answer(message(address("10.0.0.1"), kind=AAAA), ("a.b", AAAA))

    def test_addresses_that_come_along_are_told_by_name(self) -> None:
        made = message(srv("c.d"), kind=SRV)
        made.additional = [address("10.0.0.1", 5, "C.d"), address("10.0.0.2", 9, "c.d"), address("::1", name="e.f")]
        self.assertEqual(
            read_more(made),
            {("c.d", A): Answer(("10.0.0.1", "10.0.0.2"), 5), ("e.f", AAAA): Answer(("::1",), 30)},
        )


class CheckTests(SynchronousTestCase):
    def test_an_answer_to_another_question_is_none(self) -> None:
        check_answer(message(name="A.b"), ("a.b", A))
        check_answer(message(code=dns.ENAME), ("a.b", A))
        for key in (("c.d", A), ("a.b", AAAA)):
            with self.assertRaisesRegex(LookupFailed, "another question"):
                check_answer(message(), key)

    def test_a_server_that_does_not_know_is_asked_in_vain(self) -> None:
        for code, word in ((2, "SERVFAIL"), (5, "REFUSED"), (9, "error 9")):
            with self.assertRaisesRegex(LookupFailed, f"says {word}") as caught:
                check_answer(message(code=code), ("a.b", A))
            self.assertNotIsInstance(caught.exception, NoRecords)


class WireTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=300)
    @given(st.binary(max_size=80), st.integers(0, 200), st.sampled_from((A, AAAA, SRV)))
    def test_whatever_was_read_from_the_wire_is_an_answer_or_refused(self, noise: bytes, at: int, kind: int) -> None:
        whole = message(address("10.0.0.1"), srv("c.d"), address("::1"), kind=kind).toStr()
        spoiled = whole[:at] + noise + whole[at + len(noise) :]
        read = dns.Message()
        try:
            read.fromStr(spoiled)
        except (EOFError, ValueError):
            return
        with contextlib.suppress(LookupFailed):
            check_answer(read, ("a.b", kind))
            for record in read_answer(read, ("a.b", kind)).records:
                self.assertIsInstance(record, Srv if kind == SRV else str)
        read_more(read)
