"""Failures of TLS in the log: at once, and not without end."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import TLS_FAILED, TLS_UNTRUSTED
from apigateway.upstream.dialing.tls_faults import Fault
from apigateway.upstream.dialing.tls_log import EVERY_S, MOST_KINDS, TlsLog
from tests.behaviour.secured import told

EXPIRED = Fault(TLS_UNTRUSTED, "for clients", "it has expired")
NO_TLS = Fault(TLS_FAILED, "for clients", "it is not TLS")


class TlsLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[Any] = told(self, "tls-failed")
        self.clock = Clock()
        self.log = TlsLog("shop", "https://shop", self.clock.seconds)

    def test_the_first_is_told_at_once_with_all_that_helps(self) -> None:
        self.log.note(EXPIRED)
        event = self.events[0]
        self.assertEqual(
            [event[key] for key in ("service", "target", "cause", "explanation", "times")],
            ["shop", "https://shop", "tls-untrusted", "it has expired", 1],
        )

    def test_more_of_the_same_once_a_minute(self) -> None:
        for _ in range(600):
            self.log.note(EXPIRED)
            self.clock.advance(0.1)
        self.assertEqual(len(self.events), 1)
        self.clock.advance(EVERY_S - 59)
        self.log.note(EXPIRED)
        self.assertEqual([event["times"] for event in self.events], [1, 600])

    def test_another_kind_is_told_at_once(self) -> None:
        for fault in (EXPIRED, NO_TLS, EXPIRED, NO_TLS):
            self.log.note(fault)
        self.assertEqual([event["cause"] for event in self.events], ["tls-untrusted", "tls-failed"])

    def test_who_says_something_else_each_time_fills_neither_log_nor_memory(self) -> None:
        for number in range(1000):
            self.log.note(Fault(TLS_UNTRUSTED, "", f"it is for name{number}"))
        self.assertEqual(len(self.events), MOST_KINDS)
        self.assertIn(f"kinds={MOST_KINDS}", repr(self.log))
