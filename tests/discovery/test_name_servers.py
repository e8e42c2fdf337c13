"""Asking name servers, on real sockets."""

from __future__ import annotations

from errno import EAFNOSUPPORT
from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import CancelledError
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase, TestCase

from apigateway.discovery import name_servers
from apigateway.discovery.answers import A, LookupFailed, read_answer
from apigateway.discovery.name_servers import AT_ONCE, NameServers, server_of, system_servers
from tests.behaviour.waiting import a_moment, until

from .names import ServedZone, Zone

reactor: Any = global_reactor
KEY = ("a.b", A)


class Liar(DatagramProtocol):
    """Answers what it is told, with the number of the question before it."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = answers

    def datagramReceived(self, data: bytes, address: Any) -> None:
        for answer in self._answers:
            self.transport.write(data[:2] + answer, address)  # type: ignore[union-attr]  # it is there when data is


class WithoutIpv6:
    """A reactor on a machine that has no IPv6."""

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def listenUDP(self, port: int, protocol: Any, interface: str = "") -> Any:
        if ":" in interface:
            raise CannotListenError(interface, port, OSError(EAFNOSUPPORT, "not supported"))
        return reactor.listenUDP(port, protocol, interface)


class AskTests(TestCase):
    def setUp(self) -> None:
        # The second is for a machine that was busy elsewhere when the first was over.
        self.patch(name_servers, "TIMES_S", (0.1, 5.0))
        self.zone = Zone()
        self.zone.has("a.b", "A", "10.0.0.1")
        self.served = self.serve(self.zone)
        self.servers = [("127.0.0.1", self.served.port)]
        self.names = NameServers(reactor, lambda: self.servers)

    def serve(self, zone: Zone) -> ServedZone:
        served = ServedZone(reactor, zone)
        self.addCleanup(served.stop)
        return served

    def lies(self, *answers: bytes) -> int:
        port = reactor.listenUDP(0, Liar(*answers), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    async def records(self) -> tuple[Any, ...]:
        return read_answer(await self.names.ask(KEY), KEY).records

    async def error(self) -> str:
        try:
            await self.names.ask(KEY)
        except LookupFailed as error:
            return str(error)
        raise AssertionError("it was answered")

    async def test_a_question_is_answered(self) -> None:
        self.assertEqual(await self.records(), ("10.0.0.1",))

    async def test_that_there_is_no_such_name_is_an_answer(self) -> None:
        message = await self.names.ask(("c.d", A))
        self.assertEqual(message.rCode, dns.ENAME)

    async def test_a_long_answer_comes_over_tcp(self) -> None:
        self.patch(name_servers, "TIMES_S", (5.0,))
        self.zone.has("a.b", "A", *(f"10.0.0.{number}" for number in range(1, 200)))
        self.assertEqual(len(await self.records()), 199)
        self.assertEqual(self.served.over_tcp, 1)

    async def test_the_next_server_is_asked_where_one_is_silent_or_does_not_know(self) -> None:
        for code in (dns.ESERVER, dns.EREFUSED):
            ignorant = Zone()
            ignorant.errors["a.b"] = code
            self.servers.insert(0, ("127.0.0.1", self.serve(ignorant).port))
        silent = Zone()
        silent.silent.add("a.b")
        self.servers.insert(0, ("127.0.0.1", self.serve(silent).port))
        self.assertEqual(await self.records(), ("10.0.0.1",))

    async def test_all_are_asked_twice_before_it_is_given_up(self) -> None:
        self.patch(name_servers, "TIMES_S", (0.1, 0.2))
        self.zone.silent.add("a.b")
        self.assertEqual(await self.error(), f"no answer from the name server {self.served.server}")
        await until(lambda: len(self.zone.asked) == 2, "the second question")

    async def test_what_one_says_that_does_not_know_is_told(self) -> None:
        self.zone.errors["a.b"] = dns.ESERVER
        self.assertEqual(await self.error(), f"the name server {self.served.server} says SERVFAIL")

    async def test_answers_to_other_questions_and_noise_are_none(self) -> None:
        other = dns.Message(1, answer=1)
        other.queries = [dns.Query("c.d", A)]
        port = self.lies(other.toStr()[2:])
        self.servers = [("127.0.0.1", port)]
        self.assertEqual(await self.error(), f"the name server 127.0.0.1:{port} says something about another question")
        self.patch(name_servers, "TIMES_S", (0.1, 0.2))
        self.servers = [("127.0.0.1", self.lies(b"\x84"))]
        self.assertIn("no answer", await self.error())

    async def test_a_server_that_cannot_be_asked_is_told(self) -> None:
        self.servers = [("nonsense", 53)]
        self.assertIn("the name server nonsense:53 cannot be asked: ", await self.error())
        self.servers = []
        self.assertEqual(await self.error(), "there is no name server to ask")

    async def test_where_no_socket_is_to_be_had_for_one_the_next_is_asked(self) -> None:
        self.names = NameServers(WithoutIpv6(), lambda: self.servers)
        self.servers.insert(0, ("::1", 53))
        self.assertEqual(await self.records(), ("10.0.0.1",))
        self.servers.pop()
        self.assertIn("the name server ::1:53 cannot be asked: ", await self.error())

    async def test_a_question_that_is_cancelled_leaves_nothing(self) -> None:
        self.patch(name_servers, "TIMES_S", (60.0,))
        self.zone.silent.add("a.b")
        asked = self.names.ask(KEY)
        asked.cancel()
        with self.assertRaises(CancelledError):
            await asked

    async def test_only_some_questions_are_open_at_once(self) -> None:
        self.zone.silent.add("a.b")
        self.patch(name_servers, "TIMES_S", (60.0,))
        asked = [self.names.ask(KEY) for _ in range(AT_ONCE * 3)]
        await until(lambda: len(self.zone.asked) >= AT_ONCE, "the questions")
        await a_moment()
        self.assertEqual(len(self.zone.asked), AT_ONCE)
        for one in reversed(asked):
            one.addErrback(lambda failure: failure.trap(CancelledError))
            one.cancel()


class ServersTests(SynchronousTestCase):
    def test_a_server_is_an_address_and_a_port(self) -> None:
        self.assertEqual((server_of("10.0.0.2:53"), server_of("[::1]:5353")), (("10.0.0.2", 53), ("::1", 5353)))

    def test_those_of_the_machine_are_named_in_its_file(self) -> None:
        path = Path(self.mktemp())
        path.write_text("# nameserver 1.1.1.1\nsearch x\n nameserver 10.0.0.2\nnameserver ::1 # here\nnameserver\n")
        self.assertEqual(system_servers(str(path)), [("10.0.0.2", 53), ("::1", 53)])

    def test_where_none_is_named_it_is_the_machine_itself(self) -> None:
        self.assertEqual(system_servers(self.mktemp()), [("127.0.0.1", 53)])
