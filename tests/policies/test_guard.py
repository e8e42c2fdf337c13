"""A policy of others behind its guard: what it must not do, and that the rest passes as it is."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import INTERNAL_ERROR, RATE_LIMITED, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.http.heads import ResponseHead
from apigateway.policies.guard import check_fields, guarded
from apigateway.policies.policy import Policy
from apigateway.testing.exchanges import exchange_for

NONE: frozenset[bytes] = frozenset()


def asked(side: Any, exchange: Exchange | None = None) -> Any:
    """What the guarded request side says."""
    ask = guarded(Policy("odd", side)).on_request
    assert ask is not None
    return ask(exchange or exchange_for())


class RequestSideTests(SynchronousTestCase):
    def test_a_side_that_is_not_there_is_not_there(self) -> None:
        guard = guarded(Policy("odd"))
        self.assertEqual((guard.name, guard.on_request, guard.on_response), ("odd", None, None))

    def test_nothing_answers_refusals_and_deferreds_of_these_pass(self) -> None:
        answer = Answer(204, [(b"A", b"b")])
        self.assertIsNone(asked(lambda exchange: None))
        self.assertIs(asked(lambda exchange: answer), answer)
        self.assertIs(self.successResultOf(asked(lambda exchange: succeed(answer))), answer)
        with self.assertRaises(GatewayError) as caught:
            asked(self.refuse)
        self.assertIs(caught.exception.cause, RATE_LIMITED)

    def refuse(self, exchange: Exchange) -> None:
        raise GatewayError(RATE_LIMITED)

    def test_a_coroutine_is_a_deferred(self) -> None:
        waited: Deferred[None] = Deferred()

        async def ask(exchange: Exchange) -> None:
            await waited

        verdict = asked(ask)
        self.assertNoResult(verdict)
        waited.callback(None)
        self.assertIsNone(self.successResultOf(verdict))

    def test_any_other_failure_is_logged_and_becomes_an_internal_error(self) -> None:
        with self.assertRaises(GatewayError) as caught:
            asked(lambda exchange: 1 / 0)
        self.assertIs(caught.exception.cause, INTERNAL_ERROR)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_what_it_wanted_on_all_answers_is_dropped_with_it_and_that_of_others_stays(self) -> None:
        exchange = exchange_for()
        exchange.extra.append((b"Vary", b"Origin"))

        def ask(exchange: Exchange) -> None:
            exchange.extra.append((b"A", b"\r\n"))

        with self.assertRaises(GatewayError):
            asked(ask, exchange)
        self.assertEqual(exchange.extra, [(b"Vary", b"Origin")])
        self.flushLoggedErrors(ValueError)

    def test_what_would_end_a_program_is_a_failure_like_others(self) -> None:
        for error in (SystemExit(3), KeyboardInterrupt(), GeneratorExit()):

            def ask(exchange: Exchange, error: BaseException = error) -> None:
                raise error

            with self.assertRaises(GatewayError) as caught:
                asked(ask)
            self.assertIs(caught.exception.cause, INTERNAL_ERROR)
            self.assertEqual(len(self.flushLoggedErrors(type(error))), 1)

    def test_a_head_that_it_spoilt_is_as_it_was(self) -> None:
        exchange = exchange_for("POST", "/a?b", [(b"Host", b"x")])
        head, special = exchange.head, exchange.head.special
        exchange.request_id = b"id-1"
        before = (head.method, head.target, dict(special), head.length, exchange.request_id, exchange.peer)

        def ask(exchange: Exchange) -> None:
            exchange.head.method = exchange.head.target = exchange.request_id = b"\r\n"
            exchange.head.special[b"host"] = b"\r\n"
            exchange.head.length, exchange.peer = 7, "\r\n"
            exchange.head = None  # type: ignore[assignment]  # on purpose

        self.assertRaises(GatewayError, asked, ask, exchange)
        self.assertIs(exchange.head, head)
        now = (head.method, head.target, head.special, head.length, exchange.request_id, exchange.peer)
        self.assertEqual(now, before)
        self.flushLoggedErrors(ValueError)

    def test_what_heads_share_is_not_changed_by_what_it_does_to_one(self) -> None:
        exchange = exchange_for(fields=[(b"Host", b"x")])
        shared = exchange.head.special

        def ask(exchange: Exchange) -> None:
            exchange.head.special[b"host"] = b"y"

        self.assertIsNone(asked(ask, exchange))
        self.assertEqual((shared[b"host"], exchange.head.special[b"host"]), (b"x", b"y"))

    def test_it_may_send_a_request_elsewhere_in_its_own_words(self) -> None:
        exchange = exchange_for("GET", "/a")

        def ask(exchange: Exchange) -> None:
            exchange.head.method, exchange.head.target = b"QUERY", b"/caf\xc3\xa9?a=%20&b"
            exchange.request_id = b"trace-1/2"

        self.assertIsNone(asked(ask, exchange))
        self.assertEqual((exchange.head.method, exchange.head.target), (b"QUERY", b"/caf\xc3\xa9?a=%20&b"))

    def test_being_told_to_stop_is_no_failure(self) -> None:
        waiting: Deferred[None] = Deferred()
        verdict = asked(lambda exchange: waiting)
        verdict.addErrback(lambda why: None)
        verdict.cancel()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_request_that_it_has_not_touched_is_not_looked_at(self) -> None:
        exchange = exchange_for(fields=[(b"X-Own", b"1")])
        before = exchange.head.lines
        asked(lambda exchange: None, exchange)
        self.assertIs(exchange.head.lines, before)


class ResponseSideTests(SynchronousTestCase):
    def told(self, side: Any) -> ResponseHead:
        """The head of an answer after the guarded response side."""
        tell = guarded(Policy("odd", on_response=side)).on_response
        assert tell is not None
        head = ResponseHead(200, b"OK", b"Server: x\r\nA: b\r\n", 5)
        tell(exchange_for(), head)
        return head

    def test_a_head_that_is_changed_well_passes(self) -> None:
        def change(exchange: Exchange, head: ResponseHead) -> None:
            head.status = 203
            head.fields.append((b"X-Own", b"caf\xc3\xa9; a=\t1"))

        head = self.told(change)
        self.assertEqual((head.status, head.lines), (203, b"Server: x\r\nA: b\r\nX-Own: caf\xc3\xa9; a=\t1\r\n"))

    def test_one_that_is_not_touched_is_not_taken_apart(self) -> None:
        head = self.told(lambda exchange, head: None)
        self.assertIsNone(head._fields)

    def test_lines_that_are_set_as_they_are_lose_what_is_no_field(self) -> None:
        def change(exchange: Exchange, head: ResponseHead) -> None:
            head.lines = b"A: b\r\n\r\nHTTP/1.1 200 OK\r\nX-Own: 1\r\n"

        self.assertEqual(self.told(change).lines, b"A: b\r\nX-Own: 1\r\n")


class FieldTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=12)), max_size=4))
    def test_fields_that_pass_make_as_many_lines_as_they_are(self, fields: list[tuple[bytes, bytes]]) -> None:
        try:
            check_fields(fields, NONE)
        except ValueError:
            return
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        self.assertEqual(lines.count(b"\n"), len(fields))
        self.assertEqual(lines.count(b"\r"), len(fields))
        for line in lines.split(b"\r\n")[:-1]:
            self.assertNotIn(b" ", line.partition(b":")[0])

    def test_names_are_compared_without_case(self) -> None:
        self.assertRaises(ValueError, check_fields, [(b"Transfer-ENCODING", b"x")], frozenset((b"transfer-encoding",)))
