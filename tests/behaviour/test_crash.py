"""What others have added to the gateway fails, in every way: it costs that exchange, and nobody else anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from apigateway.errors import FORBIDDEN, GatewayError
from apigateway.exchange import Exchange
from apigateway.http.answers import Answer
from apigateway.http.heads import ResponseHead
from apigateway.interfaces import IExchangeObserver, IPolicyPlugin
from apigateway.policies.policy import Policy, PolicyTools
from apigateway.testing.steps import Answer as Answers
from apigateway.testing.steps import ReadAll
from tests.behaviour.caller import Message
from tests.behaviour.combinations import CHANNEL, Combination, only, over_all_combinations
from tests.behaviour.stage import Options, Stage, problem
from tests.behaviour.waiting import until

SECRET = "s3cret-of-the-client"


@implementer(IPolicyPlugin)
class Odd:
    """A policy whose sides are given, on requests that say so: all others pass."""

    name = "odd"
    after = "rate-limit"
    options = None

    def __init__(
        self,
        request: Callable[[Exchange], Any] | None = None,
        response: Callable[[Exchange, ResponseHead], Any] | None = None,
    ) -> None:
        self._request = request
        self._response = response

    def make(self, options: None, tools: PolicyTools) -> Policy:
        ask, tell = self._request, self._response
        return Policy(
            "odd",
            ask and (lambda exchange: ask(exchange) if is_odd(exchange) else None),
            tell and (lambda exchange, head: tell(exchange, head) if is_odd(exchange) else None),
        )


def is_odd(exchange: Exchange) -> bool:
    return b"odd" in exchange.head.target


def divide(*_: object) -> Any:
    raise ZeroDivisionError


def leave(error: BaseException) -> Callable[..., Any]:
    """Raises what would end a program."""

    def side(*_: object) -> Any:
        raise error

    return side


async def exit_later(exchange: Exchange) -> None:
    await succeed(None)
    raise SystemExit(3)


async def divide_later(exchange: Exchange) -> None:
    await succeed(None)
    raise ZeroDivisionError


async def return_garbage_later(exchange: Exchange) -> str:
    return SECRET


def set_plain(*fields: Any) -> Callable[[Exchange], None]:
    """Sets the fields of the request."""

    def change(exchange: Exchange) -> None:
        exchange.head.plain = [*exchange.head.plain, *fields]

    return change


def set_start(name: str, value: object) -> Callable[[Exchange], None]:
    """Sets an attribute of the request's head."""
    return lambda exchange: setattr(exchange.head, name, value)


def set_special(name: bytes, value: Any) -> Callable[[Exchange], None]:
    """Sets one of the fields that the gateway looks at itself."""

    def change(exchange: Exchange) -> None:
        exchange.head.special[name] = value

    return change


def set_own(name: str, value: object) -> Callable[..., None]:
    """Sets an attribute of the exchange."""
    return lambda exchange, *_: setattr(exchange, name, value)


def refuse_with_split(exchange: Exchange, *_: object) -> None:
    """Refuses, with a field that holds another."""
    raise GatewayError(FORBIDDEN, fields=((b"A", b"b\r\nX-Injected: yes"),))


def add_extra_and_refuse(exchange: Exchange, *_: object) -> None:
    """Refuses, and leaves a field for all answers that can't be written."""
    add_extra(exchange)
    raise GatewayError(FORBIDDEN)


def set_fields(*fields: Any) -> Callable[[Exchange, ResponseHead], None]:
    """Sets the fields of the answer."""

    def change(exchange: Exchange, head: ResponseHead) -> None:
        head.fields = list(fields)

    return change


def set_head(name: str, value: object) -> Callable[[Exchange, ResponseHead], None]:
    """Sets an attribute of the answer's head."""
    return lambda exchange, head: setattr(head, name, value)


def add_extra(*args: Any) -> None:
    """Leaves a field for all answers that can't be written."""
    exchange: Exchange = args[0]
    exchange.extra.append((b"X-Split", b"a\r\nX-Injected: yes"))


