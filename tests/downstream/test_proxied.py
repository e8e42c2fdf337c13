"""Connections that a proxy makes for clients: whose they are, before its header is here and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Protocol
from twisted.logger import LogEvent, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from apigateway.downstream.connections import TRUSTED
from apigateway.downstream.listeners import Listeners
from apigateway.downstream.opening import Opening
from apigateway.downstream.proxied import Proxied
from apigateway.downstream.site import SiteLimits
from apigateway.testing.client import MemoryClient
from tests.downstream.stand import Stand, ask, echo, statuses, wait

from .test_proxy_protocol import CLIENT, CLIENT6, HERE, HERE6, SSL, V1, V2, field, raw, v2

PROXY = "10.0.0.1"


@contextmanager
def events() -> Iterator[list[LogEvent]]:
    """What is logged meanwhile of connections that are refused; filled in at the end."""
    found: list[LogEvent] = []
    with capturedLogs() as logged:
        yield found
    found += [event for event in logged if event.get("event") == "proxy-refused"]


class Address(Resource):
    """Tells a client its address."""

    isLeaf = True

    def render_GET(self, request: object) -> bytes:
        return f"{request.getClientIP()} {request.isSecure()}".encode()  # type: ignore[attr-defined]


class ProxiedCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.stand = Stand(echo, SiteLimits(connections=6, connections_per_client=2))
        self.trusted = {PROXY}
        opening = Opening("tcp:8001", proxies=lambda address: address in self.trusted)
        listeners = Listeners(self.stand.site, self.stand.network.reactor, lambda port: port)
        self.listener = self.successResultOf(listeners.begin(opening))

    def connect(self) -> MemoryClient:
        """A new connection of the proxy's."""
        client = self.stand.network.client(8001, source=PROXY)
        self.stand.network.pump()
        return client

    def client(self, *data: bytes) -> MemoryClient:
        """A new connection on which this has arrived, each piece by itself."""
        client = self.connect()
        self.stand.send(client, *data)
        return client

    @property
    def whose(self) -> list[str]:
        """The clients that have connections."""
        return sorted(self.stand.site.connections._clients)


class HeaderTests(ProxiedCase):
    def test_an_exchange_comes_from_the_client_that_the_header_names(self) -> None:
        for header, peer in ((V1, "192.0.2.7"), (V2, "192.0.2.7"), (v2(CLIENT6, 1, HERE6, 2), "2001:db8::7")):
            client = self.client(header, ask())
            self.assertEqual(statuses(client.answers()), [200])
            self.assertEqual(self.stand.last.exchange.peer, peer)
            self.assertEqual(self.stand.last.exchange.client, peer)
            client.close()
            self.stand.network.pump()

    def test_a_request_may_follow_at_once_and_others_after_it(self) -> None:
        client = self.client(V2 + ask(target="/a") + ask(target="/b"), ask(target="/c"))
        self.assertEqual([answer.body for answer in client.answers()], [b"/a", b"/b", b"/c"])

    def test_there_is_one_header_and_no_second(self) -> None:
        self.assertEqual(statuses(self.client(V1, V1).answers()), [400])

    def test_a_connection_of_the_proxys_own_is_the_proxys(self) -> None:
        self.client(raw(0, 0, b""), ask())
        self.assertEqual(self.stand.last.exchange.peer, PROXY)

    def test_a_client_without_an_address_is_not_taken_for_the_proxy(self) -> None:
        for header in (b"PROXY UNKNOWN\r\n", raw(1, 0x31, bytes(216))):
            self.client(header, ask())
            self.assertEqual(self.stand.last.exchange.peer, "unknown")

    def test_tls_that_ended_at_the_proxy_counts(self) -> None:
        header = v2(CLIENT, 1, HERE, 2, field(SSL, b"\x01" + bytes(4)))
        self.client(header, ask())
        self.assertTrue(self.stand.last.exchange.secure)
        self.client(V2, ask())
        self.assertFalse(self.stand.last.exchange.secure)

    def test_stock_resources_see_the_client_too(self) -> None:
        self.stand.root = self.stand.site.resource = Address()
        self.assertEqual(self.client(V1, ask()).answers()[0].body, b"192.0.2.7 False")

    @settings(deadline=None, max_examples=50)
    @given(st.sampled_from((V1, V2, v2(CLIENT6, 1, HERE6, 2, field(4, bytes(30)), summed=True))), st.data())
    def test_in_whatever_pieces_it_comes(self, header: bytes, data: st.DataObject) -> None:
        sent = header + ask(target="/a")
        cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=8)))
        pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
        client = self.client(*pieces)
        self.assertEqual([answer.body for answer in client.answers()], [b"/a"])
        client.close()
        self.stand.network.pump()
        self.assertEqual((self.stand.site.channels, len(self.stand.site.connections)), (set(), 0))


