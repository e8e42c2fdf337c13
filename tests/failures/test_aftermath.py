"""What follows a failure: services that come back, probes that hang, names that change, requests nobody waits for."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from apigateway.testing.client import MemoryClient
from apigateway.testing.gateway import RunningGateway, running_gateway
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.names import NEVER
from apigateway.testing.parts import Chunk, Head, Trickle
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import ReadAll, Stall, Step, Wait
from apigateway.upstream.target import Target
from tests.failures.world import TRANSPORTS


class Place:
    """A gateway in front of one service, with options as in its configuration."""

    def __init__(self, transport: str, **options: Any) -> None:
        self.network = MemoryNetwork()
        self.network.hosts["orders"] = ["10.0.0.1"]
        self.service = ScriptedService().answers(200, b"well")
        self.service.listen(self.network.reactor, 8001, "10.0.0.1")
        one = {"prefix": "/", "methods": ["GET", "PUT"], "targets": ["http://orders:8001"], "transport": transport,
               "health_check": False, "rate_limit": False, **options}  # fmt: skip
        tree = {"listen": ["tcp:8000"], "services": {"one": one}}
        self.gateway: RunningGateway = running_gateway(json.dumps(tree), self.network)

    @property
    def target(self) -> Target:
        return self.gateway.gateway.snapshot.services["one"].targets[0]

    def statuses(self, count: int) -> list[int]:
        """What so many requests, one after the other, are answered."""
        return [self.status() for _ in range(count)]

    def status(self) -> int:
        """What a request is answered, however long that takes."""
        client = self.send()
        while not client.answers("GET"):
            self.network.advance(0.5)
        return client.answers("GET")[0].status

    def send(self, data: bytes = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n") -> MemoryClient:
        """A client that has sent something."""
        client = self.gateway.client().send(data)
        self.network.pump()
        return client

    def cause(self) -> str | None:
        """Why the last exchange failed."""
        return self.gateway.observer.summary()[-1].cause


UPLOAD = b"PUT / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000\r\n\r\n"
BREAKER = {"failures": 2, "recovery": "20s"}


class ComingBackTests(SynchronousTestCase):
    def test_a_service_that_is_restarted_is_found_again_when_its_rest_is_over(self) -> None:
        for transport in TRANSPORTS:
            place = Place(transport, circuit_breaker=BREAKER)
            self.assertEqual(place.statuses(1), [200])
            place.service.die()
            place.network.pump()
            self.assertEqual(place.statuses(4), [502, 502, 503, 503])
            place.service.come_back()
            self.assertEqual(place.statuses(1), [503])
            place.network.advance(20)
            self.assertEqual(place.statuses(3), [200, 200, 200])

    def test_a_process_that_hangs_for_a_while_serves_those_who_waited(self) -> None:
        for transport in TRANSPORTS:
            place = Place(transport)
            place.service.stop_accepting()
            client = place.send()
            place.network.advance(4)
            self.assertEqual(client.received, b"")
            place.service.accept_again()
            place.network.pump()
            self.assertEqual(client.answers()[0].status, 200)


class ProbeTests(SynchronousTestCase):
    """A half-open breaker lets one exchange through; what becomes of it must not keep all others out for ever."""

    def place(self, transport: str, *probe: Step) -> Place:
        """A service whose breaker is about to try it again; what it does then."""
        place = Place(transport, circuit_breaker=BREAKER, timeouts={"response": "5s"})
        place.service.answers(500)
        place.statuses(2)
        place.network.advance(20)
        place.service.answers(200)
        if probe:
            place.service.script(*probe)
        return place

    def test_a_probe_that_stalls_is_a_failure_when_its_time_is_up(self) -> None:
        for transport in TRANSPORTS:
            place = self.place(transport, ReadAll(), Stall())
            self.assertEqual(place.statuses(2), [504, 503])
            place.network.advance(20)
            self.assertEqual(place.statuses(2), [200, 200])

    def test_a_probe_whose_client_goes_away_lets_the_next_one_go(self) -> None:
        for transport in TRANSPORTS:
            place = self.place(transport, ReadAll(), Stall())
            place.send().close()
            place.network.pump()
            self.assertEqual(place.statuses(2), [200, 200])

    def test_a_client_that_is_slow_to_send_holds_it_no_longer_than_a_quick_one(self) -> None:
        for transport in TRANSPORTS:
            place = self.place(transport)
            slow = place.send(UPLOAD)
            self.assertEqual(place.statuses(1), [503])
            for _ in range(21):
                place.network.advance(1)
                slow.send(b"x" * 20)
            self.assertEqual(place.statuses(2), [200, 200])
            slow.send(b"x" * (1000 - 21 * 20))
            place.network.pump()
            self.assertEqual(slow.answers()[0].status, 200)

    def test_a_long_answer_is_an_answer_as_soon_as_it_begins(self) -> None:
        for transport in TRANSPORTS:
            place = self.place(transport, ReadAll(), Head(200, chunked=True), Chunk(b"begun"))
            place.send()
            self.assertEqual(place.statuses(2), [200, 200])

    def test_a_probe_that_is_never_connected_is_a_failure_when_its_time_is_up(self) -> None:
        for transport in TRANSPORTS:
            place = self.place(transport)
            place.service.die()
            place.network.silence("10.0.0.1")
            self.assertEqual(place.statuses(2), [504, 503])
            place.service.come_back()
            place.network.restore("10.0.0.1")
            place.network.advance(20)
            self.assertEqual(place.statuses(2), [200, 200])


class NameTests(SynchronousTestCase):
    def test_connections_live_on_when_the_name_is_someone_elses_and_new_ones_go_there(self) -> None:
        for transport in TRANSPORTS:
            place = Place(transport, pool={"idle": "5s"})
            other = ScriptedService().answers(200, b"the new one")
            other.listen(place.network.reactor, 8001, "10.0.0.2")
            place.statuses(1)
            place.network.hosts["orders"] = ["10.0.0.2"]
            self.assertEqual(place.statuses(2), [200, 200])
            self.assertEqual((len(place.service.requests), len(other.requests)), (3, 0))
            place.network.advance(61)
            self.assertEqual(place.statuses(2), [200, 200])
            self.assertEqual((len(place.service.requests), len(other.requests)), (3, 2))

    def test_a_running_answer_outlives_its_name(self) -> None:
        for transport in TRANSPORTS:
            place = Place(transport)
            place.service.does(ReadAll(), Head(200, length=20), Trickle(b"01234567890123456789"))
            client = place.send()
            del place.network.hosts["orders"]
            place.network.advance(25)
            self.assertEqual(client.answers()[0].body, b"01234567890123456789")

    def test_a_name_that_comes_back_is_found_again(self) -> None:
        for transport in TRANSPORTS:
            place = Place(transport, circuit_breaker=False)
            del place.network.hosts["orders"]
            self.assertEqual((place.status(), place.cause()), (502, "name-not-resolved"))
            place.network.hosts["orders"] = ["10.0.0.1"]
            place.network.advance(1)
            self.assertEqual(place.status(), 200)

    def test_an_exchange_waits_for_a_slow_answer_of_dns_no_longer_than_for_a_connection(self) -> None:
        for transport in TRANSPORTS:
            place = Place(transport, timeouts={"connect": "3s"})
            place.network.reactor.names.delays["orders"] = 2.0
            self.assertEqual(place.status(), 200)
            place = Place(transport, timeouts={"connect": "3s"})
            place.network.reactor.names.delays["orders"] = NEVER
            client = place.send()
            place.network.advance(2.5)
            self.assertEqual(client.received, b"")
            place.network.advance(1)
            self.assertEqual((client.answers()[0].status, place.cause()), (502, "name-not-resolved"))

    def test_many_who_wait_for_one_name_ask_for_it_once(self) -> None:
        place = Place("native")
        place.network.reactor.names.delays["orders"] = 1.0
        clients = [place.send() for _ in range(50)]
        place.network.advance(2)
        self.assertEqual([client.answers()[0].status for client in clients], [200] * 50)
        self.assertEqual(place.network.reactor.names.asked, ["orders"])


class AbandonedTests(SynchronousTestCase):
    """`finish_abandoned`: requests are run to their end though nobody waits, but not for ever."""

    def abandon(self, place: Place, *steps: Step) -> None:
        place.service.does(ReadAll(), *steps)
        client = place.send()
        before = place.target.in_flight
        client.close()
        place.network.pump()
        self.assertEqual(place.target.in_flight, before)

    def test_an_answer_without_end_is_given_up(self) -> None:
        for transport in TRANSPORTS:
            place = Place(transport, finish_abandoned=True, timeouts={"idle": "3s"}, circuit_breaker=BREAKER)
            for _ in range(3):
                self.abandon(place, Head(200, chunked=True), Trickle(b"1\r\nx\r\n" * 500, 1.0, 6))
            place.network.advance(40)
            self.assertEqual((place.target.in_flight, place.target.transport.statistics()["open"]), (0, 0))
            self.assertEqual((place.target.breaker.state, place.target.failures), ("closed", 0))  # type: ignore[union-attr]

    def test_an_answer_that_is_whole_in_time_is_no_failure(self) -> None:
        for transport in TRANSPORTS:
            place = Place(transport, finish_abandoned=True, timeouts={"idle": "3s", "response": "5s"})
            self.abandon(place, Wait(4), Head(200, length=2), Wait(2), Trickle(b"ok"))
            place.network.advance(10)
            self.assertEqual((place.target.in_flight, place.target.transport.statistics()["idle"]), (0, 1))

    def test_a_service_that_never_answers_has_failed_all_the_same(self) -> None:
        for transport in TRANSPORTS:
            place = Place(transport, finish_abandoned=True, timeouts={"response": "5s"})
            self.abandon(place, Stall())
            place.network.advance(70)
            self.assertEqual((place.target.in_flight, place.target.failures), (0, 1))
