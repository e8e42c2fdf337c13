"""How answers are taken, and how connections end: by what was taken, not by whether all of it was."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides

from apigateway.downstream import outflow
from apigateway.downstream.http1_answer import AnswerWriter
from apigateway.downstream.outflow import LINGER_S, LOOK_S, Outflow


class Pipe:
    """A transport of which nothing is taken but by `take`."""

    def __init__(self) -> None:
        self.unsent = 0
        self.asked: list[str] = []

    def write(self, data: bytes) -> None:
        self.unsent += len(data)

    def unregisterProducer(self) -> None:
        self.asked.append("unregister")

    def loseConnection(self) -> None:
        self.asked.append("close")

    def loseWriteConnection(self) -> None:
        self.asked.append("close half")


class OutflowTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.answer = AnswerWriter()
        self.pipe: Any = Pipe()
        self.outflow = Outflow(self.answer, self.clock.seconds)

    def write(self, size: int) -> None:
        self.answer.add_body(b"x" * size)
        self.answer.write_to(self.pipe)

    def goes_on(self, least: int = 1000) -> bool:
        return self.outflow.goes_on(self.pipe, least)

    def test_what_is_not_taken_can_be_seen(self) -> None:
        self.write(1000)
        self.assertEqual(self.outflow.untaken(self.pipe), 1000)

    def test_a_stall_is_looked_at_soon_and_judged_from_then_on(self) -> None:
        self.write(100_000)
        self.assertEqual(self.outflow.stall(), LOOK_S)
        self.assertTrue(self.outflow.is_stalled)
        self.assertTrue(self.goes_on(), "it was not looked at before")
        self.pipe.unsent -= 1000
        self.assertTrue(self.goes_on())
        self.pipe.unsent -= 999
        self.assertFalse(self.goes_on())

    def test_what_is_written_meanwhile_is_not_held_against_the_client(self) -> None:
        self.write(100_000)
        self.outflow.stall()
        self.goes_on()
        self.write(50_000)
        self.pipe.unsent -= 1000
        self.assertTrue(self.goes_on())
        self.write(50_000)
        self.assertFalse(self.goes_on())

    def test_without_a_rate_one_byte_is_enough_and_none_is_not(self) -> None:
        self.write(100_000)
        self.outflow.stall()
        self.goes_on(0)
        self.pipe.unsent -= 1
        self.assertTrue(self.goes_on(0))
        self.assertFalse(self.goes_on(0))

    def test_a_close_lasts_as_long_as_the_rest_is_taken(self) -> None:
        self.write(100_000)
        self.assertEqual(self.outflow.close(self.pipe), LOOK_S)
        self.assertEqual((self.pipe.asked, self.outflow.is_last), (["unregister", "close"], True))
        self.assertTrue(self.goes_on())
        self.pipe.unsent -= 5000
        self.assertTrue(self.goes_on())
        self.assertFalse(self.goes_on())

    def test_a_close_with_nothing_to_take_does_not_last(self) -> None:
        self.outflow.close(self.pipe)
        self.assertFalse(self.goes_on())

    def test_what_the_kernel_has_yet_to_send_counts_where_the_end_waits_for_it_alone(self) -> None:
        self.patch(outflow, "unsent", lambda transport: 500)
        self.outflow.close(self.pipe)
        self.assertTrue(self.goes_on())
        self.outflow.linger(self.pipe)
        self.assertFalse(self.goes_on())

    def test_a_client_that_still_sends_has_time_to_read_and_more_while_it_does(self) -> None:
        self.write(100_000)
        self.assertEqual(self.outflow.linger(self.pipe), LINGER_S)
        self.assertEqual(self.pipe.asked, ["unregister", "close half"])
        self.assertTrue(self.goes_on())
        self.assertFalse(self.goes_on())

    def test_twisteds_tls_has_no_halves(self) -> None:
        alsoProvides(self.pipe, ISSLTransport)
        self.outflow.linger(self.pipe)
        self.assertEqual(self.pipe.asked, ["unregister", "close"])

    def test_our_own_tls_has(self) -> None:
        alsoProvides(self.pipe, ISSLTransport)
        self.pipe.has_halves = True
        self.outflow.linger(self.pipe)
        self.assertEqual(self.pipe.asked, ["unregister", "close half"])
