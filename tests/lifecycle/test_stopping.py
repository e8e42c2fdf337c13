"""The order in which a gateway ends, and how it is hurried."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.listeners import Listeners
from apigateway.downstream.opening import Opening
from apigateway.errors import STOPPING
from apigateway.lifecycle.stopping import Stopping
from apigateway.routing.thinking import Thinking
from apigateway.testing.client import MemoryClient
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.bulkhead import Bulkhead, Busy
from tests.downstream.stand import Stand, ask, echo, statuses, wait


class Worker:
    """Whoever works on an exchange for which nobody waits."""

    deadline = 0.0

    def __init__(self, everyone: set[Busy]) -> None:
        self.exchange = exchange_for()
        self._everyone = everyone
        everyone.add(self)

    def abandon(self) -> None:
        self._everyone.discard(self)

    def expired(self) -> None:
        raise AssertionError("nobody looks at its deadline")


class StoppingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stand = Stand(echo)
        self.network = self.stand.network
        self.everyone: set[Busy] = set()
        self.listeners = Listeners(self.stand.site, self.network.reactor, lambda port: port)
        self.successResultOf(self.listeners.begin(Opening("tcp:1")))
        self.stopping = Stopping(self.stand.site, self.listeners, self.everyone, self.network.reactor, self.network.now)

    def client(self, request: bytes) -> MemoryClient:
        client = self.network.client(1)
        self.network.pump()
        client.send(request)
        self.network.pump()
        return client

    def run_it(self, accept_s: float, drain_s: float) -> Deferred[None]:
        return Deferred.fromCoroutine(self.stopping.run(accept_s, drain_s))

    def test_each_time_passes_where_something_is_left(self) -> None:
        self.stand.does = wait
        self.client(ask())
        done = self.run_it(2, 5)
        self.network.advance(1.9)
        self.assertEqual(len(self.listeners.ports), 1)
        self.network.advance(0.3)
        self.assertEqual(len(self.listeners.ports), 0)
        self.network.advance(4.5)
        self.assertNoResult(done)
        self.network.advance(1)
        self.successResultOf(done)

    def test_hurried_at_first_it_closes_the_ports_and_cuts(self) -> None:
        self.stand.does = wait
        client = self.client(ask())
        done = self.run_it(3600, 3600)
        self.stopping.hurry()
        self.network.advance(0.6)
        self.successResultOf(done)
        self.assertEqual(statuses(client.answers()), [503])

    def test_hurried_again_it_does_no_more(self) -> None:
        done = self.run_it(3600, 3600)
        for _ in range(3):
            self.stopping.hurry()
        self.network.advance(0.1)
        self.successResultOf(done)

    def test_who_works_for_nobody_gets_the_time_of_the_others_and_is_then_cut(self) -> None:
        worker = Worker(self.everyone)
        done = self.run_it(0, 5)
        self.network.advance(4)
        self.assertNoResult(done)
        self.network.advance(2)
        self.successResultOf(done)
        self.assertEqual((worker.exchange.cause, worker.exchange.status), (STOPPING, 503))

    def test_a_policy_that_still_thinks_is_asked_no_longer(self) -> None:
        exchange, cancelled = exchange_for(), list[object]()
        bulkhead = Bulkhead("shop", self.everyone, lambda: 0.5)
        Thinking(exchange, Deferred(cancelled.append), bulkhead, 3600.0, self.fail).begin()
        done = self.run_it(0, 0)
        self.network.advance(0.1)
        self.successResultOf(done)
        self.assertEqual((exchange.cause, exchange.status, len(cancelled)), (STOPPING, 503, 1))

    def test_with_nobody_left_it_is_done_at_once(self) -> None:
        done = self.run_it(0, 3600)
        self.network.advance(0.1)
        self.successResultOf(done)
