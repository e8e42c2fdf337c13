"""Attacks on real sockets, read by h11 and by nginx; and what is in the kernel when a connection is lent."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import Answer, ReadAll
from tests.behaviour.combinations import Combination, only, over_all_combinations
from tests.behaviour.stage import Stage
from tests.smuggling import mutate
from tests.smuggling.ground import Ground
from tests.smuggling.real_ground import RealGround
from tests.smuggling.responses import POISON
from tests.smuggling.test_requests import ENTRIES


def forwarded() -> list[tuple[str, bytes, int]]:
    """The entries of which the gateway forwards something, and how many exchanges each ends; found in memory."""
    ground = Ground()
    played = [(name, data, ground.play([data])) for name, data in ENTRIES.items()]
    return [(name, data, sum(each.is_over for each in one.judged)) for name, data, one in played if one.forwarded]


class RealTests(TestCase):
    timeout = 600

    async def attack(self, ground: RealGround, step: int) -> None:
        random, count = Random(8), 0
        for name, data, answers in forwarded()[::step]:
            played = await ground.play(mutate.pieces(random, data), answers)
            self.assertEqual(played.disagreements, [], name)
            count += played.forwarded
        self.assertGreater(count, 100)

    async def test_what_is_forwarded_reaches_nginx_and_a_service_behind_it_as_it_was_judged(self) -> None:
        ground = RealGround(self)
        await ground.open(await ground.nginx())
        await self.attack(ground, step=2)

    async def test_what_is_forwarded_reaches_a_service_as_it_was_judged(self) -> None:
        for transport in ("native", "treq"):
            ground = RealGround(self)
            await ground.open(ground.recorder_port, transport)
            await self.attack(ground, step=4)


@over_all_combinations
class StaleTests(TestCase):
    """What a service says while nobody asks is no answer, even if the reactor has not read it yet."""

    @only("channel")
    async def test_what_is_there_before_a_request_is_no_answer_to_it(self, via: Combination) -> None:
        if via.downstream != "channel":
            return
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Answer(200, b"honest"))
        caller = await stage.call()
        await caller.get("/api")
        stage.one.connections[0].transport.getHandle().send(POISON)
        channel = next(iter(stage.gateway.site.channels))
        channel.dataReceived(b"GET /api HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertEqual((await caller.answer()).body, b"honest")
        self.assertEqual(len(stage.one.connections), 2)

    @only("channel")
    async def test_a_service_that_takes_a_body_for_a_request_answers_nobody_else(self, via: Combination) -> None:
        """What it answers to that is there when the next exchange begins."""
        if via.downstream != "channel":
            return
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Answer(200, b"honest"))
        caller = await stage.call()
        await caller.ask("POST", "/api", body=b"GET /api/hidden HTTP/1.1\r\n\r\n").answer()
        stage.one.connections[0].transport.getHandle().send(POISON)
        next(iter(stage.gateway.site.channels)).dataReceived(b"POST /api HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertEqual((await caller.answer()).body, b"honest")
        self.assertEqual(len(stage.one.connections), 2)