class RefusalTests(ProxiedCase):
    def test_who_is_no_proxy_of_the_listener_is_not_heard_and_that_is_told_once_a_second(self) -> None:
        self.trusted.clear()
        with events() as told:
            clients = [self.client(V1, ask()) for _ in range(3)]
            self.stand.after(1.5)
            clients.append(self.client(V1, ask()))
        self.assertEqual([client.is_open for client in clients], [False] * 4)
        self.assertEqual((self.stand.exchanges, self.stand.site.channels), ([], set()))
        self.assertEqual([(event["peer"], event["times"]) for event in told], [(PROXY, 1), (PROXY, 3)])

    def test_what_is_no_header_ends_the_connection_with_nothing_said_to_it(self) -> None:
        with events() as told:
            for data in (ask(), b"\x16\x03\x01\x02\0", b"PROXY TCP4 x\r\n", raw(1, 0x11, b"")):
                client = self.client(data)
                self.assertEqual((client.is_open, client.received), (False, b""), data)
                self.stand.after(1.5)
        self.assertEqual(len(told), 4)
        self.assertEqual((self.stand.exchanges, self.stand.site.channels), ([], set()))
        self.assertEqual(len(self.stand.site.connections), 0)

    def test_a_header_must_be_complete_in_the_time_that_heads_have(self) -> None:
        with events() as told:
            client = self.client(V1[:20])
            self.stand.after(9)
            self.stand.send(client, V1[20:25])
            self.assertTrue(client.is_open)
            self.stand.after(1.5)
        self.assertFalse(client.is_open)
        self.assertEqual([event["why"] for event in told], ["no complete header in time"])

    def test_after_it_the_head_of_the_first_request_has_its_own_time(self) -> None:
        client = self.connect()
        self.stand.after(9)
        self.stand.send(client, V1)
        self.stand.after(9)
        self.stand.send(client, ask())
        self.assertEqual(statuses(client.answers()), [200])

    def test_who_only_looks_whether_somebody_listens_is_told_of_to_nobody(self) -> None:
        with events() as told:
            self.connect().close()
            self.stand.network.pump()
        self.assertEqual((told, self.stand.site.channels), ([], set()))


class CountTests(ProxiedCase):
    def test_a_connection_is_the_proxies_first_and_then_its_clients(self) -> None:
        client = self.connect()
        self.assertEqual(self.whose, [TRUSTED])
        self.assertEqual(repr(next(iter(self.stand.site.channels))), f"<Proxied {PROXY} header=0>")
        self.stand.send(client, V1)
        self.assertEqual(self.whose, ["192.0.2.7"])
        client.close()
        self.stand.network.pump()
        self.assertEqual(self.whose, [])

    def test_proxies_have_no_bound_of_their_own_and_their_clients_do(self) -> None:
        waiting = [self.connect() for _ in range(4)]
        self.stand.does = wait
        for client in waiting:
            self.stand.send(client, V1 + ask())
        self.assertEqual([client.is_open for client in waiting], [True, True, False, False])
        self.assertEqual(self.stand.site.connections.refused["connections-per-client"], 2)

    def test_a_client_makes_room_for_itself_and_not_others_for_it(self) -> None:
        other = self.client(v2(CLIENT6, 1, HERE6, 2), ask())
        mine = [self.client(V1, ask()) for _ in range(3)]
        self.assertEqual([client.is_open for client in [other, *mine]], [True, False, True, True])

    def test_where_all_room_is_taken_those_that_wait_for_a_header_make_room_last(self) -> None:
        waiting = self.connect()
        at_rest = self.client(V1, ask())
        others = [self.connect() for _ in range(5)]
        self.assertEqual((waiting.is_open, at_rest.is_open), (True, False))
        self.assertEqual([client.is_open for client in others], [True] * 5)
        self.connect()
        self.assertFalse(waiting.is_open)


class EndTests(ProxiedCase):
    def test_with_the_stop_who_has_said_nothing_is_sent_away(self) -> None:
        client = self.connect()
        self.stand.site.leave(self.listener)
        self.assertTrue(client.is_open)
        self.stand.site.stop_accepting_requests()
        self.stand.network.pump()
        self.assertEqual((client.is_open, self.stand.site.channels), (False, set()))

    def test_answers_tell_clients_of_a_listener_that_closes_to_leave(self) -> None:
        client = self.connect()
        self.stand.site.leave(self.listener)
        self.stand.send(client, V1 + ask())
        self.assertEqual(client.answers()[0].get(b"connection"), b"close")

    def test_bytes_after_the_refusal_are_not_looked_at(self) -> None:
        def nobody(address: object, secure: bool) -> Protocol:
            raise AssertionError("there was no header")

        proxied = Proxied(self.stand.site, self.listener, nobody, lambda why, peer: None)

        class Transport:
            aborted = 0

            def getPeer(self) -> IPv4Address:
                return IPv4Address("TCP", PROXY, 1)

            def abortConnection(self) -> None:
                self.aborted += 1

        transport = Transport()
        proxied.makeConnection(transport)
        proxied.dataReceived(b"x")
        proxied.dataReceived(V1)
        self.assertEqual(transport.aborted, 1)