ON_EITHER: dict[str, Callable[..., Any]] = {
    "leaves a field for all answers that ends their head": add_extra,
    "leaves such a field and refuses": add_extra_and_refuse,
    "refuses with a field that holds another": refuse_with_split,
    "wants to end the program": leave(SystemExit(3)),
    "interrupts": leave(KeyboardInterrupt()),
    "closes a generator": leave(GeneratorExit()),
}
"""What both sides do wrong."""

ON_REQUEST: dict[str, Callable[[Exchange], Any]] = {
    "raises": divide,
    "raises in a Deferred": lambda exchange: fail(ZeroDivisionError()),
    "raises in a coroutine": divide_later,
    "returns a string": lambda exchange: SECRET,
    "returns True": lambda exchange: True,
    "returns a string in a Deferred": lambda exchange: succeed(SECRET),
    "returns a string in a coroutine": return_garbage_later,
    "returns a Deferred in a Deferred": lambda exchange: succeed([Deferred()]),
    "answers with a status that is none": lambda exchange: Answer(1000, []),
    "answers with text": lambda exchange: Answer(200, [], "text"),  # type: ignore[arg-type]  # on purpose
    "answers with a field of text": lambda exchange: Answer(200, [("A", "b")]),  # type: ignore[list-item]
    "answers with a field that ends the head": lambda exchange: Answer(200, [(b"A", b"b\r\n\r\n<script>")]),
    "answers with a framing field": lambda exchange: Answer(200, [(b"content-Length", b"5")]),
    "sets a field of text": set_plain(("A", "b")),
    "sets half a field": set_plain((b"A",)),
    "sets a field that ends the head": set_plain((b"A", b"b\r\n\r\nGET /admin HTTP/1.1")),
    "sets a field that holds another": set_plain((b"A", b"b\r\nX-Injected: yes")),
    "sets a name that holds another field": set_plain((b"A: b\r\nX-Injected", b"yes")),
    "sets a framing field": set_plain((b"Transfer-Encoding", b"chunked")),
    "sets a host": set_plain((b"Host", b"admin")),
    **ON_EITHER,
    "wants to end the program later": exit_later,
    "sets a target that ends the head": set_start("target", b"/x HTTP/1.1\r\nHost: evil\r\n\r\nGET /smuggled"),
    "sets a target with a space": set_start("target", b"/x HTTP/1.0"),
    "sets a target with a tab": set_start("target", b"/x\ty"),
    "sets a target of text": set_start("target", "/x"),
    "sets no target": set_start("target", b""),
    "sets a method that holds a request": set_start("method", b"GET /smuggled HTTP/1.1\r\nA: b\r\n\r\nGET"),
    "sets a method with a space": set_start("method", b"GET /"),
    "sets no method": set_start("method", None),
    "sets a length": set_start("length", 5),
    "sets a host that holds another field": set_special(b"host", b"x\r\nX-Injected: yes"),
    "sets a host with a space": set_special(b"host", b"x y"),
    "sets a control byte": set_special(b"via", b"1.1 \x01"),
    "sets a special field of text": set_special(b"via", "1.1 x"),
    "sets a special name that holds another field": set_special(b"x-forwarded-a: b\r\nX-Injected", b"yes"),
    "sets no special fields": set_start("special", None),
    "takes the head away": set_own("head", None),
    "sets an id that holds another field": set_own("request_id", b"a\r\nX-Injected: yes"),
    "sets a peer that holds another field": set_own("peer", "x\r\nX-Injected: yes"),
}
"""What the request side does wrong."""

ON_RESPONSE: dict[str, Callable[[Exchange, ResponseHead], Any]] = {
    "raises": divide,
    "returns a string": lambda exchange, head: SECRET,
    "returns a Deferred": lambda exchange, head: succeed(None),
    "sets a status that is none": set_head("status", 99),
    "sets an interim status": set_head("status", 101),
    "sets a status of text": set_head("status", "200"),
    "sets a reason of two lines": set_head("reason", b"a\r\nSet-Cookie: a=b"),
    "sets a length": set_head("length", 1),
    "sets a field of text": set_fields(("A", "b")),
    "sets a field that ends the head": set_fields((b"A", b"b\r\n\r\n<script>")),
    "sets a framing field": set_fields((b"Content-Length", b"1")),
    "sets lines that are no fields": set_head("lines", 7),
    "sets a field that holds another": set_fields((b"A", b"b\r\nX-Injected: yes")),
    **ON_EITHER,
    "takes the head away": set_own("head", None),
    "sets an id that holds another field": set_own("request_id", b"a\r\nX-Injected: yes"),
    "answers by itself": lambda exchange, head: exchange.fail(GatewayError(FORBIDDEN)),
}
"""What the response side does wrong."""


