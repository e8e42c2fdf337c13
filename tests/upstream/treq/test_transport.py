"""Which connection an attempt through treq gets, what becomes of it, and who waits for one."""

from __future__ import annotations

import socket

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface.verify import verifyObject

from apigateway.config.model import Pool
from apigateway.http.heads import CHUNKED
from apigateway.interfaces import ITransport
from apigateway.testing.exchanges import exchange_for
from apigateway.testing.receiver import RecordingReceiver
from apigateway.testing.steps import Answer, Close, Reset, Respond, Stall, Wait
from apigateway.upstream.pool.crowding import CROWDED_RATE, PATIENCE_S
from apigateway.upstream.steps.time_limits import NEVER
from apigateway.upstream.treq.connection import TreqConnection
from apigateway.upstream.treq.transport import TreqTransport
from tests.upstream.treq_world import HOST, World, starting


class TreqConnections(SynchronousTestCase):
    """Which connection an attempt gets, and what becomes of it."""

    def setUp(self):
        self.world = World()

    def statistics(self, *names):
        numbers = self.world.transport.statistics()
        return tuple(numbers[name] for name in names)

    def test_the_transport_is_what_its_interface_says(self):
        verifyObject(ITransport, self.world.transport)

    def test_a_connection_is_used_again_and_says_so(self):
        first, second = self.world.ask(), self.world.ask()
        self.assertEqual((first.attempt.reused, second.attempt.reused), (False, True))
        self.assertEqual(self.statistics("open", "idle", "opened", "reused"), (1, 1, 1, 1))

    def test_of_several_idle_connections_the_oldest_is_used(self):
        self.world.service.script(Wait(1), Answer()).script(Wait(2), Answer())
        self.world.ask()
        self.world.ask()
        self.world.network.advance(2)
        self.world.ask()
        first, second = self.world.service.connections
        self.assertEqual((len(first.requests), len(second.requests)), (2, 1))

    def test_a_fresh_lease_gets_a_new_connection_that_is_not_kept(self):
        self.world.ask()
        receiver = starting()
        self.world.transport.lease(receiver, fresh=True)
        self.world.network.pump()
        self.assertEqual((receiver.is_ended, receiver.attempt.reused), (True, False))
        self.assertEqual(self.statistics("open", "opened"), (1, 2))

    def test_connections_that_the_service_will_close_are_not_used_again(self):
        for raw in (
            b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nConnection: close, x-extra\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 204 OK\r\nConnection: close\r\n\r\n",
        ):
            self.world.service.script(Respond(raw))
            self.assertTrue(self.world.ask().is_ended)
            self.assertEqual(self.statistics("open", "idle"), (0, 0))
        self.assertFalse(self.world.ask().attempt.reused)

    def test_a_waiting_receiver_does_not_get_a_connection_that_is_being_closed(self):
        world = World(Pool(connections=1))
        world.service.script(Wait(1), Respond(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
        world.ask()
        second = world.ask()
        world.network.advance(1)
        self.assertEqual((second.is_ended, second.attempt.reused), (True, False))

    def test_an_idle_connection_that_the_service_closes_is_forgotten(self):
        self.world.service.script(Answer(), Wait(1), Close())
        self.world.ask()
        self.world.network.advance(1)
        self.assertEqual(self.statistics("open", "idle"), (0, 0))
        self.assertEqual(self.world.ask().status, 200)

    def test_an_idle_connection_on_which_something_arrives_unasked_is_cut(self):
        self.world.service.script(Answer(), Wait(1), Respond(b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"))
        self.world.ask()
        self.world.network.advance(1)
        self.assertEqual(self.statistics("open", "idle"), (0, 0))

    def test_an_idle_connection_is_closed_after_a_while(self):
        world = World(Pool(idle=30.0))
        world.ask()
        world.network.advance(29)
        self.assertEqual(len(world.service.open_connections), 1)
        world.network.advance(2)
        self.assertEqual(len(world.service.open_connections), 0)

    def test_a_reused_connection_that_dies_before_the_answer_says_that_it_was_reused(self):
        self.world.ask()
        self.world.service.script(Reset())
        receiver = self.world.ask()
        self.assertEqual((receiver.cause, receiver.attempt.reused), ("connection-lost", True))

    def test_a_connection_that_dies_between_lease_and_start_is_told_after_the_start(self):
        receiver = RecordingReceiver()
        self.world.transport.lease(receiver)
        self.world.network.pump()
        self.world.network.cut("10.0.0.5")
        receiver.attempt.start(b"GET", b"/", HOST, 0)
        self.assertEqual(receiver.events, ["leased"])
        self.world.network.pump()
        self.assertEqual(receiver.cause, "connection-lost")
        self.assertEqual(self.statistics("open", "idle"), (0, 0))

    def test_cancelling_cuts_the_connection_and_silences_the_attempt(self):
        unanswered = (Stall(),)
        unfinished = (Respond(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), Stall())
        for script in (unanswered, unfinished):
            for length in (0, 10, CHUNKED):
                self.world.service.script(*script)
                receiver = self.world.ask(b"POST", length=length)
                before = list(receiver.events)
                receiver.attempt.cancel()
                self.world.network.pump()
                self.assertEqual((receiver.events, self.world.service.open_connections), (before, []))
                self.assertEqual(self.statistics("open", "idle"), (0, 0))

    def test_cancelling_from_within_the_answer(self):
        class Canceller(RecordingReceiver):
            def head(self, *args):
                super().head(*args)
                self.attempt.cancel()

        self.world.service.answers(200, b"unwanted")
        receiver = Canceller(lambda attempt: attempt.start(b"GET", b"/", HOST, 0))
        self.world.transport.lease(receiver)
        self.world.network.pump()
        self.assertEqual((receiver.status, receiver.body, receiver.is_ended), (200, b"", False))
        self.assertEqual(self.world.service.open_connections, [])

    def test_closing_ends_idle_connections_now_and_busy_ones_after_their_attempt(self):
        self.world.service.script(Wait(2), Answer(200, b"last")).script(Wait(1), Answer())
        busy, other = self.world.ask(), self.world.ask()
        self.world.network.advance(1)
        self.assertEqual((other.is_ended, self.statistics("open", "idle")), (True, (2, 1)))
        self.world.transport.close()
        self.world.network.pump()
        self.assertEqual(self.statistics("open", "idle"), (1, 0))
        self.world.network.advance(1)
        self.assertEqual((busy.body, self.statistics("open", "idle")), (b"last", (0, 0)))
        self.assertEqual(self.world.network.reactor.getDelayedCalls(), [])


class TreqWaitingLine(SynchronousTestCase):
    """At most so many attempts at once; the others wait, in order, and not for ever."""

    def setUp(self):
        self.world = World(Pool(connections=1, waiting=2))
        self.world.service.does(Wait(1), Answer())

    def test_attempts_above_the_bound_are_served_in_their_order(self):
        first, second, third = (self.world.ask() for _ in range(3))
        self.assertEqual(repr(self.world.transport), "<TreqTransport open=1 idle=0 waiting=2 opened=1 reused=0>")
        self.world.network.advance(1)
        self.assertEqual([first.is_ended, second.is_ended, third.attempt], [True, False, None])
        self.world.network.advance(2)
        self.assertTrue(third.is_ended)
        self.assertEqual(self.world.transport.statistics()["opened"], 1)

    def test_a_full_line_is_refused_at_once(self):
        for _ in range(3):
            self.world.ask()
        refused = self.world.ask()
        self.assertEqual((refused.cause, refused.error.retry_after_s), ("pool-exhausted", 1))

    def test_a_refusal_by_the_sweep_may_end_the_waiting_of_another(self):
        world = World(Pool(connections=1))
        world.service.does(Stall())
        world.ask()
        first, second = RecordingReceiver(), RecordingReceiver()
        first.failed = lambda error: world.transport.cancel(second)
        world.transport.lease(first)
        world.transport.lease(second)
        world.network.advance(3)
        world.transport.sweep(world.network.now())
        self.assertEqual((second.events, world.transport.statistics()["waiting"]), ([], 0))

    def test_who_waits_too_long_is_refused_by_the_sweep(self):
        self.world.service.does(Stall())
        self.world.ask()
        waiting = self.world.ask()
        self.world.transport.sweep(self.world.network.now() + 1.9)
        self.assertIsNone(waiting.cause)
        self.world.transport.sweep(self.world.network.now() + 2)
        self.assertEqual(waiting.cause, "pool-exhausted")

    def test_a_line_that_stands_takes_only_those_who_can_be_served_in_time(self):
        world = World(Pool(connections=1, waiting=100))
        world.service.does(Wait(1), Answer())
        for _ in range(4):
            world.ask()
        world.network.advance(2)
        self.assertEqual(world.transport.statistics()["waiting"], 1)
        self.assertEqual([world.ask().cause for _ in range(3)], [None, "pool-exhausted", "pool-exhausted"])

    def test_who_no_longer_waits_is_passed_over(self):
        self.world.ask()
        gone, next_one = self.world.ask(), self.world.ask()
        self.world.transport.cancel(gone)
        self.world.network.advance(2)
        self.assertEqual((gone.attempt, next_one.is_ended), (None, True))

    def test_a_failed_or_cancelled_attempt_makes_room(self):
        self.world.service.script(Reset()).script(Stall())
        broken, cancelled, last = self.world.ask(), self.world.ask(), self.world.ask()
        self.assertEqual(broken.cause, "connection-lost")
        cancelled.attempt.cancel()
        self.world.network.advance(1)
        self.assertTrue(last.is_ended)

    def test_a_line_whose_connections_all_fail_is_told_so_one_by_one(self):
        world = World(Pool(connections=1, waiting=600), url="http://no..such..name")
        waiting = [world.ask() for _ in range(600)]
        self.assertEqual({receiver.cause for receiver in waiting}, {"name-not-resolved"})


class Echo(Resource):
    """Answers with the body of the request, twice."""

    isLeaf = True

    def render_POST(self, request):
        body = request.content.read()
        request.write(body)
        return body


class Ending(RecordingReceiver):
    """A receiver whose `over` fires at the end."""

    def __init__(self, when_leased):
        super().__init__(when_leased)
        self.over = Deferred()

    def end(self, trailers):
        super().end(trailers)
        self.over.callback(None)

    def failed(self, error):
        super().failed(error)
        self.over.callback(None)


class UnreadTests(SynchronousTestCase):
    """What has arrived before a request is sent is no answer to it."""

    def setUp(self):
        self.world = World()
        self.world.service.answers(body=b"honest")
        self.ours, self.theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)
        self.watch(self.world.transport.connection_made)

    def watch(self, made):
        """Let the connections seem to be on our end of the pair."""

        def note(connection):
            made(connection)
            connection.connectionMade = lambda: begin(connection)

        def begin(connection):
            connection.transport.getHandle = lambda: self.ours
            TreqConnection.connectionMade(connection)

        self.world.transport.connection_made = note

    def numbers(self):
        statistics = self.world.transport.statistics()
        return statistics["open"], statistics["opened"], statistics["waiting"]

    def test_where_nothing_waits_the_connection_is_kept_and_used(self):
        bodies = [self.world.ask().body for _ in range(2)]
        self.assertEqual((bodies, self.numbers()), ([b"honest"] * 2, (1, 1, 0)))

    def test_a_service_that_talks_before_it_is_asked_fails_who_asks_and_gets_no_request(self):
        self.theirs.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        receiver = self.world.ask()
        self.assertEqual((receiver.cause, receiver.attempt), ("bad-response", None))
        self.assertEqual((self.world.service.requests, self.numbers()), ([], (0, 1, 0)))
        self.ours.recv(100)
        self.assertEqual(self.world.ask().body, b"honest")


class TreqOverSockets(TestCase):
    """The same with a stock twisted.web `Site` and the real reactor."""

    async def test_a_large_body_goes_there_and_back(self):
        from twisted.internet import reactor as real_reactor  # noqa: PLC0415  # for this test alone

        port = real_reactor.listenTCP(0, Site(Echo(), reactor=real_reactor), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        transport = TreqTransport(
            f"http://127.0.0.1:{port.getHost().port}", real_reactor, Pool(), 5.0, real_reactor.seconds, 5.0
        )
        body = bytes(range(256)) * 4096

        def send(attempt):
            attempt.start(b"POST", b"/", b"Host: echo\r\n", len(body))
            attempt.body(body)
            attempt.body_end([])
            attempt.flush()

        for reused in (False, True):
            receiver = Ending(send)
            transport.lease(receiver)
            await receiver.over
            self.assertEqual((receiver.status, receiver.cause, receiver.attempt.reused), (200, None, reused))
            self.assertEqual(receiver.body, body * 2)
        transport.close()


class TreqSieges(SynchronousTestCase):
    """A pool of four whose connections uploads hold that hardly move."""

    def setUp(self):
        self.world = World(Pool(connections=4))
        self.uploads = [self.upload() for _ in range(4)]
        self.sweep(0)

    def upload(self, client="203.0.113.66"):
        receiver = starting(b"PUT", length=1000)
        receiver.exchange = exchange_for("PUT", body=b"x" * 1000, client=client)
        receiver.exchange.downstream.is_whole = False
        receiver.deadline = NEVER
        self.world.transport.lease(receiver)
        self.world.network.pump()
        return receiver

    def sweep(self, seconds):
        self.world.network.advance(seconds)
        self.world.transport.sweep(self.world.network.now())
        self.world.network.pump()

    def made_room(self):
        return [one.stopped.cause.code for one in self.uploads if one.stopped]

    def test_a_request_that_is_all_here_gets_the_place_of_one_at_once(self):
        self.sweep(PATIENCE_S)
        get = self.world.ask()
        self.assertEqual((get.status, self.made_room()), (200, ["client-too-slow"]))

    def test_its_connection_is_kept_for_others_like_it_when_it_is_done(self):
        self.sweep(PATIENCE_S)
        self.world.ask()
        late = self.upload()
        self.assertEqual((late.events, self.world.transport.statistics()["waiting"]), ([], 1))
        self.assertTrue(self.world.ask().attempt.reused)

    def test_those_in_the_line_when_it_is_known_get_places_too(self):
        late, get = self.upload("203.0.113.9"), self.world.ask()
        self.assertEqual((late.events, get.events), ([], []))
        self.sweep(PATIENCE_S)
        self.assertEqual((late.events, get.status), (["leased"], 200))
        self.assertEqual(len(self.made_room()), 2)

    def test_those_that_move_stay(self):
        get = self.world.ask()
        for _ in range(6):
            for upload in self.uploads:
                upload.exchange.bytes_in += CROWDED_RATE // 4
            self.sweep(0.25)
        self.assertEqual((self.made_room(), get.events), ([], []))

    def test_room_is_made_for_one_that_has_no_place_at_the_service(self):
        self.assertFalse(self.world.transport.make_room(starting()))
        self.sweep(PATIENCE_S)
        self.assertTrue(self.world.transport.make_room(starting()))
        self.assertEqual(len(self.made_room()), 1)
