"""A client's connection: what it may do, in which order it is answered, and how long anything may take."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass

from apigateway.downstream.http1_channel import Http1Channel
from apigateway.downstream.outflow import LINGER_S
from apigateway.downstream.rounds import AT_ONCE
from apigateway.downstream.site import SiteLimits
from apigateway.errors import AMBIGUOUS_PATH, BODY_TOO_LARGE, CLIENT_TOO_SLOW, NO_ROUTE, GatewayError
from apigateway.http.request_reader import PIPELINED
from apigateway.interfaces import IDownstream
from apigateway.testing.client import MemoryClient
from apigateway.testing.memory_transport import MemoryTransport
from apigateway.testing.observer import Ended
from tests.downstream.stand import Answering, Stand, ask, chunks, echo, refuse, statuses, take_body, wait

CHUNKED = "Transfer-Encoding: chunked"
MUCH = b"x" * 300_000


def unsent(end: Protocol) -> int:
    """Bytes that wait at one end of a connection in memory."""
    assert isinstance(end.transport, MemoryTransport)
    return end.transport.unsent


class ChannelCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.stand = Stand()

    def answered(self, client: MemoryClient, *methods: str) -> list[int]:
        return statuses(client.answers(*methods))

    def ends_properly(self, client: MemoryClient) -> None:
        self.assertIsNotNone(client.lost, "the connection is still open")
        assert client.lost is not None
        self.assertIsNotNone(client.lost.check(ConnectionDone), client.lost)

    def is_reset(self, client: MemoryClient) -> None:
        self.assertIsNotNone(client.lost, "the connection is still open")
        assert client.lost is not None
        self.assertIsNone(client.lost.check(ConnectionDone), client.lost)

    def ended(self) -> list[tuple[str, int, str | None]]:
        """Target, status and cause of the exchanges that are over."""
        return [(one.target, one.status, one.cause) for one in self.stand.observer.summary()]


class ExchangeTests(ChannelCase):
    def test_it_is_the_clients_side_of_an_exchange(self) -> None:
        verifyClass(IDownstream, Http1Channel)

    def test_an_exchange_is_handed_on_at_the_end_of_the_head(self) -> None:
        self.stand.client(ask("POST", "/a?b", "X-A: 1", "Content-Length: 3"))
        head = self.stand.last.exchange.head
        self.assertEqual((head.method, head.target, head.length, head.get(b"x-a")), (b"POST", b"/a?b", 3, b"1"))

    def test_its_answer_goes_out_and_its_record_is_told(self) -> None:
        self.stand.does = echo
        client = self.stand.client(ask(target="/a"))
        (answer,) = client.answers()
        self.assertEqual((answer.status, answer.body), (200, b"/a"))
        self.assertEqual(answer.get(b"x-request-id"), b"id-1")
        self.assertEqual(self.stand.observer.summary(), [Ended("GET", "/a", 200, None)])

    def test_an_answer_begins_to_go_out_before_it_has_ended(self) -> None:
        client = self.stand.client(ask())
        self.stand.last.begin()
        self.stand.network.pump()
        self.assertEqual(self.answered(client), [-200])
        self.stand.last.send(b"a")
        self.stand.network.pump()
        self.assertEqual(client.answers()[0].body, b"a")
        self.stand.last.finish((b"X-Sum", b"1"))
        self.stand.network.pump()
        self.assertEqual((self.answered(client), client.answers()[0].trailers), ([200], [(b"X-Sum", b"1")]))

    def test_the_peer_is_known(self) -> None:
        self.stand.client(ask())
        exchange = self.stand.last.exchange
        self.assertEqual((exchange.peer, exchange.client, exchange.secure), ("203.0.113.7", "203.0.113.7", False))

    def test_a_refusal_at_the_entrance_is_answered(self) -> None:
        self.stand.does = refuse(GatewayError(NO_ROUTE, "Look again."))
        client = self.stand.client(ask(), ask())
        self.assertEqual(self.answered(client), [404, 404])
        self.assertEqual(self.ended(), [("/", 404, "no-route")] * 2)

    def test_a_path_that_others_could_read_in_another_way_ends_the_connection(self) -> None:
        self.stand.does = refuse(GatewayError(AMBIGUOUS_PATH, "It holds dot segments."))
        client = self.stand.client(ask(target="/a/../b") + ask())
        (answer,) = client.answers()
        self.assertEqual((answer.status, answer.get(b"connection")), (400, b"close"))
        self.ends_properly(client)

    def test_what_fails_unforeseen_costs_one_exchange_only(self) -> None:
        def does(one: Answering) -> None:
            if one.exchange.head.target == b"/bad":
                raise ZeroDivisionError
            echo(one)

        self.stand.does = does
        client = self.stand.client(ask(target="/bad"), ask(target="/good"))
        self.assertEqual(self.answered(client), [500, 200])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_host_in_the_target_takes_the_place_of_the_field(self) -> None:
        self.stand.client(ask(target="http://other:8080/a?b", host="h"))
        head = self.stand.last.exchange.head
        self.assertEqual((head.target, head.special[b"host"]), (b"/a?b", b"other:8080"))

    def test_options_of_the_whole_server(self) -> None:
        self.stand.does = echo
        (answer,) = self.stand.client(ask("OPTIONS", "*")).answers()
        self.assertEqual(answer.body, b"*")

    def test_the_answer_to_head_has_no_body_but_its_length(self) -> None:
        self.stand.does = echo
        client = self.stand.client(ask("HEAD", "/abc"), ask("GET", "/abc"))
        head, get = client.answers("HEAD", "GET")
        self.assertEqual((head.get(b"content-length"), head.body), (b"4", b""))
        self.assertEqual(get.body, b"/abc")

    def test_answers_that_have_no_body_leave_the_connection_in_order(self) -> None:
        def does(one: Answering) -> None:
            one.begin(int(one.exchange.head.target[1:]), length=3)
            one.send(b"abc")
            one.finish()

        self.stand.does = does
        client = self.stand.client(ask(target="/204"), ask(target="/304"), ask(target="/200"))
        self.assertEqual([(one.status, one.body) for one in client.answers()], [(204, b""), (304, b""), (200, b"abc")])

    def test_interim_answers_are_passed_on_to_who_knows_them(self) -> None:
        for version, expected in (("1.1", [103, 200]), ("1.0", [200])):
            client = self.stand.client(ask(version=version))
            self.stand.last.downstream.send_informational(103, [(b"Link", b"</a>")])
            self.stand.last.downstream.flush()
            self.stand.last.answer()
            self.stand.network.pump()
            self.assertEqual(self.answered(client), expected)


class KeepAliveTests(ChannelCase):
    def setUp(self) -> None:
        super().setUp()
        self.stand.does = echo

    def test_the_connection_stays_for_the_next_request(self) -> None:
        client = self.stand.client(ask(target="/1"), ask("POST", "/2", body=b"abc"), ask(target="/3"))
        # Nobody read the body of the second: it had arrived with the head.
        self.assertEqual([one.body for one in client.answers()], [b"/1", b"/2", b"/3"])
        self.assertTrue(client.is_open)

    def test_it_ends_where_the_client_wishes(self) -> None:
        for wish in ("Connection: close", "Connection: x, Close"):
            client = self.stand.client(ask("GET", "/1", wish) + ask(target="/2"))
            (answer,) = client.answers()
            self.assertEqual(answer.get(b"connection"), b"close")
            self.ends_properly(client)

    def test_on_1_0_it_ends_with_the_answer(self) -> None:
        client = self.stand.client(ask(version="1.0", host=""))
        self.assertEqual(client.answers()[0].get(b"connection"), b"close")
        self.ends_properly(client)

    def test_on_1_0_it_stays_where_asked(self) -> None:
        again = ask("GET", "/", "Connection: keep-alive", version="1.0")
        client = self.stand.client(again, again)
        self.assertEqual([one.get(b"connection") for one in client.answers()], [b"keep-alive"] * 2)
        self.assertTrue(client.is_open)

    def test_on_1_0_an_answer_of_unknown_length_ends_with_the_connection(self) -> None:
        self.stand.does = wait
        client = self.stand.client(ask("GET", "/", "Connection: keep-alive", version="1.0"))
        self.stand.last.begin()
        self.stand.last.send(b"abc")
        self.stand.last.finish()
        self.stand.network.pump()
        (answer,) = client.answers()
        self.assertEqual((answer.get(b"connection"), answer.get(b"transfer-encoding")), (b"close", None))
        self.assertEqual((answer.body, answer.is_complete), (b"abc", True))
        self.ends_properly(client)

    def test_a_client_may_close_between_two_requests(self) -> None:
        client = self.stand.client(ask())
        client.close()
        self.stand.network.pump()
        self.assertEqual((self.stand.site.channels, len(self.stand.observer.exchanges)), (set(), 1))


class PipeliningTests(ChannelCase):
    def numbered(self, count: int) -> bytes:
        return b"".join(ask(target=f"/{number}") for number in range(count))

    def test_answers_come_in_the_order_of_the_requests(self) -> None:
        self.stand.does = echo
        client = self.stand.client(self.numbered(50))
        self.assertEqual([one.body for one in client.answers()], [b"/%d" % number for number in range(50)])

    def test_other_connections_have_their_turn_in_between(self) -> None:
        self.stand.does = echo
        greedy, other = self.stand.connect(), self.stand.connect()
        greedy.send(self.numbered(50))
        other.send(ask(target="/other"))
        self.stand.network.pump()
        self.assertEqual(self.stand.targets[AT_ONCE], "/other")
        self.assertEqual((len(self.answered(greedy)), len(self.answered(other))), (50, 1))

    def test_who_is_cut_has_one_more_turn_at_most(self) -> None:
        def does(one: Answering) -> None:
            echo(one)
            if len(self.stand.targets) == AT_ONCE:
                self.stand.site.rounds.next(self.stand.channel.cut)

        self.stand.does = does
        self.stand.client(self.numbered(50))
        self.assertEqual((len(self.stand.targets), self.stand.site.channels), (2 * AT_ONCE, set()))

    def test_one_is_in_progress_at_a_time(self) -> None:
        client = self.stand.client(self.numbered(3))
        for number in range(3):
            self.assertEqual(len(self.stand.exchanges), number + 1)
            self.stand.last.answer()
        self.stand.network.pump()
        self.assertEqual(self.answered(client), [200] * 3)

    def test_bodies_belong_to_their_own_requests(self) -> None:
        for number in range(2):
            self.stand.client(ask("PUT", "/", body=b"one") + ask("PUT", "/", CHUNKED) + chunks(b"t", b"wo") + ask())
            for body in (b"one", b"two", b""):
                self.stand.last.take_body()
                self.assertEqual((self.stand.last.body_so_far, self.stand.last.trailers), (body, []), number)
                self.stand.last.answer()

    def test_behind_many_that_wait_no_more_is_read(self) -> None:
        client = self.stand.client(ask())
        for number in range(PIPELINED):
            self.assertTrue(self.stand.is_reading, number)
            self.stand.send(client, ask())
        self.assertFalse(self.stand.is_reading)
        self.stand.send(client, ask())
        self.assertIn(f"pipelined={PIPELINED}", repr(self.stand.channel))
        self.stand.does = echo
        self.stand.last.answer()
        self.stand.network.pump()
        self.assertTrue(self.stand.is_reading)
        self.assertEqual(self.answered(client), [200] * (PIPELINED + 2))

    def test_of_many_in_one_segment_few_are_kept_as_requests(self) -> None:
        client = self.stand.client(self.numbered(3000))
        self.assertEqual(repr(self.stand.channel), f"<Http1Channel 203.0.113.7 busy pipelined={PIPELINED - 1}>")
        self.assertFalse(self.stand.is_reading)
        self.stand.send(client, self.numbered(3000))
        self.stand.does = echo
        self.stand.last.answer()
        self.stand.network.pump()
        self.assertEqual(len(self.stand.targets), 6000)
        self.assertEqual((self.stand.is_reading, len(client.answers())), (True, 6000))

    def test_a_body_among_many_is_given_in_its_turn(self) -> None:
        wire = self.numbered(100) + ask("PUT", "/put", body=b"abc" * 9000) + self.numbered(100)
        client = self.stand.client(wire)
        for _ in range(100):
            self.stand.last.answer()
        self.stand.last.take_body()
        self.assertEqual((self.stand.last.body_so_far, self.stand.last.trailers), (b"abc" * 9000, []))
        self.stand.does = echo
        self.stand.last.answer()
        self.stand.network.pump()
        self.assertEqual(self.answered(client), [200] * 201)

    def test_the_body_of_one_that_waits_is_not_gathered(self) -> None:
        client = self.stand.client(ask())
        self.stand.send(client, b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n" + MUCH[:1000])
        self.assertFalse(self.stand.is_reading)
        self.stand.does = take_body
        self.stand.last.answer()
        self.stand.network.pump()
        self.assertTrue(self.stand.is_reading)

    def test_a_malformed_one_is_answered_after_those_before_it(self) -> None:
        client = self.stand.client(self.numbered(2) + b"nonsense\r\n\r\n" + ask(target="/never"))
        self.stand.last.answer()
        self.stand.network.pump()
        self.assertEqual(self.answered(client), [200])
        self.stand.last.answer()
        self.stand.network.pump()
        self.assertEqual(self.answered(client), [200, 200, 400])
        self.assertEqual((self.stand.targets, self.ended()[-1]), (["/0", "/1"], ("", 400, "bad-request")))

    def test_a_malformed_one_is_not_answered_as_the_one_before_it(self) -> None:
        self.stand.does = echo
        client = self.stand.client(ask("HEAD", "/", "Accept: text/plain") + b"nonsense\r\n\r\n")
        _, refusal = client.answers("HEAD", "GET")
        self.assertEqual((refusal.status, refusal.get(b"content-type")), (400, b"application/problem+json"))
        self.assertTrue(refusal.is_complete and refusal.body)


class ContinueTests(ChannelCase):
    EXPECT = "Expect: 100-continue"

    def test_the_client_is_told_to_go_on_when_its_body_is_wanted_and_not_before(self) -> None:
        client = self.stand.client(ask("PUT", "/", self.EXPECT, "Content-Length: 3"))
        self.assertEqual(client.received, b"")
        self.stand.last.take_body()
        self.stand.network.pump()
        self.assertEqual(client.received, b"HTTP/1.1 100 Continue\r\n\r\n")
        self.stand.send(client, b"abc")
        self.assertEqual((self.stand.last.body_so_far, self.stand.last.trailers), (b"abc", []))
        self.stand.last.answer()
        self.stand.network.pump()
        self.assertEqual(self.answered(client), [100, 200])
        self.assertTrue(client.is_open)

    def test_it_is_not_told_where_it_did_not_ask_or_did_not_wait(self) -> None:
        for request in (
            ask("PUT", body=b"abc"),
            ask("PUT", "/", self.EXPECT, body=b"abc"),
            ask("PUT", "/", self.EXPECT, CHUNKED) + chunks(b"a"),
            ask("GET", "/", self.EXPECT),
        ):
            client = self.stand.client(request)
            self.stand.last.take_body()
            self.stand.last.answer()
            self.stand.network.pump()
            self.assertEqual(self.answered(client), [200], request)

    def test_nor_on_1_0(self) -> None:
        client = self.stand.client(ask("PUT", "/", self.EXPECT, "Content-Length: 3", version="1.0"))
        self.stand.last.take_body()
        self.stand.network.pump()
        self.assertEqual(client.received, b"")

    def test_one_that_is_refused_learns_it_instead_and_the_connection_ends(self) -> None:
        self.stand.does = refuse(GatewayError(BODY_TOO_LARGE))
        client = self.stand.client(ask("PUT", "/", self.EXPECT, "Content-Length: 3"))
        (answer,) = client.answers()
        self.assertEqual((answer.status, answer.get(b"connection")), (413, b"close"))

    def test_another_expectation_is_refused(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Expect: magic", "Content-Length: 3"))
        self.assertEqual(self.answered(client), [417])
        self.assertEqual(self.ended(), [("/", 417, "expectation-failed")])


class BodyTests(ChannelCase):
    def test_it_streams_as_it_arrives(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 6"))
        one = self.stand.last.take_body()
        for piece in (b"ab", b"c", b"def"):
            self.assertIsNone(one.trailers)
            self.stand.send(client, piece)
            self.assertTrue(one.body_so_far.endswith(piece))
        self.assertEqual((one.body_so_far, one.trailers), (b"abcdef", []))

    def test_chunks_and_trailers(self) -> None:
        body = chunks(b"abc", b"d", trailers=b"X-Sum: 4\r\n")
        for pieces in ([body], [body[at : at + 1] for at in range(len(body))]):
            client = self.stand.client(ask("PUT", "/", CHUNKED))
            one = self.stand.last.take_body()
            self.stand.send(client, *pieces)
            self.assertEqual((one.body_so_far, one.trailers), (b"abcd", [(b"X-Sum", b"4")]))

    def test_what_came_with_the_head_waits_until_it_is_wanted(self) -> None:
        self.stand.client(ask("PUT", body=b"abc"))
        one = self.stand.last
        self.assertEqual((one.body_so_far, one.trailers), (b"", None))
        one.take_body()
        self.assertEqual((one.body_so_far, one.trailers), (b"abc", []))

    def test_of_a_body_that_nobody_wants_yet_one_piece_is_read(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 300000"))
        self.assertTrue(self.stand.is_reading)
        self.stand.send(client, MUCH)
        self.assertFalse(self.stand.is_reading)
        self.assertGreater(unsent(client), 100_000)
        self.stand.last.take_body()
        self.stand.network.pump()
        self.assertEqual((self.stand.last.body_so_far, self.stand.last.trailers), (MUCH, []))

    def test_while_it_is_held_the_client_feels_it(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 300000"))
        one = self.stand.last.take_body()
        one.downstream.pause_body()
        self.stand.send(client, MUCH)
        self.assertEqual((self.stand.is_reading, one.body_so_far), (False, b""))
        one.downstream.resume_body()
        self.stand.network.pump()
        self.assertEqual((self.stand.is_reading, one.body_so_far, one.trailers), (True, MUCH, []))

    def test_its_end_is_held_too(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 3"))
        one = self.stand.last.take_body()
        one.downstream.pause_body()
        self.stand.send(client, b"abc")
        one.downstream.resume_body()
        self.stand.network.pump()
        self.assertEqual((one.body_so_far, one.trailers), (b"abc", []))

    def test_it_may_be_held_from_within_its_delivery(self) -> None:
        client = self.stand.client(ask("PUT", "/", CHUNKED))
        one = self.stand.last.take_body()
        one.when_body = one.downstream.pause_body
        self.stand.send(client, b"1\r\na\r\n", b"1\r\nb\r\n")
        self.assertEqual((one.body_so_far, self.stand.is_reading), (b"a", False))

    def test_a_broken_one_is_answered_and_whoever_takes_it_learns_that_it_ends(self) -> None:
        client = self.stand.client(ask("PUT", "/", CHUNKED), b"3\r\nabc\r\n")
        one = self.stand.last.take_body()
        self.stand.send(client, b"nonsense\r\n")
        self.assertEqual((one.gone, one.body_so_far, one.trailers), (1, b"abc", None))
        self.assertEqual((self.answered(client), self.ended()), ([400], [("/", 400, "bad-request")]))

    def test_a_broken_one_cuts_an_answer_that_has_begun(self) -> None:
        client = self.stand.client(ask("PUT", "/", CHUNKED))
        one = self.stand.last.take_body()
        one.begin()
        self.stand.send(client, b"nonsense\r\n")
        self.assertEqual((one.gone, self.answered(client), self.ended()), (1, [-200], [("/", 200, "bad-request")]))
        self.assertFalse(client.is_open)


class EarlyAnswerTests(ChannelCase):
    """An answer may come before its request is complete; then the connection can't be used any more."""

    def refuse_upload(self) -> MemoryClient:
        self.stand.does = refuse(GatewayError(BODY_TOO_LARGE))
        return self.stand.client(ask("PUT", "/", "Content-Length: 300000"), b"x" * 1000)

    def test_the_client_is_told_that_the_connection_ends(self) -> None:
        (answer,) = self.refuse_upload().answers()
        self.assertEqual((answer.status, answer.get(b"connection")), (413, b"close"))

    def test_also_where_part_of_the_body_was_taken(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 300000"), b"x" * 1000)
        self.stand.last.take_body().exchange.fail(GatewayError(BODY_TOO_LARGE))
        self.stand.network.pump()
        (answer,) = client.answers()
        self.assertEqual((answer.status, answer.get(b"connection")), (413, b"close"))

    def test_what_the_client_still_sends_is_thrown_away_so_that_it_can_read_the_answer(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 300000"), b"x" * 1000)
        client.stop_reading()
        self.stand.last.exchange.fail(GatewayError(BODY_TOO_LARGE))
        self.stand.send(client, MUCH)
        self.assertEqual(unsent(client), 0)
        self.assertIn("lingering", repr(self.stand.channel))
        client.read_again()
        self.stand.network.pump()
        self.assertEqual(self.answered(client), [413])
        self.ends_properly(client)

    def test_but_not_for_long(self) -> None:
        client = self.refuse_upload()
        client.stop_reading()
        for _ in range(4):
            self.stand.after(LINGER_S / 4)
            self.stand.send(client, b"more")
        self.stand.after(1)
        self.assertEqual(self.stand.site.channels, set())

    def test_an_answer_that_ends_while_the_body_is_still_taken_ends_the_connection(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 300000"), b"x" * 1000)
        self.stand.last.take_body().answer()
        self.stand.network.pump()
        self.assertEqual(self.answered(client), [200])
        self.stand.send(client, ask(target="/never"))
        self.stand.after(LINGER_S + 1)
        self.assertEqual((self.stand.targets, client.is_open), (["/"], False))

    def test_a_body_that_ends_while_the_answer_is_sent_keeps_the_connection(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 6"), b"abc")
        one = self.stand.last.take_body()
        one.begin()
        one.send(b"early")
        self.stand.send(client, b"def")
        one.finish()
        self.stand.does = echo
        self.stand.send(client, ask(target="/next"))
        self.assertEqual([answer.body for answer in client.answers()], [b"early", b"/next"])


class SlowReaderTests(ChannelCase):
    def stalled(self, *more: bytes) -> MemoryClient:
        """A client that does not read a large answer."""
        client = self.stand.client(ask())
        client.stop_reading()
        self.stand.last.begin()
        while not self.stand.last.is_paused:
            self.stand.last.send(MUCH)
            self.stand.network.pump()
        self.stand.send(client, *more)
        return client

    def test_whoever_answers_is_told_to_wait_and_to_go_on(self) -> None:
        client = self.stalled()
        client.read_again()
        self.stand.network.pump()
        self.assertFalse(self.stand.last.is_paused)

    def test_the_next_request_waits_until_the_client_reads(self) -> None:
        client = self.stalled(ask(target="/next"))
        self.stand.last.finish()
        self.stand.network.pump()
        self.assertEqual((self.stand.targets, self.stand.is_reading), (["/"], False))
        self.stand.does = echo
        client.read_again()
        self.stand.network.pump()
        self.assertEqual((self.stand.targets, self.stand.is_reading), (["/", "/next"], True))
        self.assertEqual(self.answered(client), [200, 200])

    def test_answers_do_not_pile_up_for_one_that_asks_and_never_reads(self) -> None:
        self.stand.does = lambda one: one.answer(b"x" * 60_000)
        client = self.stand.connect()
        client.stop_reading()
        self.stand.send(client, *[ask() * 100] * 5)
        self.assertLess(len(self.stand.exchanges), 10)
        self.assertLess(unsent(self.stand.channel), 200_000)
        client.read_again()
        self.stand.network.pump()
        self.assertEqual(self.answered(client), [200] * 500)

    def test_whoever_answers_can_see_how_much_was_not_taken(self) -> None:
        client = self.stalled()
        progress = self.stand.last.exchange.downstream.progress()
        self.assertEqual(progress, (True, unsent(self.stand.channel)))
        self.assertGreater(progress[1], 0)
        client.read_again()
        self.stand.network.pump()
        self.assertEqual(self.stand.last.exchange.downstream.progress(), (True, 0))

    def test_who_makes_room_because_it_is_slow_is_not_waited_for(self) -> None:
        client = self.stalled()
        self.stand.last.exchange.fail(GatewayError(CLIENT_TOO_SLOW))
        client.read_again()
        self.stand.network.pump()
        self.is_reset(client)

    def test_an_answer_that_nobody_reads_for_a_minute_is_cut(self) -> None:
        client = self.stalled()
        self.stand.after(59)
        self.assertTrue(client.is_open)
        self.stand.after(2)
        self.assertEqual((self.stand.last.gone, self.ended()), (1, [("/", 200, "client-too-slow")]))
        client.read_again()
        self.stand.network.pump()
        self.is_reset(client)

    def test_neither_further_requests_nor_a_body_gain_it_more_time(self) -> None:
        for request, more in ((ask(), ask()), (ask("PUT", "/", "Content-Length: 1000"), b"x")):
            self.stand = Stand()
            client = self.stand.client(request)
            client.stop_reading()
            one = self.stand.last.take_body()
            one.begin()
            while not one.is_paused:
                one.send(MUCH)
                self.stand.network.pump()
            for _ in range(6):
                self.stand.send(client, more)
                self.stand.after(10.1)
            self.assertEqual(self.stand.site.channels, set(), request)

    def test_a_body_is_due_again_when_the_client_has_read(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 1000"))
        client.stop_reading()
        one = self.stand.last.take_body()
        one.begin()
        while not one.is_paused:
            one.send(MUCH)
            self.stand.network.pump()
        client.read_again()
        self.stand.network.pump()
        self.stand.after(61)
        self.assertEqual(self.ended(), [("/", 200, "request-timeout")])

    def sip(self, client: MemoryClient, size: int) -> None:
        """The client takes so much, which lets as much follow."""
        transport = self.stand.channel.transport
        assert isinstance(transport, MemoryTransport)
        del transport._outgoing.data[:size]
        self.stand.network.pump()

    def test_one_that_takes_an_answer_at_the_least_rate_keeps_it_however_long_that_takes(self) -> None:
        self.stand = Stand(limits=SiteLimits(min_rate=240))
        client = self.stalled()
        for _ in range(12):
            self.stand.after(58)
            self.sip(client, 15_000)
        self.assertEqual((client.is_open, self.stand.last.gone), (True, 0))

    def test_one_that_takes_less_is_cut(self) -> None:
        self.stand = Stand(limits=SiteLimits(min_rate=240))
        client = self.stalled()
        for _ in range(130):
            self.stand.after(1)
            if self.stand.site.channels:
                self.sip(client, 200)
        self.assertEqual((self.stand.last.gone, self.ended()), (1, [("/", 200, "client-too-slow")]))

    def test_an_end_that_is_taken_slowly_is_waited_for(self) -> None:
        self.stand = Stand(limits=SiteLimits(min_rate=240))
        client = self.stand.client(ask("GET", "/", "Connection: close"))
        client.stop_reading()
        self.stand.last.answer(MUCH)
        for _ in range(4):
            self.stand.after(58)
            self.sip(client, 15_000)
        self.assertEqual(len(self.stand.site.channels), 1)
        self.stand.after(122)
        self.assertEqual(self.stand.site.channels, set())

    def test_an_early_answer_that_is_still_taken_is_not_cut_with_the_upload(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 300000"), b"x" * 1000)
        client.stop_reading()
        self.stand.last.answer(MUCH)
        self.stand.after(LINGER_S + 1)
        self.sip(client, 50_000)
        self.stand.after(50)
        self.assertEqual(len(self.stand.site.channels), 1)
        self.stand.after(75)
        self.assertEqual(self.stand.site.channels, set())

    def test_one_that_reads_in_time_is_left_alone(self) -> None:
        client = self.stalled()
        for _ in range(5):
            self.stand.after(50)
            client.read_again()
            self.stand.network.pump()
            client.stop_reading()
            self.stand.last.send(MUCH)
            self.stand.network.pump()
        self.assertTrue(client.is_open)


class RefusalTests(ChannelCase):
    def refused(self, *data: bytes) -> tuple[int, str | None]:
        """The status and cause of the only answer; after it the connection ends."""
        client = self.stand.client(*data)
        (answer,) = client.answers()
        self.assertEqual(answer.get(b"connection"), b"close")
        self.assertTrue(answer.is_complete)
        self.stand.after(LINGER_S + 1)
        self.assertFalse(client.is_open)
        self.assertEqual((self.stand.exchanges, self.stand.site.channels), ([], set()))
        (record,) = self.stand.observer.summary()
        return answer.status, record.cause

    def test_what_is_not_http(self) -> None:
        self.assertEqual(self.refused(b"\x16\x03\x01\x02\0" * 10), (400, "bad-request"))

    def test_a_version_that_is_not_ours(self) -> None:
        self.assertEqual(self.refused(ask(version="2.0")), (400, "bad-request"))

    def test_a_missing_host(self) -> None:
        self.assertEqual(self.refused(ask(host="")), (400, "bad-request"))

    def test_a_target_that_is_too_long(self) -> None:
        self.assertEqual(self.refused(ask(target="/" + "a" * 9000)), (414, "uri-too-long"))

    def test_a_head_that_is_too_large(self) -> None:
        self.assertEqual(self.refused(ask("GET", "/", *["X: " + "a" * 4000] * 10)), (431, "head-too-large"))

    def test_too_many_fields(self) -> None:
        self.assertEqual(self.refused(ask("GET", "/", *["X: a"] * 101)), (431, "head-too-large"))

    def test_a_body_framed_twice(self) -> None:
        self.assertEqual(self.refused(ask("PUT", "/", CHUNKED, "Content-Length: 3")), (400, "bad-request"))

    def test_a_wish_to_upgrade_is_passed_over(self) -> None:
        self.stand.does = echo
        client = self.stand.client(ask("GET", "/1", "Connection: upgrade", "Upgrade: websocket") + ask(target="/2"))
        self.assertEqual([one.body for one in client.answers()], [b"/1", b"/2"])


class ClientGoneTests(ChannelCase):
    def test_whoever_works_for_it_learns_it_once_and_the_exchange_ends_once(self) -> None:
        for leave in (MemoryClient.close, MemoryClient.reset):
            self.stand = Stand()
            leave(self.stand.client(ask()))
            self.stand.network.pump()
            self.stand.after(100)
            self.assertEqual((self.stand.last.gone, self.ended()), (1, [("/", 0, "client-gone")]))
            self.assertEqual(self.stand.site.channels, set())

    def test_in_the_middle_of_its_body(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 10"), b"abc")
        one = self.stand.last.take_body()
        client.reset()
        self.stand.network.pump()
        self.assertEqual((one.gone, one.body_so_far, one.trailers), (1, b"abc", None))
        self.assertEqual(self.ended(), [("/", 0, "client-gone")])

    def test_in_the_middle_of_its_answer(self) -> None:
        client = self.stand.client(ask())
        self.stand.last.begin()
        self.stand.last.send(b"abc")
        client.reset()
        self.stand.network.pump()
        self.assertEqual((self.stand.last.gone, self.ended()), (1, [("/", 200, "client-gone")]))

    def test_what_it_pipelined_is_forgotten(self) -> None:
        client = self.stand.client(ask(target="/1") + ask(target="/2"))
        client.reset()
        self.stand.network.pump()
        self.assertEqual((self.stand.targets, self.ended()), (["/1"], [("/1", 0, "client-gone")]))

    def test_what_is_still_answered_goes_nowhere(self) -> None:
        client = self.stand.client(ask())
        client.reset()
        self.stand.network.pump()
        one = self.stand.last
        one.begin()
        one.send(b"abc")
        one.finish()
        one.downstream.abort()
        self.assertEqual(len(self.stand.observer.exchanges), 1)


class AbortTests(ChannelCase):
    def aborted(self, *fields: str, version: str = "1.1", length: int | None = None) -> MemoryClient:
        client = self.stand.client(ask("GET", "/", *fields, version=version))
        self.stand.last.begin(length=length)
        self.stand.last.send(b"abc")
        self.stand.last.downstream.abort()
        self.stand.network.pump()
        self.assertEqual(len(self.stand.observer.exchanges), 1)
        return client

    def test_an_answer_in_chunks_lacks_its_end(self) -> None:
        client = self.aborted()
        self.assertEqual((self.answered(client), client.answers()[0].body), ([-200], b"abc"))
        self.assertFalse(client.is_open)

    def test_an_answer_with_a_length_is_short(self) -> None:
        client = self.aborted(length=10)
        self.assertEqual((self.answered(client), client.answers()[0].body), ([-200], b"abc"))
        self.assertFalse(client.is_open)

    def test_an_answer_that_ends_with_the_connection_is_reset(self) -> None:
        self.is_reset(self.aborted(version="1.0"))

    def test_nothing_follows_it(self) -> None:
        client = self.stand.client(ask(target="/1") + ask(target="/2"))
        self.stand.last.begin()
        self.stand.last.downstream.abort()
        self.stand.network.pump()
        self.assertEqual((self.stand.targets, client.is_open), (["/1"], False))


class TimeTests(ChannelCase):
    def test_a_connection_on_which_nothing_comes_is_closed_after_ten_seconds(self) -> None:
        client = self.stand.client()
        self.stand.after(9.9)
        self.assertTrue(client.is_open)
        self.stand.after(0.5)
        self.ends_properly(client)
        self.assertEqual((client.received, self.ended()), (b"", []))

    def test_a_head_must_be_complete_ten_seconds_after_its_first_byte(self) -> None:
        client = self.stand.connect()
        self.stand.after(5)
        self.stand.send(client, b"GET / HT")
        self.stand.after(9.9)
        self.assertEqual(client.received, b"")
        self.stand.after(0.5)
        self.assertEqual(self.answered(client), [408])
        self.assertEqual(self.ended(), [("", 408, "request-timeout")])

    def test_single_bytes_gain_it_no_time(self) -> None:
        client = self.stand.connect()
        for byte in ask():
            self.stand.send(client, bytes((byte,)))
            self.stand.after(1)
            if client.received:
                break
        self.assertEqual(self.answered(client), [408])
        self.assertLess(self.stand.network.now(), 11)

    def test_an_idle_connection_is_closed_after_75_seconds(self) -> None:
        self.stand.does = echo
        client = self.stand.client(ask())
        self.stand.after(74)
        self.stand.send(client, ask())
        self.stand.after(74.9)
        self.assertTrue(client.is_open)
        self.stand.after(0.5)
        self.ends_properly(client)
        self.assertEqual(self.answered(client), [200, 200])

    def test_empty_lines_gain_it_no_time(self) -> None:
        self.stand.does = echo
        client = self.stand.client(ask())
        for _ in range(8):
            self.stand.after(10)
            self.stand.send(client, b"\r\n")
        self.assertFalse(client.is_open)

    def test_a_head_that_begins_late_has_its_ten_seconds_all_the_same(self) -> None:
        self.stand.does = echo
        client = self.stand.client(ask())
        self.stand.after(74)
        self.stand.send(client, b"GET /late HT")
        self.stand.after(9)
        self.stand.send(client, b"TP/1.1\r\nHost: h\r\n\r\n")
        self.assertEqual(self.answered(client), [200, 200])

    def test_the_beginning_of_a_pipelined_head_is_timed_from_when_its_turn_comes(self) -> None:
        client = self.stand.client(ask() + b"GET / HT")
        self.stand.after(100)
        self.stand.last.answer()
        self.stand.after(9)
        self.assertEqual(self.answered(client), [200])
        self.stand.after(1.5)
        self.assertEqual(self.answered(client), [200, 408])

    def test_a_body_must_go_on_within_a_minute(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 10"))
        one = self.stand.last.take_body()
        for _ in range(5):
            self.stand.after(55)
            self.stand.send(client, b"x")
        self.stand.after(59)
        self.assertEqual((one.gone, client.received), (0, b""))
        self.stand.after(1.5)
        self.assertEqual((one.gone, self.answered(client)), (1, [408]))
        self.assertEqual(self.ended(), [("/", 408, "request-timeout")])

    def test_a_body_must_move_the_least_rate_in_each_minute(self) -> None:
        for size, expected in ((14_400 // 6, []), (14_400 // 6 - 1, [408])):
            self.stand = Stand(take_body, SiteLimits(min_rate=240))
            client = self.stand.client(ask("PUT", "/", "Content-Length: 1000000"))
            for _ in range(18):
                self.stand.after(9.9)
                self.stand.send(client, b"x" * size)
            self.assertEqual(self.answered(client), expected)

    def test_a_body_in_pieces_of_one_byte_is_slow(self) -> None:
        self.stand = Stand(take_body, SiteLimits(min_rate=240))
        client = self.stand.client(ask("PUT", "/", CHUNKED))
        for _ in range(70):
            self.stand.after(1)
            self.stand.send(client, b"1\r\nx\r\n")
        self.assertEqual(self.ended(), [("/", 408, "request-timeout")])

    def test_a_body_that_nobody_takes_at_the_moment_is_not_the_clients_fault(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 10"))
        self.stand.after(100)
        one = self.stand.last.take_body()
        self.stand.send(client, b"x")
        one.downstream.pause_body()
        self.stand.after(100)
        one.downstream.resume_body()
        self.stand.after(59)
        self.assertTrue(client.is_open)
        self.stand.after(1.5)
        self.assertEqual(self.answered(client), [408])

    def test_a_body_that_stops_cuts_an_answer_that_has_begun(self) -> None:
        client = self.stand.client(ask("PUT", "/", "Content-Length: 10"))
        self.stand.last.take_body().begin()
        self.stand.after(61)
        self.assertEqual((self.answered(client), self.ended()), ([-200], [("/", 200, "request-timeout")]))
        self.assertFalse(client.is_open)

    def test_an_answer_may_take_its_time(self) -> None:
        client = self.stand.client(ask("PUT", "/", body=b"abc"))
        self.stand.last.take_body()
        self.stand.after(1000)
        self.stand.last.answer()
        self.stand.network.pump()
        self.assertEqual(self.answered(client), [200])

    def test_the_end_of_an_answer_that_nobody_reads_does_not_keep_the_connection(self) -> None:
        client = self.stand.client(ask("GET", "/", "Connection: close"))
        client.stop_reading()
        self.stand.last.answer(MUCH)
        self.stand.after(59)
        self.assertEqual(len(self.stand.site.channels), 1)
        self.stand.after(2)
        self.assertEqual(self.stand.site.channels, set())


class StopTests(ChannelCase):
    def test_idle_connections_are_closed_at_once(self) -> None:
        self.stand.does = echo
        fresh, used = self.stand.client(), self.stand.client(ask())
        self.stand.site.stop_accepting_requests()
        self.stand.network.pump()
        self.ends_properly(fresh)
        self.ends_properly(used)

    def test_a_busy_one_ends_with_its_answer(self) -> None:
        client = self.stand.client(ask(target="/1") + ask(target="/2"))
        self.stand.site.stop_accepting_requests()
        self.stand.after(20)
        self.assertTrue(client.is_open)
        self.stand.last.answer()
        self.stand.network.pump()
        (answer,) = client.answers()
        self.assertEqual((answer.status, answer.get(b"connection")), (200, b"close"))
        self.ends_properly(client)
        self.assertEqual(self.stand.targets, ["/1"])

    def test_one_whose_answer_has_begun_ends_with_it_too(self) -> None:
        client = self.stand.client(ask())
        self.stand.last.begin()
        self.stand.site.stop_accepting_requests()
        self.stand.last.finish()
        self.stand.network.pump()
        self.assertEqual(self.answered(client), [200])
        self.ends_properly(client)

    def test_a_request_that_is_arriving_is_still_answered(self) -> None:
        self.stand.does = echo
        client = self.stand.client(b"GET / HT")
        self.stand.site.stop_accepting_requests()
        self.stand.network.pump()
        self.stand.send(client, b"TP/1.1\r\nHost: h\r\n\r\n")
        (answer,) = client.answers()
        self.assertEqual((answer.status, answer.get(b"connection")), (200, b"close"))
        self.ends_properly(client)

    def test_what_takes_too_long_is_cut(self) -> None:
        client = self.stand.client(ask())
        self.stand.site.stop_accepting_requests()
        self.stand.site.cut_all()
        self.stand.network.pump()
        self.is_reset(client)
        self.assertEqual((self.stand.last.gone, self.ended()), (1, [("/", 0, "client-gone")]))


class ReprTests(ChannelCase):
    def test_it_shows_its_state(self) -> None:
        client = self.stand.client()
        self.assertEqual(repr(self.stand.channel), "<Http1Channel 203.0.113.7 idle pipelined=0>")
        self.stand.send(client, ask() + ask())
        self.assertEqual(repr(self.stand.channel), "<Http1Channel 203.0.113.7 busy pipelined=1>")


class LimitTests(SynchronousTestCase):
    def test_limits_and_times_are_those_of_the_site(self) -> None:
        stand = Stand(echo, SiteLimits(head_s=1.0, keep_alive_s=2.0, body_s=3.0))
        silent, idle = stand.client(), stand.client(ask())
        stand.does = take_body
        body = stand.client(ask("PUT", "/", "Content-Length: 3"))
        for seconds, still_open in ((0.9, 3), (0.5, 2), (1.0, 1)):
            stand.after(seconds)
            self.assertEqual(sum(one.is_open for one in (silent, idle, body)), still_open)
        stand.after(1.0)
        self.assertEqual(statuses(body.answers()), [408])


class AnyOrder(RuleBasedStateMachine):
    """A client and whoever answers it do what they may, in any order.

    The client sends its requests in pieces of any size, reads or not, and may leave. Meanwhile bodies are taken and
    held, answers begun, continued, ended and cut, and time passes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stand = Stand()
        self.client = self.stand.connect()
        self.bodies: list[bytes] = []
        self.unsent = b""
        self.has_left = False

    @property
    def current(self) -> Answering | None:
        """The exchange in progress."""
        one = self.stand.exchanges[-1] if self.stand.exchanges else None
        return one if one is not None and one.exchange not in self.stand.observer.exchanges else None

    def is_taken(self, one: Answering) -> bool:
        return one.exchange.upstream is not None

    # The client.

    @rule(size=st.integers(0, 3000), in_chunks=st.booleans(), waits=st.booleans())
    def write_a_request(self, size: int, in_chunks: bool, waits: bool) -> None:
        body = bytes(at % 251 for at in range(size))
        fields = ["Expect: 100-continue"] if waits else []
        target = f"/{len(self.bodies)}"
        if in_chunks:
            cut = size // 3
            pieces = [piece for piece in (body[:cut], body[cut:]) if piece]
            self.unsent += ask("PUT", target, *fields, CHUNKED) + chunks(*pieces)
        else:
            self.unsent += ask("PUT", target, *fields, body=body)
        self.bodies.append(body)

    @rule(size=st.integers(1, 5000))
    def send(self, size: int) -> None:
        if not self.has_left:
            self.stand.send(self.client, self.unsent[:size])
            self.unsent = self.unsent[size:]

    @rule(reads=st.booleans())
    def read(self, reads: bool) -> None:
        if not self.has_left:
            (self.client.read_again if reads else self.client.stop_reading)()
            self.stand.network.pump()

    @precondition(lambda self: not self.has_left)
    @rule(properly=st.booleans())
    def leave(self, properly: bool) -> None:
        self.has_left = True
        (self.client.close if properly else self.client.reset)()
        self.stand.network.pump()

    # Whoever answers.

    @precondition(lambda self: self.current is not None)
    @rule(what=st.sampled_from(("take", "hold", "go on", "begin", "send", "finish", "answer", "cut", "fail")))
    def answer(self, what: str) -> None:
        one = self.current
        assert one is not None
        if not self.is_taken(one):
            return
        begun = bool(one.exchange.status)
        if what == "take":
            one.take_body()
        elif what == "hold":
            one.downstream.pause_body()
        elif what == "go on":
            one.downstream.resume_body()
        elif what == "begin" and not begun:
            one.begin()
        elif what == "send" and begun:
            one.send(b"x" * 70_000)
        elif what == "finish" and begun:
            one.finish()
        elif what == "answer" and not begun:
            one.answer(b"y" * 100)
        elif what == "cut" and begun:
            one.downstream.abort()
        elif what == "fail":
            one.exchange.fail(GatewayError(BODY_TOO_LARGE))
        self.stand.network.pump()

    @rule(seconds=st.sampled_from((0.5, 5.0, 70.0)))
    def wait(self, seconds: float) -> None:
        self.stand.after(seconds)

    # What always holds.

    @invariant()
    def one_exchange_is_in_progress_at_a_time_and_each_ends_once(self) -> None:
        ended = [one.exchange in self.stand.observer.exchanges for one in self.stand.exchanges]
        assert all(ended[:-1]), ended
        records = self.stand.observer.exchanges
        assert len({id(record) for record in records}) == len(records), "an exchange ended twice"

    @invariant()
    def each_gets_its_own_body_in_order(self) -> None:
        for one, body in zip(self.stand.exchanges, self.bodies, strict=False):
            assert body.startswith(one.body_so_far), one
            assert one.trailers is None or one.body_so_far == body, one

    @invariant()
    def whoever_answers_hears_at_most_once_that_the_client_is_gone(self) -> None:
        for one in self.stand.exchanges:
            assert one.gone <= 1, one
            assert not one.gone or one.exchange.cause is not None, one

    @invariant()
    def what_the_client_reads_is_answers(self) -> None:
        finals = [answer for answer in self.client.answers() if answer.status >= 200]
        assert len(finals) <= len(self.stand.observer.exchanges) + (self.current is not None)
        assert all(answer.is_complete for answer in finals[:-1]), finals

    def teardown(self) -> None:
        """In the end nothing is left, once those have answered who kept the connection from being read."""
        if not self.has_left:
            self.leave(properly=False)
        while (one := self.current) is not None:
            one.exchange.fail(GatewayError(BODY_TOO_LARGE))
            self.stand.network.pump()
        self.stand.after(200)
        assert not self.stand.site.channels, self.stand.site.channels


class AnyOrderTests(SynchronousTestCase):
    def test_whatever_happens_in_whatever_order_every_exchange_is_in_turn_and_ends_once(self) -> None:
        run_state_machine_as_test(AnyOrder, settings=settings(deadline=None, max_examples=60, stateful_step_count=40))