class CrashCase(TestCase):
    """Asks for `/api/odd`, where a policy fails, and for `/api/even`, where it does not."""

    def setUp(self) -> None:
        self.events: list[Any] = []
        observe: Any = self.events.append
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def stage(self, via: Combination, plugin: Odd, **options: Any) -> Stage:
        services = {"one": {"prefix": "/api", "policies": {"odd": None}, **options}}
        return Stage(self, via, services, policies=[plugin])

    async def fails(self, stage: Stage, times: int = 1) -> Message:
        """The odd request fails and only the log tells why; the even one on the same connection does not."""
        self.events.clear()
        caller = await stage.call()
        answer = await caller.get("/api/odd", f"Authorization: Bearer {SECRET}")
        members = problem(self, answer, 500, "internal-error")
        self.assertEqual(answer.get(b"x-injected"), None)
        self.assertEqual((await caller.get("/api/even")).status, 200)
        told = [event for event in self.events if event.get("event") == "policy-failed"]
        self.assertEqual(len(told), times)
        self.assertEqual((told[0]["policy"], told[0]["route"]), ("odd", "/api"))
        self.assertEqual(told[0]["request_id"], members["request_id"])
        self.assertIn("Traceback", told[0]["log_failure"].getTraceback())
        self.assertNotIn(SECRET, told[0]["log_failure"].getTraceback())
        self.assertNotIn(SECRET.encode(), answer.body)
        self.flushLoggedErrors()
        return answer

    async def assert_nothing_is_left(self, stage: Stage) -> None:
        """No exchange, attempt or connection is counted as at work."""
        service, pool = stage.gateway.snapshot.services["one"], stage.target().transport.statistics
        await until(lambda: not service.active and pool()["open"] == pool()["idle"], stage.target())
        self.assertEqual((service.everyone, stage.target().in_flight, pool()["waiting"]), (set(), 0, 0))
        self.assertEqual(stage.target().failures, 0)


