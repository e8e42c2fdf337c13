"""Many clients at once: each gets its own answers, in its own order, whatever else is going on."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from twisted.web.static import Data

from tests.behaviour.caller import Caller
from tests.behaviour.combinations import Combination, over_tls_too
from tests.behaviour.stage import Stage
from tests.behaviour.waiting import reactor

CALLERS, REQUESTS = 30, 12


class Echo(Resource):
    """Sends back what came, some of it late and some of it in pieces."""

    isLeaf = True

    def render(self, request: Any) -> Any:
        """Answer after as many milliseconds as the query says."""
        reactor.callLater(int(request.args[b"ms"][0]) / 1000, self._answer, request)
        return NOT_DONE_YET

    def _answer(self, request: Any) -> None:
        body = request.uri + b"|" + request.content.read()
        if request.args[b"ms"] == [b"1"]:
            request.setHeader("Content-Length", str(len(body)))
        for piece in (body[:7], body[7:]):
            request.write(piece)
        request.finish()


@over_tls_too
class ManyAtOnceTests(TestCase):
    async def test_nobody_gets_the_answer_of_somebody_else(self, via: Combination) -> None:
        service = reactor.listenTCP(0, Site(Echo()), interface="127.0.0.1")
        self.addCleanup(service.stopListening)
        url = f"http://127.0.0.1:{service.getHost().port}"
        options = {"prefix": "/api", "targets": [url], "pool": {"connections": 7}}
        stage = Stage(self, via, {"one": options}, mounts={b"/doc": Data(b"read me", "text/plain")})
        callers = [await stage.call() for _ in range(CALLERS)]
        asking = [Deferred.fromCoroutine(self._converse(caller, number)) for number, caller in enumerate(callers)]
        await gatherResults(asking, consumeErrors=True)
        statistics = stage.target().transport.statistics()
        self.assertLessEqual(statistics["opened"], 7)
        self.assertEqual((statistics["waiting"], stage.target().in_flight), (0, 0))

    async def _converse(self, caller: Caller, number: int) -> None:
        """Pipeline some requests, and read all answers."""
        expected = []
        for turn in range(REQUESTS):
            target = f"/api/{number}/{turn}?ms={(number + turn) % 3}"
            body = b"%d-%d " % (number, turn) * (1 + 400 * (turn % 4))
            kind = (number + turn) % 4
            if kind == 0:
                caller.ask("GET", "/doc")
                expected.append(b"read me")
            elif kind == 1:
                caller.ask("GET", target)
                expected.append(target.encode() + b"|")
            else:
                caller.ask("POST", target, body=body)
                expected.append(target.encode() + b"|" + body)
        for wanted in expected:
            answer = await caller.answer()
            self.assertEqual((answer.status, answer.body), (200, wanted))
