"""What goes wrong on the way to and from a target through treq, and what it is called."""

from __future__ import annotations

from errno import EMFILE

from twisted.internet.error import ConnectBindError, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import RequestGenerationFailed, ResponseFailed, ResponseNeverReceived
from twisted.web.http import PotentialDataLoss

from apigateway.errors import POOL_EXHAUSTED, TLS_FAILED, GatewayError
from apigateway.upstream.treq.errors import connect_error, exchange_error
from tests.upstream.treq_world import World


class TreqConnecting(SynchronousTestCase):
    """Why there is no connection."""

    def setUp(self):
        self.world = World()

    def failing(self, url):
        self.world.transport = self.world.transport_to(url)
        receiver = self.world.ask()
        # The endpoint tries the next address of a name a moment later, and only then knows that there is none.
        self.world.network.advance(0.3)
        return receiver

    def test_nobody_listens(self):
        self.assertEqual(self.failing("http://shop:81").cause, "connect-failed")

    def test_nobody_answers_in_time(self):
        self.world.network.silence("10.0.0.5")
        receiver = self.failing("http://shop")
        self.world.network.advance(4.6)
        self.assertIsNone(receiver.cause)
        self.world.network.advance(0.2)
        self.assertEqual(receiver.cause, "connect-timeout")

    def test_there_is_no_descriptor_for_it(self):
        self.assertEqual(connect_error(Failure(ConnectBindError(EMFILE, "none left"))).cause.code, "no-descriptors")

    def test_the_name_is_unknown(self):
        self.assertEqual(self.failing("http://nowhere").cause, "name-not-resolved")

    def test_the_name_can_be_none(self):
        self.assertEqual(self.failing(f"http://{'x' * 70}").cause, "name-not-resolved")

    def test_an_address_needs_no_name(self):
        self.assertEqual(self.failing("http://10.0.0.5").status, 200)

    def test_an_ipv6_address(self):
        self.world.service.listen(self.world.network.reactor, 8080, "::1")
        self.assertEqual(self.failing("http://[::1]:8080").status, 200)

    def test_all_addresses_of_a_name_are_tried(self):
        self.world.network.hosts["shop"] = ["10.0.0.6", "10.0.0.5"]
        self.assertEqual(self.failing("http://shop").status, 200)

    def test_cancelling_the_lease_stops_connecting(self):
        self.world.network.silence("10.0.0.5")
        receiver = self.failing("http://shop")
        self.world.transport.cancel(receiver)
        self.world.network.restore("10.0.0.5")
        self.world.network.advance(10)
        self.assertEqual((receiver.events, self.world.service.connections), ([], []))
        self.assertEqual(repr(self.world.transport), "<TreqTransport open=0 idle=0 waiting=0 opened=0 reused=0>")

    def test_details_name_no_address(self):
        for url in ("http://shop:81", "http://10.0.0.7", "http://nowhere"):
            self.assertNotRegex(self.failing(url).error.detail, r"\d+\.\d+\.\d+\.\d+|nowhere|81")


class TreqExchangeErrors(SynchronousTestCase):
    """Twisted's failures, most of them lists of others."""

    def test_a_connection_that_ended_is_lost_wherever_it_is_in_the_list(self):
        for failure in (
            Failure(ResponseNeverReceived([Failure(ConnectionDone())])),
            Failure(
                ResponseFailed([Failure(ResponseFailed([Failure(ConnectionLost())])), Failure(PotentialDataLoss())])
            ),
        ):
            self.assertEqual(exchange_error(failure, True).cause.code, "connection-lost")

    def test_the_detail_tells_whether_the_answer_had_begun(self):
        failure = Failure(ConnectionLost())
        details = [exchange_error(failure, answering).detail for answering in (False, True)]
        self.assertEqual(
            details,
            [
                "The service closed the connection before it answered.",
                "The service closed the connection in the middle of its answer.",
            ],
        )

    def test_the_gateways_own_errors_stay_what_they_are(self):
        error = GatewayError(POOL_EXHAUSTED)
        self.assertIs(exchange_error(Failure(error), False), error)

    def test_what_is_not_the_services_doing_is_logged_as_our_failure(self):
        for failure in (Failure(RequestGenerationFailed([Failure(KeyError("x"))])), Failure(KeyError("x"))):
            self.assertEqual(exchange_error(failure, False).cause.code, "internal-error")
        self.assertEqual(connect_error(Failure(KeyError("x"))).cause.code, "internal-error")
        self.assertEqual(len(self.flushLoggedErrors()), 3)

    def test_a_refusal_of_tls_is_told_as_one(self):
        failure = Failure(ResponseNeverReceived([Failure(ConnectionLost("refused"))]))
        known = GatewayError(TLS_FAILED)
        self.assertIs(exchange_error(failure, False, lambda why: known if why.args == ("refused",) else None), known)
        self.assertEqual(exchange_error(failure, False, lambda why: None).cause.code, "connection-lost")