@over_all_combinations
class RequestSideTests(CrashCase):
    async def test_whatever_it_does_wrong_is_a_500_that_no_service_hears_of(self, via: Combination) -> None:
        for what, side in ON_REQUEST.items():
            stage = self.stage(via, Odd(side))
            try:
                await self.fails(stage)
            except AssertionError as error:
                raise AssertionError(f"{what}: {error}") from error
            self.assertEqual([request.target for request in stage.one.requests], ["/api/even"], what)
            await self.assert_nothing_is_left(stage)

    async def test_one_that_never_answers_is_ended_when_the_services_time_is_up(self, via: Combination) -> None:
        stage = self.stage(via, Odd(lambda exchange: Deferred()), timeouts={"response": "5s"})
        caller = (await stage.call()).ask("GET", "/api/odd")
        service = stage.gateway.snapshot.services["one"]
        await until(lambda: service.in_flight == 1, service)
        self.assertEqual((await stage.get("/api/even")).status, 200)
        stage.advance(5.1)
        problem(self, await caller.answer(), 500, "internal-error")
        (told,) = [event for event in self.events if event.get("event") == "policy-failed"]
        self.assertEqual((told["policy"], told["route"]), ("odd", "/api"))
        self.assertEqual(len(self.flushLoggedErrors(TimeoutError)), 1)
        await self.assert_nothing_is_left(stage)

    async def test_of_one_whose_client_goes_meanwhile_nothing_is_left(self, via: Combination) -> None:
        cancelled: list[object] = []
        stage = self.stage(via, Odd(lambda exchange: Deferred(cancelled.append)))
        caller = (await stage.call()).ask("GET", "/api/odd")
        service = stage.gateway.snapshot.services["one"]
        await until(lambda: service.in_flight == 1, service)
        caller.connection.transport.abortConnection()  # type: ignore[union-attr]  # a real socket's has it
        await until(lambda: cancelled, "the policy to be told")
        await self.assert_nothing_is_left(stage)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_those_that_never_answer_fill_their_own_service_only(self, via: Combination) -> None:
        services: dict[str, Options] = {
            "one": {"prefix": "/api", "policies": {"odd": None}, "max_in_flight": 3},
            "two": {"prefix": "/b"},
        }
        stage = Stage(self, via, services, policies=[Odd(lambda exchange: Deferred())])
        callers = [(await stage.call()).ask("GET", "/api/odd") for _ in range(3)]
        await until(lambda: stage.gateway.snapshot.services["one"].in_flight == 3, callers)
        for target in ("/api/odd", "/api/even"):
            problem(self, await stage.get(target), 503, "service-overloaded")
        self.assertEqual((await stage.get("/b")).status, 200)

    async def test_one_that_answers_by_itself_is_told_so_and_its_answer_stands(self, via: Combination) -> None:
        def answer(exchange: Exchange) -> None:
            exchange.answer(Answer(202, [], b"mine"))

        def answer_and_raise(exchange: Exchange) -> None:
            answer(exchange)
            raise ZeroDivisionError

        def answer_and_refuse(exchange: Exchange) -> None:
            answer(exchange)
            raise GatewayError(FORBIDDEN)

        for side in (answer, answer_and_raise, answer_and_refuse):
            self.events.clear()
            stage = self.stage(via, Odd(side))
            caller = await stage.call()
            found = [await caller.get("/api/odd"), await caller.get("/api/even")]
            self.assertEqual([(one.status, one.body) for one in found], [(202, b"mine"), (200, b"")])
            self.assertEqual([one.target for one in stage.one.requests], ["/api/even"])
            self.assertEqual(
                [event["policy"] for event in self.events if event.get("event") == "policy-failed"], ["odd"]
            )
            await self.assert_nothing_is_left(stage)

    async def test_what_it_may_do_works(self, via: Combination) -> None:
        async def refuse(exchange: Exchange) -> None:
            await succeed(None)
            raise GatewayError(FORBIDDEN, "Only even ones.")

        async def answer(exchange: Exchange) -> Answer:
            return Answer(203, [(b"X-Own", b"1")], b"mine")

        async def pass_on(exchange: Exchange) -> None:
            await succeed(None)
            exchange.head.plain = [*exchange.head.plain, (b"X-User", b"ada")]

        stage = self.stage(via, Odd(refuse))
        problem(self, await stage.get("/api/odd"), 403, "forbidden")
        stage = self.stage(via, Odd(answer))
        found = await stage.get("/api/odd")
        self.assertEqual((found.status, found.body, found.get(b"x-own")), (203, b"mine", b"1"))
        stage = self.stage(via, Odd(pass_on))
        self.assertEqual((await stage.get("/api/odd")).status, 200)
        self.assertEqual((await stage.request()).get(b"x-user"), b"ada")


@over_all_combinations
class ResponseSideTests(CrashCase):
    async def test_whatever_it_does_wrong_is_a_500_that_is_not_held_against_the_service(self, via: Combination) -> None:
        for what, side in ON_RESPONSE.items():
            if what == "answers by itself":
                continue
            for answer in (Answers(200, b"hello"), Answers(200, chunks=(b"a", b"b")), Answers(200, b"x" * 300_000)):
                stage = self.stage(via, Odd(response=side))
                stage.one.does(ReadAll(), answer)
                try:
                    await self.fails(stage)
                except AssertionError as error:
                    raise AssertionError(f"{what}: {error}") from error
                await self.assert_nothing_is_left(stage)

    async def test_one_that_answers_by_itself_breaks_its_own_connection_at_most(self, via: Combination) -> None:
        stage = self.stage(via, Odd(response=ON_RESPONSE["answers by itself"]))
        caller = (await stage.call()).ask("GET", "/api/odd").ask("GET", "/api/even")
        problem(self, await caller.answer(), 403, "forbidden")
        self.assertEqual((await stage.get("/api/even")).status, 200)
        await self.assert_nothing_is_left(stage)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_it_may_refuse_an_answer(self, via: Combination) -> None:
        def refuse(exchange: Exchange, head: ResponseHead) -> None:
            raise GatewayError(FORBIDDEN, "Not this one.")

        stage = self.stage(via, Odd(response=refuse))
        problem(self, await stage.get("/api/odd"), 403, "forbidden")
        await self.assert_nothing_is_left(stage)


