"""The site: all connections at a glance, how many there may be, and who is asked what."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from apigateway.downstream.site import SiteLimits
from apigateway.errors import REQUEST_TIMEOUT, GatewayError
from apigateway.exchange import Exchange
from tests.downstream.stand import Answering, Stand, ask, echo, statuses, take_body, wait


class ConnectionTests(SynchronousTestCase):
    def test_above_the_bound_the_longest_at_rest_makes_room(self) -> None:
        stand = Stand(echo, SiteLimits(connections=3))
        said_nothing, half_a_head = stand.client(), stand.client(b"GET / HT")
        stand.after(1)
        rests = stand.client(ask())
        stand.after(1)
        for number, expected in enumerate((said_nothing, half_a_head, rests)):
            self.assertTrue(expected.is_open, number)
            self.assertEqual(statuses(stand.client(ask()).answers()), [200])
            stand.network.pump()
            assert expected.lost is not None
            self.assertIsNotNone(expected.lost.check(ConnectionDone), "it is closed, not cut")
        self.assertEqual(len(stand.site.channels), 3)
        self.assertEqual(stand.site.connections.describe()["evicted"]["connections"], 3)

    def test_where_all_are_busy_the_new_one_is_cut(self) -> None:
        stand = Stand(wait, SiteLimits(connections=2))
        clients = [stand.client(ask()) for _ in range(3)]
        self.assertEqual([client.is_open for client in clients], [True, True, False])
        assert clients[2].lost is not None
        self.assertIsNone(clients[2].lost.check(ConnectionDone))
        self.assertEqual(clients[2].received, b"")

    def test_one_whose_answer_is_over_but_not_read_makes_room_too(self) -> None:
        stand = Stand(wait, SiteLimits(connections=1))
        client = stand.client(ask())
        client.stop_reading()
        stand.last.answer(b"x" * 300_000)
        stand.network.pump()
        stand.does = echo
        self.assertEqual(statuses(stand.client(ask()).answers()), [200])

    def test_beyond_the_bound_of_a_client_its_own_make_room(self) -> None:
        stand = Stand(echo, SiteLimits(connections_per_client=2))
        first, second, third = stand.client(ask()), stand.client(ask()), stand.client(ask())
        self.assertEqual([one.is_open for one in (first, second, third)], [False, True, True])
        self.assertEqual(stand.site.connections.describe()["evicted"]["connections-per-client"], 1)

    def test_new_bounds_hold_for_those_who_come(self) -> None:
        stand = Stand(wait)
        stand.site.bound(SiteLimits(connections=1))
        first, second = stand.client(ask()), stand.client(ask())
        self.assertEqual((first.is_open, second.is_open), (True, False))

    def test_room_can_be_made_by_so_many(self) -> None:
        stand = Stand(wait)
        clients = [stand.client() for _ in range(3)]
        stand.client(ask())
        self.assertEqual((stand.site.make_room(2), stand.site.make_room(2), stand.site.make_room(2)), (2, 1, 0))
        stand.network.pump()
        self.assertFalse(any(client.is_open for client in clients))

    def test_there_is_room_again_when_one_is_gone(self) -> None:
        stand = Stand(echo, SiteLimits(connections=2))
        first, second = stand.client(), stand.client()
        first.close()
        stand.network.pump()
        third = stand.client(ask())
        self.assertEqual((second.is_open, statuses(third.answers())), (True, [200]))

    def test_what_failed_for_one_connection_does_not_reach_another_that_it_ended(self) -> None:
        stand = Stand(take_body)
        clients = [stand.client(ask("PUT", "/", "Content-Length: 3")) for _ in range(2)]

        def end_the_other(one: Answering) -> None:
            other = stand.exchanges[1 - stand.exchanges.index(one)]
            if other.exchange.upstream is not None:
                other.exchange.upstream = None
                other.exchange.fail(GatewayError(REQUEST_TIMEOUT))

        for one in stand.exchanges:
            one.client_gone = lambda one=one: end_the_other(one)  # type: ignore[method-assign,misc]  # a double's method
        stand.after(61)
        self.assertEqual([statuses(client.answers()) for client in clients], [[408], [408]])
        self.assertEqual(len(stand.observer.exchanges), 2)


class EntranceTests(SynchronousTestCase):
    def test_every_exchange_is_identified_before_it_enters(self) -> None:
        stand = Stand(echo)
        stand.client(ask(), ask())
        self.assertEqual([one.exchange.request_id for one in stand.exchanges], [b"id-1", b"id-2"])

    def test_one_that_cannot_be_read_is_identified_too(self) -> None:
        stand = Stand(echo)
        (answer,) = stand.client(b"nonsense\r\n\r\n").answers()
        self.assertEqual(answer.get(b"x-request-id"), b"id-1")

    def test_an_entrance_may_leave_the_answer_to_a_stock_tree(self) -> None:
        root = Resource()
        root.putChild(b"", _Page())
        (answer,) = Stand(root=root).client(ask()).answers()
        self.assertEqual(answer.body, b"page")

    def test_an_unforeseen_failure_in_identifying_costs_one_exchange_only(self) -> None:
        stand = Stand(echo)

        def identify(exchange: Exchange) -> None:
            if exchange.head.target == b"/bad":
                raise ZeroDivisionError

        stand.site.identify = identify
        client = stand.client(ask(target="/bad"), ask(target="/good"))
        self.assertEqual(statuses(client.answers()), [500, 200])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class _Page(Resource):
    isLeaf = True

    def render_GET(self, request: object) -> bytes:
        return b"page"
