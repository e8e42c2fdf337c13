"""An exchange that switches to another protocol: what is offered, and what a 101 is to everybody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import CONNECT_FAILED, INTERNAL_ERROR, GatewayError
from apigateway.testing.downstream import RecordingDownstream
from apigateway.upstream.relays import UpgradeRules
from apigateway.upstream.steps.nobody import NOBODY
from tests.upstream.forward_world import World

WISH = [(b"Connection", b"upgrade"), (b"Upgrade", b"chat/1, other")]
LINES = b"X-Theirs: 1\r\n"


class Relay:
    """A relay as far as it is counted."""

    bytes_in = bytes_out = 0


class SwitchCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.begin()

    def begin(self, most: int = 2, **world: Any) -> None:
        """A service that may switch to `chat/1`."""
        self.world = World(**world)
        self.relays = self.world.service.relays
        self.rules = UpgradeRules(frozenset((b"chat/1",)), 7.0, most)
        self.world.plan = replace(self.world.plan, upgrades=self.rules)

    def asked(self, **more: Any) -> RecordingDownstream:
        """A client that would like to."""
        client: RecordingDownstream = self.world.forward(fields=WISH, **more)
        return client

    def sent(self, name: bytes) -> list[bytes]:
        """The values of a field as the service got it."""
        return [value for key, value in self.world.attempt.head[2] if key == name]


class OfferTests(SwitchCase):
    def test_the_service_is_offered_what_may_be(self) -> None:
        self.asked()
        self.assertEqual((self.sent(b"Upgrade"), self.sent(b"Connection")), ([b"chat/1"], [b"Upgrade"]))
        self.assertEqual(self.world.attempt.offer.protocols, (b"chat/1",))

    def test_where_one_side_cannot_nothing_is_offered(self) -> None:
        client = RecordingDownstream()
        client.can_switch = False
        self.asked(downstream=client)
        self.assertEqual((self.sent(b"Upgrade"), self.sent(b"Connection")), ([], []))
        self.assertIsNone(self.world.attempt.offer)

    def test_nor_by_a_route_that_does_not_let_it(self) -> None:
        for upgrades in (None, replace(self.rules, protocols=frozenset((b"other/2",)))):
            self.world.plan = replace(self.world.plan, upgrades=upgrades)
            self.asked()
            self.assertEqual((self.sent(b"Upgrade"), self.world.attempt.offer), ([], None))

    def test_it_is_refused_where_there_are_as_many_as_there_may_be(self) -> None:
        for _ in range(2):
            self.relays.began(Relay())
        error = self.assertRaises(GatewayError, self.asked)
        self.assertEqual(error.cause.code, "service-overloaded")
        self.assertEqual(self.world.transport.attempts, [])
        self.world.forward()
        self.assertEqual(len(self.world.transport.attempts), 1)

    def test_an_exchange_that_fails_before_is_repeated_with_the_same_offer(self) -> None:
        self.begin(targets=2)
        self.world.transports[0].refuses = CONNECT_FAILED
        self.asked()
        self.assertEqual(self.world.transports[1].last.offer.protocols, (b"chat/1",))


class SwitchTests(SwitchCase):
    def switch(self, client: RecordingDownstream) -> None:
        self.world.attempt.receiver.switched(b"chat/1", b"Go", LINES)

    def test_the_client_gets_the_answer_and_the_attempt(self) -> None:
        client = self.asked()
        self.switch(client)
        self.assertEqual((client.status, client.reason, client.get(b"x-theirs")), (101, b"Go", b"1"))
        self.assertEqual(client.fields[-2:], [(b"Connection", b"Upgrade"), (b"Upgrade", b"chat/1")])
        self.assertTrue(client.get(b"x-request-id") is not None)
        assert client.switched is not None
        attempt, account = client.switched
        self.assertIs(attempt, self.world.attempt)
        self.assertEqual((account.idle_s, account.is_websocket), (7.0, False))

    def test_it_takes_the_place_of_no_exchange_any_more(self) -> None:
        client = self.asked()
        self.assertEqual(len(self.world.service.active), 1)
        self.switch(client)
        self.assertEqual((len(self.world.service.active), self.world.targets[0].in_flight), (0, 0))
        self.assertEqual(self.world.breaker.told, ["success"])
        exchange = client.exchange
        assert exchange is not None
        self.assertEqual((exchange.status, exchange.snapshot, exchange.upstream), (101, None, None))
        self.assertIs(exchange.downstream, NOBODY)
        self.world.advance(1000)
        self.assertEqual(self.world.ended, [])

    def test_one_too_many_that_was_let_in_is_refused_now(self) -> None:
        first, second = self.asked(), self.asked()
        for _ in range(2):
            self.relays.began(Relay())
        self.world.transport.attempts[0].receiver.switched(b"chat/1", b"Go", LINES)
        self.assertEqual((first.status, first.switched), (503, None))
        self.assertTrue(self.world.transport.attempts[0].is_cancelled)
        self.assertEqual(second.status, 0)

    def test_a_policy_may_refuse_the_answer(self) -> None:
        def refuse(exchange: object, head: object) -> None:
            raise GatewayError(INTERNAL_ERROR)

        self.world.plan = replace(self.world.plan, on_response=(refuse,))
        client = self.asked()
        self.switch(client)
        self.assertEqual((client.status, client.switched), (500, None))
        self.assertTrue(self.world.attempt.is_cancelled)

    def test_where_the_client_is_gone_the_service_is_let_go(self) -> None:
        self.begin(finish_abandoned=True)
        client = self.asked()
        client.leave()
        self.switch(client)
        self.assertTrue(self.world.attempt.is_cancelled)
        self.assertEqual((client.switched, len(self.relays.open)), (None, 0))