@implementer(IExchangeObserver)
class FaultyObserver:
    """Fails whenever it is told something."""

    def exchange_ended(self, exchange: Exchange) -> None:
        raise ZeroDivisionError


@over_all_combinations
class ObserverTests(TestCase):
    async def test_one_that_fails_costs_nobody_anything(self, via: Combination) -> None:
        stage = Stage(self, via, observers=[FaultyObserver()])
        caller = await stage.call()
        self.assertEqual([(await caller.get("/api")).status for _ in range(3)], [200] * 3)
        await until(lambda: not stage.gateway.snapshot.services["one"].active, stage.one)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)


class Page(Resource):
    """Renders as it is told, for its path or any below."""

    isLeaf = True

    def __init__(self, render: Callable[[Any], Any]) -> None:
        super().__init__()
        self._render = render

    def render(self, request: Any) -> Any:
        return self._render(request)


def raise_after_the_end(request: Any) -> Any:
    request.write(b"done")
    request.finish()
    raise ZeroDivisionError


def raise_in_the_middle(request: Any) -> Any:
    request.write(b"half")
    raise ZeroDivisionError


def finish_twice(request: Any) -> Any:
    request.write(b"done")
    request.finish()
    request.finish()


@over_all_combinations
class MountedTests(TestCase):
    """A stock Resource that fails, on the gateway's own connections; in a stock `Site` it is Twisted that answers."""

    async def ask(self, via: Combination, render: Callable[[Any], Any]) -> list[Message]:
        """What a client gets of two pages that do so, or of as many as there are before the connection ends."""
        stage = Stage(self, via, mounts={b"/page": Page(render), b"/fine": Page(lambda request: b"fine")})
        caller = (await stage.call()).ask("GET", "/page").ask("GET", "/fine")
        await until(lambda: len(caller.finals) == 2 or not caller.is_open, caller)
        self.assertEqual((await stage.get("/api")).status, 200)
        self.assertGreater(len(self.flushLoggedErrors()), 0)
        return caller.finals

    @only(CHANNEL)
    async def test_one_that_raises_or_renders_no_bytes_is_a_500_with_a_cause(self, via: Combination) -> None:
        for render in (divide, lambda request: SECRET, lambda request: None, lambda request: 7):
            page, fine = await self.ask(via, render)
            problem(self, page, 500, "internal-error")
            self.assertNotIn(SECRET.encode(), page.body)
            self.assertEqual((fine.status, fine.body), (200, b"fine"))

    @only(CHANNEL)
    async def test_one_that_raises_in_the_middle_is_cut(self, via: Combination) -> None:
        (page,) = await self.ask(via, raise_in_the_middle)
        self.assertEqual((page.status, page.body, page.is_complete), (200, b"half", False))

    @only(CHANNEL)
    async def test_one_that_raises_after_the_end_has_answered(self, via: Combination) -> None:
        for render in (raise_after_the_end, finish_twice):
            page, fine = await self.ask(via, render)
            self.assertEqual([(one.status, one.body) for one in (page, fine)], [(200, b"done"), (200, b"fine")])

    async def test_one_that_never_answers_costs_nobody_else_anything(self, via: Combination) -> None:
        stage = Stage(self, via, mounts={b"/page": Page(lambda request: NOT_DONE_YET)})
        callers = [(await stage.call()).ask("GET", "/page") for _ in range(5)]
        self.assertEqual((await stage.get("/api")).status, 200)
        self.assertEqual([caller.finals for caller in callers], [[]] * 5)
