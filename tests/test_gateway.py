"""The running gateway in virtual time: starting, sweeping, and stopping in order."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.static import Data

from apigateway.config.model import EventLog
from apigateway.config.read import parse_text
from apigateway.gateway import Gateway
from apigateway.testing.client import MemoryClient
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Stall
from apigateway.testing.wire import Message

FILE = """
listen: [tcp:8000]
access_log: false
stop: {accept: 1s, drain: 30s}
services:
  shop: {prefix: /shop, targets: ["http://127.0.0.1:9000"], health_check: false}
"""
GET = b"GET /shop/1 HTTP/1.1\r\nHost: shop.example\r\n\r\n"
READY = b"GET /health/ready HTTP/1.1\r\nHost: shop.example\r\n\r\n"


class GatewayTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.shop = ScriptedService()
        self.shop.answers(200, body=b"a cup")
        self.shop.listen(self.network.reactor, 9000)
        self.gateway = Gateway(parse_text(FILE, "test.yaml", {}), self.network.reactor, self.network.now)
        self.gateway.privilegedStartService()
        self.gateway.startService()

    def ask(self, request: bytes = GET) -> MemoryClient:
        client = self.network.client(8000)
        self.network.pump()
        client.send(request)
        self.network.pump()
        return client


class ServingTests(GatewayTestCase):
    def test_an_exchange_is_answered_by_its_service(self) -> None:
        (answer,) = self.ask().answers()
        self.assertEqual((answer.status, answer.body), (200, b"a cup"))

    def test_a_port_that_is_taken_is_told_at_once(self) -> None:
        other = Gateway(parse_text(FILE, "test.yaml", {}), self.network.reactor, self.network.now)
        self.assertRaises(CannotListenError, other.privilegedStartService)

    def test_one_client_may_have_half_of_all_connections_at_most(self) -> None:
        for limits, most in (("connections: 10", 5), ("connections: 1", 1), ("connections_per_client: 7", 7)):
            configuration = parse_text(FILE + f"limits: {{{limits}}}\n", "test.yaml", {})
            gateway = Gateway(configuration, self.network.reactor, self.network.now)
            self.assertEqual(gateway.site.limits.connections_per_client, most, limits)

    def test_the_exchange_is_in_the_statistics_once_it_is_over(self) -> None:
        self.ask()
        self.network.advance(0.1)
        (answer,) = self.ask(b"GET /gateway/stats HTTP/1.1\r\nHost: shop.example\r\n\r\n").answers()
        self.assertEqual(answer.status, 403, "the client is not a local one")
        local = self.network.client(8000, source="127.0.0.1")
        self.network.pump()
        local.send(b"GET /gateway/stats HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.network.pump()
        (answer,) = local.answers()
        self.assertEqual(json.loads(answer.body)["since_start"]["services"]["shop"]["requests"], 1)

    def test_a_service_that_does_not_answer_costs_its_time_limit(self) -> None:
        self.shop.does(Stall())
        client = self.ask()
        self.network.advance(29)
        self.assertEqual(client.answers(), [])
        self.network.advance(1.5)
        (answer,) = client.answers()
        self.assertEqual((answer.status, json.loads(answer.body)["cause"]), (504, "response-timeout"))


class FaultyObserver:
    """Fails whenever it is told something."""

    def exchange_ended(self, exchange: object) -> None:
        raise ZeroDivisionError


class FaultTests(SynchronousTestCase):
    def test_an_observer_that_fails_costs_nobody_a_deadline(self) -> None:
        network = MemoryNetwork()
        shop = ScriptedService()
        shop.does(Stall())
        shop.listen(network.reactor, 9000)
        configuration = parse_text(FILE, "test.yaml", {})
        gateway = Gateway(configuration, network.reactor, network.now, observers=[FaultyObserver()])
        gateway.startService()
        for _ in range(2):
            client = network.client(8000)
            network.pump()
            client.send(GET)
            network.advance(31)
            (answer,) = client.answers()
            self.assertEqual(answer.status, 504)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_a_sweep_that_fails_is_logged_and_the_others_go_on(self) -> None:
        network = MemoryNetwork()
        gateway = Gateway(parse_text(FILE, "test.yaml", {}), network.reactor, network.now)
        gateway.startService()

        def fail(now: float) -> None:
            raise ZeroDivisionError

        self.patch(gateway.site, "sweep", fail)
        network.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 4)


class StoppingTests(GatewayTestCase):
    def test_a_gateway_without_clients_stops_when_it_takes_no_more_connections(self) -> None:
        stopped = self.gateway.stopService()
        self.network.advance(0.9)
        self.assertNoResult(stopped)
        self.network.advance(0.2)
        self.successResultOf(stopped)
        self.assertEqual(self.network.ports.keys(), {("127.0.0.1", 9000)})
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])

    def test_readiness_fails_at_once_while_connections_are_still_taken(self) -> None:
        idle = self.ask()
        stopped = self.gateway.stopService()
        (answer,) = self.ask(READY).answers()
        self.assertEqual(answer.status, 503)
        self.assertTrue(idle.is_open)
        self.network.advance(2)
        self.successResultOf(stopped)

    def test_idle_connections_are_closed_when_no_more_are_taken(self) -> None:
        idle = self.ask()
        stopped = self.gateway.stopService()
        self.network.advance(1.1)
        self.assertFalse(idle.is_open)
        self.successResultOf(stopped)

    def test_an_exchange_in_progress_is_finished_and_closes_its_connection(self) -> None:
        self.shop.does(Stall())
        busy = self.ask()
        stopped = self.gateway.stopService()
        self.network.advance(5)
        self.assertNoResult(stopped)
        self.shop.open_connections[0].write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        self.network.advance(0.1)
        (answer,) = busy.answers()
        self.assertEqual((answer.body, answer.get(b"connection")), (b"late", b"close"))
        self.successResultOf(stopped)

    def test_what_takes_longer_than_the_drain_is_cut(self) -> None:
        self.shop.does(Stall())
        busy = self.ask()
        stopped = self.gateway.stopService()
        self.network.advance(31.5)
        self.successResultOf(stopped)
        self.assertFalse(busy.is_open)
        self.assertEqual(self.shop.open_connections, [])


class ChangeTests(GatewayTestCase):
    """What a running gateway does with another configuration."""

    def change(self, before: str = "", after: str = "") -> tuple[str, ...]:
        """Go on with `FILE`, where one text takes the place of another; returns the problems."""
        configuration = parse_text(FILE.replace(before, after), "test.yaml", {})
        changing = Deferred.fromCoroutine(self.gateway.change(configuration))
        self.network.advance(0.01)
        return self.successResultOf(changing)

    def local(self, request: bytes) -> Message:
        """The answer for a client of this machine."""
        client = self.network.client(8000, source="127.0.0.1")
        self.network.pump()
        client.send(request)
        self.network.pump()
        return client.answers()[-1]

    def test_clients_are_who_the_new_trusted_proxies_say(self) -> None:
        asked = GET.replace(b"\r\n\r\n", b"\r\nX-Request-Id: mine\r\n\r\n")
        self.assertNotEqual(self.local(asked).get(b"x-request-id"), b"mine")
        self.assertEqual(self.change("listen:", "trusted_proxies: [127.0.0.0/8]\nlisten:"), ())
        self.assertEqual(self.local(asked).get(b"x-request-id"), b"mine")

    def test_the_pages_are_for_those_of_the_new_configuration(self) -> None:
        asked = b"GET /gateway/stats HTTP/1.1\r\nHost: localhost\r\n\r\n"
        self.assertEqual(self.local(asked).status, 200)
        self.change("listen:", "admin: {allow: [], token: a-token-of-twenty-characters}\nlisten:")
        self.assertEqual(self.local(asked).status, 403)
        known = asked.replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer a-token-of-twenty-characters\r\n\r\n")
        self.assertEqual(self.local(known).status, 200)

    def test_it_stops_within_the_new_times(self) -> None:
        self.change("accept: 1s", "accept: 7s")
        stopped = self.gateway.stopService()
        self.network.advance(6.5)
        self.assertNoResult(stopped)
        self.network.advance(1)
        self.successResultOf(stopped)

    def test_its_own_events_are_told_to_change(self) -> None:
        told: list[EventLog] = []
        self.patch(self.gateway, "_log_changed", told.append)
        self.change("listen:", "limits: {head: 2KiB}\nlisten:")
        self.change("listen:", "log: {level: debug}\nlisten:")
        self.assertEqual([log.level for log in told], ["debug"])

    def test_mounts_stay_where_they_are(self) -> None:
        gateway = Gateway(
            parse_text(FILE.replace("tcp:8000", "tcp:8001"), "test.yaml", {}), self.network.reactor, self.network.now,
            mounts={b"/mine": Data(b"mine", "text/plain")},
        )  # fmt: skip
        gateway.startService()
        other = parse_text(FILE.replace("tcp:8000", "tcp:8001").replace("shop:", "store:"), "test.yaml", {})
        self.successResultOf(Deferred.fromCoroutine(gateway.change(other)))
        client = self.network.client(8001)
        self.network.pump()
        client.send(b"GET /mine HTTP/1.1\r\nHost: here\r\n\r\n")
        self.network.pump()
        self.assertEqual(client.answers()[0].body, b"mine")

    def test_a_port_that_is_taken_changes_nothing(self) -> None:
        before = self.gateway.snapshot
        self.network.reactor.listenTCP(8001, self.gateway.site)
        (problem,) = self.change("[tcp:8000]", "[tcp:8000, tcp:8001, tcp:8002]")
        self.assertIn("'tcp:8001' cannot be opened", problem)
        self.assertIs(self.gateway.snapshot, before)
        self.assertEqual(sorted(port for _, port in self.network.ports), [8000, 8001, 9000])

    def test_deadlines_of_exchanges_that_began_before_are_still_kept(self) -> None:
        self.shop.does(Stall())
        client = self.ask()
        self.assertEqual(self.change("shop:", "store:"), ())
        self.network.advance(31)
        self.assertEqual([answer.status for answer in client.answers()], [504])

    def test_where_a_program_made_the_configuration_there_is_nothing_to_read_again(self) -> None:
        self.assertEqual(self.successResultOf(self.gateway.reload("test")).outcome, "unchanged")
