"""Names as a test has them: records that it may change, asked by the wire's messages, in memory or on a real socket."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.protocol import Factory
from twisted.names import dns

from apigateway.discovery.answers import AAAA, SRV, A, Key, LookupFailed, check_answer

KINDS = {"A": A, "AAAA": AAAA, "SRV": SRV}


def record(kind: str, data: Any) -> Any:
    """A record: an address as text, or priority, weight, port and host of SRV."""
    if kind == "SRV":
        return dns.Record_SRV(*data)
    return dns.Record_A(data) if kind == "A" else dns.Record_AAAA(data)


class Zone:
    """Answers by `records`, which are set with `has`. `errors` are codes of names that can't be answered for.

    `silent` names are never answered. `asked` are the questions in their order.
    """

    def __init__(self) -> None:
        self.records: dict[Key, tuple[list[Any], int]] = {}
        self.more: dict[str, list[tuple[str, str, str, int]]] = {}
        self.errors: dict[str, int] = {}
        self.silent: set[str] = set()
        self.asked: list[Key] = []

    def has(self, name: str, kind: str, *data: Any, ttl: int = 30) -> None:
        """A name has these records now; none: it is there without such."""
        self.records[name, KINDS[kind]] = ([record(kind, one) for one in data], ttl)

    def lacks(self, name: str) -> None:
        """There is no such name any more."""
        for key in [key for key in self.records if key[0] == name]:
            del self.records[key]

    def answer(self, query: dns.Message) -> dns.Message | None:
        """The answer to a message; None is silence."""
        (question,) = query.queries
        name, kind = bytes(question.name.name).decode().lower(), question.type
        self.asked.append((name, kind))
        if name in self.silent:
            return None
        answer = dns.Message(query.id, answer=1, maxSize=0)
        answer.queries = list(query.queries)
        answer.rCode = self.errors.get(name, dns.OK)
        records, ttl = self.records.get((name, kind), ([], 0))
        if not answer.rCode and not any(known == name for known, _ in self.records):
            answer.rCode = dns.ENAME
        answer.answers = [] if answer.rCode else [dns.RRHeader(name, kind, ttl=ttl, payload=one) for one in records]
        answer.additional = [
            dns.RRHeader(host, KINDS[word], ttl=seconds, payload=record(word, data))
            for host, word, data, seconds in self.more.get(name, ())
        ]
        return answer

    def ask(self, key: Key) -> Deferred[dns.Message]:
        """What a `NameServers` would give, at once; silence fails as it does after its time."""
        query = dns.Message(1)
        query.queries = [dns.Query(*key)]
        answer = self.answer(query)
        if answer is None:
            return fail(LookupFailed("no answer"))
        read = dns.Message()
        read.fromStr(answer.toStr())
        try:
            check_answer(read, key)
        except LookupFailed as error:
            return fail(error)
        return succeed(read)


class ServedZone:
    """A zone on 127.0.0.1, over UDP and TCP at the same port. Over UDP long answers are cut off, as they must be."""

    def __init__(self, reactor: Any, zone: Zone) -> None:
        self._reactor = reactor
        self._zone = zone
        self.over_tcp = 0
        self._ports: list[Any] = []
        self.port = 0
        self.start()

    @property
    def server(self) -> str:
        """Its address as a configuration has it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Answer, at the same port as before."""
        tcp = self._reactor.listenTCP(
            self.port, Factory.forProtocol(lambda: dns.DNSProtocol(self)), interface="127.0.0.1"
        )
        self.port = tcp.getHost().port
        udp = self._reactor.listenUDP(self.port, dns.DNSDatagramProtocol(self, self._reactor), interface="127.0.0.1")
        self._ports = [tcp, udp]

    async def stop(self) -> None:
        """Answer nobody any more."""
        ports, self._ports = self._ports, []
        for port in ports:
            await port.stopListening()

    # As the protocols' controller.

    def connectionMade(self, protocol: Any) -> None:
        """A client over TCP."""
        self.over_tcp += 1

    def connectionLost(self, protocol: Any) -> None:
        """It is gone."""

    def messageReceived(self, message: dns.Message, protocol: Any, address: Any = None) -> None:
        """Somebody asks."""
        answer = self._zone.answer(message)
        if answer is None:
            return
        if address is None:
            protocol.writeMessage(answer)
            return
        if len(answer.toStr()) > 512:
            answer.trunc, answer.answers, answer.additional = 1, [], []
        protocol.writeMessage(answer, address)
