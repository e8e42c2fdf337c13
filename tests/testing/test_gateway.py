"""A whole gateway on a memory network, with both transports."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Configuration, Listener, Route, Service, Target
from apigateway.config.read import ConfigurationError
from apigateway.testing.gateway import running_gateway
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Answer, Stall, Wait

TEXT = """
services:
  orders:
    prefix: /orders
    targets: ["http://${ORDERS}:8003"]
    transport: %s
    health_check: false
    timeouts: {response: 3s}
"""


class RunningGateways(SynchronousTestCase):
    def setUp(self):
        self.network = MemoryNetwork()
        self.network.hosts["orders"] = ["10.0.0.5"]
        self.service = ScriptedService()
        self.service.listen(self.network.reactor, 8003, "10.0.0.5")

    def start(self, configuration=TEXT % "native"):
        running = running_gateway(configuration, self.network, {"ORDERS": "orders"})
        self.addCleanup(self.stop, running)
        return running

    def stop(self, running):
        stopped = running.stop()
        self.network.advance(60)
        self.successResultOf(stopped)
        self.assertEqual(self.network.reactor.getDelayedCalls(), [])

    def test_requests_reach_the_service_and_answers_the_client(self):
        for transport in ("native", "treq"):
            network = self.network
            running = running_gateway(TEXT % transport, network, {"ORDERS": "orders"})
            self.service.script(Answer(201, b"made", {"X-A": "1"}))
            answer = running.ask("POST", "/orders?x", [(b"X-B", b"2")], b"new", source="192.0.2.9")
            self.assertEqual((answer.status, answer.body, answer.get(b"x-a")), (201, b"made", b"1"))
            request = self.service.requests[-1]
            self.assertEqual((request.method, request.target, request.body), ("POST", "/orders?x", b"new"))
            self.assertEqual((request.get(b"x-b"), request.get(b"x-forwarded-for")), (b"2", b"192.0.2.9"))
            self.assertEqual(running.observer.summary(), [("POST", "/orders?x", 201, None, "orders", 1)])
            self.stop(running)

    def test_a_configuration_may_be_given_as_values(self):
        orders = Service("orders", (Route("/orders"),), (Target("http://10.0.0.5:8003"),), health_check=None)
        running = self.start(Configuration((orders,), listen=(Listener("tcp:9000"),)))
        self.assertEqual(running.ask("GET", "/orders").status, 200)
        self.assertEqual(repr(running), "<RunningGateway on port 9000 <RecordingObserver GET /orders -> 200>>")

    def test_a_wrong_configuration_is_told(self):
        self.assertRaises(ConfigurationError, running_gateway, "services: 7", self.network)

    def test_time_limits_pass_in_virtual_time(self):
        running = self.start()
        self.service.script(Stall())
        client = running.client().send(b"GET /orders HTTP/1.1\r\nHost: x\r\n\r\n")
        self.network.advance(2.5)
        self.assertEqual(client.received, b"")
        self.network.advance(1)
        self.assertEqual(client.answers()[0].status, 504)
        self.assertEqual(running.observer.summary()[0].cause, "response-timeout")

    def test_a_request_that_needs_time_is_no_question_for_ask(self):
        running = self.start()
        self.service.script(Wait(1), Answer())
        self.assertRaises(AssertionError, running.ask, "GET", "/orders")
