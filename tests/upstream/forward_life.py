"""Exchanges to which anything may happen in any order."""

from __future__ import annotations

from apigateway.errors import BAD_RESPONSE, CONNECT_FAILED, CONNECT_TIMEOUT, CONNECTION_LOST, POOL_EXHAUSTED
from apigateway.http.answers import Answer
from tests.upstream.forward_world import World

SORRY = Answer(200, [], b"later")


REQUESTS = (
    ("GET", b"", False),
    ("POST", b"", False),
    ("PUT", b"12345", False),
    ("PUT", b"", True),
    ("POST", b"1", True),
)
EVENTS = (
    "request", "request", "lend", "lend", "refuse", "head", "head", "data", "end", "end", "fail", "writable",
    "not writable", "body", "body end", "read slowly", "read again", "leave", "time", "a little time", "open", "close",
    "at once", "interim", "half open",
)  # fmt: skip
CAUSES = (CONNECT_FAILED, CONNECTION_LOST, BAD_RESPONSE, POOL_EXHAUSTED, CONNECT_TIMEOUT)


class Life:
    """Exchanges at one service, and perhaps at the one that stands in for it, to which anything may happen."""

    def __init__(self, targets, retries, abandoned, reused, fallback):
        self.world = World(targets, retries, abandoned, lends=False, reused=reused)
        self.spare = World(lends=False)
        self.spare.service.now = self.spare.clock.seconds = self.world.clock.seconds
        self.world.service.fallback = (None, SORRY, self.spare.service)[fallback]
        self.clients = []
        self.complete = set()

    @property
    def transports(self):
        return [*self.world.transports, *self.spare.transports]

    @property
    def breakers(self):
        return [*self.world.breakers, *self.spare.breakers]

    def running(self):
        attempts = [one for way in self.transports for one in way.attempts]
        return [one for one in attempts if not (one.is_over or one.is_cancelled)]

    def step(self, event, number):
        getattr(self, event.replace(" ", "_"))(number)

    def pick(self, choices, number):
        return choices[number % len(choices)] if choices else None

    def request(self, number):
        method, body, chunked = self.pick(REQUESTS, number)
        exchange = self.world.exchange(method, body=body, chunked=chunked)
        exchange.max_body = 20
        self.clients.append(exchange.downstream)
        if not chunked:
            self.complete.add(exchange.downstream)
        self.world.service.forward(exchange, self.world.plan)

    def lend(self, number):
        way = self.pick([one for one in self.transports if one.waiting], number)
        if way:
            way.lend()

    def refuse(self, number):
        way = self.pick([one for one in self.transports if one.waiting], number)
        if way:
            way.refuse(self.pick(CAUSES, number))

    def head(self, number):
        attempt = self.pick([one for one in self.running() if not getattr(one, "begun", False)], number)
        if attempt:
            attempt.begun = True
            attempt.begins(self.pick((200, 204, 404, 500, 503), number))

    def interim(self, number):
        attempt = self.pick([one for one in self.running() if not getattr(one, "begun", False)], number)
        if attempt:
            attempt.receiver.informational(103, [])
            attempt.receiver.flush()

    def data(self, number):
        attempt = self.pick([one for one in self.running() if getattr(one, "begun", False)], number)
        if attempt:
            attempt.sends(b"data")

    def end(self, number):
        attempt = self.pick([one for one in self.running() if getattr(one, "begun", False)], number)
        if attempt:
            attempt.ends()

    def fail(self, number):
        attempt = self.pick(self.running(), number)
        if attempt:
            attempt.fails(self.pick(CAUSES[1:3], number))

    def writable(self, number):
        attempt = self.pick(self.running(), number)
        if attempt:
            attempt.receiver.writable(True)

    def not_writable(self, number):
        attempt = self.pick(self.running(), number)
        if attempt:
            attempt.receiver.writable(False)

    def present(self):
        return [one for one in self.clients if one.exchange]

    def body(self, number):
        client = self.pick([one for one in self.present() if one not in self.complete], number)
        if client:
            client.arrive(b"x" * (1 + 4 * number))

    def body_end(self, number):
        client = self.pick([one for one in self.present() if one not in self.complete], number)
        if client:
            self.complete.add(client)
            client.arrive_end()

    def read_slowly(self, number):
        client = self.pick(self.present(), number)
        if client:
            client.read_slowly()

    def read_again(self, number):
        client = self.pick(self.present(), number)
        if client:
            client.read_again()

    def leave(self, number):
        client = self.pick(self.present(), number)
        if client:
            client.leave()

    def time(self, number):
        self.world.advance(10.0 * number)
        self.spare.service.sweep(self.world.clock.seconds())

    def a_little_time(self, number):
        self.world.advance(0.1 * number)
        self.spare.service.sweep(self.world.clock.seconds())

    def open(self, number):
        self.pick(self.breakers, number).is_open = True

    def close(self, number):
        self.pick(self.breakers, number).is_open = False

    def half_open(self, number):
        breaker = self.pick(self.breakers, number)
        breaker.state = "closed" if breaker.state == "half-open" else "half-open"

    def at_once(self, number):
        self.pick(self.transports, number).lends = number % 2 == 0

    def come_to_rest(self):
        """Lend what is asked for, take what is sent, answer what is asked."""
        while any(one.waiting for one in self.transports) or self.running() or self.present():
            self.lend(0)
            for event in ("writable", "read again", "body end"):
                for number in range(len(self.running()) + len(self.present())):
                    self.step(event, number)
            self.head(0)
            self.end(0)
