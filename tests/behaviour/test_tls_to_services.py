"""TLS to services as clients and operators see it: who is trusted, what is told, and when an answer is whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import TestCase

from apigateway.config.usable import usable
from apigateway.lifecycle import watch
from apigateway.testing.certificates import Authority, self_signed
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.steps import Answer, Close, ReadAgain, ReadAll, Reset, Respond, Stall, StopReading
from tests.behaviour.caller import MIB, held_on_the_way, request
from tests.behaviour.combinations import Combination, needs, only, over_all_combinations
from tests.behaviour.secured import TLS_1_2, TLS_1_3, EndWithoutAWord, Recognise, SecureServices, told
from tests.behaviour.stage import Stage, problem
from tests.behaviour.steps import Flood
from tests.behaviour.waiting import a_moment, until, until_still

UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall that there is"
SIXTEEN = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n"


class Secured(TestCase):
    """What the tests below begin with."""

    def setUp(self) -> None:
        self.secure = SecureServices(self)
        self.events = told(self, "tls-failed")

    def before(self, via: Combination, *urls: str, tls: dict[str, Any] | None = None, **options: Any) -> Stage:
        """A gateway before some targets, which trusts the test's authority unless `tls` is given."""
        tls = {"ca": self.secure.ca} if tls is None else tls
        service = {"prefix": "/api", "targets": list(urls), "tls": tls, **options}
        return Stage(self, via, {"one": service})

    def numbers(self, stage: Stage) -> dict[str, int]:
        """What a target's connections are counted by."""
        numbers: dict[str, int] = stage.target().transport.statistics()
        return numbers


@over_all_combinations
class GoodTests(Secured):
    async def test_a_service_that_an_own_authority_vouches_for(self, via: Combination) -> None:
        service, url = self.secure.service()
        stage = self.before(via, url)
        service.answers(200, b"secret")
        for _ in range(3):
            self.assertEqual((await stage.get("/api")).body, b"secret")
        numbers = self.numbers(stage)
        self.assertEqual((numbers["opened"], numbers["handshakes"], numbers["verified"]), (1, 1, True))
        self.assertEqual(service.requests[0].get(b"host"), url.partition("//")[2].encode())
        self.assertEqual(self.events, [])

    async def test_names_with_a_wildcard_and_addresses(self, via: Combination) -> None:
        for url_host, name, certified in (
            ("localhost", "api.shop.internal", "*.shop.internal"),
            ("127.0.0.1", None, "127.0.0.1"),
        ):
            service, url = self.secure.service(self.secure.authority.server(certified))
            own = {} if name is None else {"server_name": name}
            stage = self.before(via, url.replace("localhost", url_host), tls={"ca": self.secure.ca, **own})
            service.answers(200, b"secret")
            self.assertEqual((await stage.get("/api")).status, 200)

    async def test_another_name_changes_what_is_verified_and_not_the_host_field(self, via: Combination) -> None:
        service, url = self.secure.service(self.secure.authority.server("api.internal"))
        stage = self.before(via, url, tls={"ca": self.secure.ca, "server_name": "api.internal"})
        service.answers(200)
        self.assertEqual((await stage.get("/api")).status, 200)
        self.assertEqual(service.requests[0].get(b"host"), url.partition("//")[2].encode())

    async def test_an_authority_in_between_may_be_trusted_alone(self, via: Combination) -> None:
        between = self.secure.authority.intermediate()
        service, url = self.secure.service(between.server("localhost"))
        service.answers(200)
        stage = self.before(via, url, tls={"ca": between.write(self.secure.folder, "between.pem")})
        self.assertEqual((await stage.get("/api")).status, 200)

    async def test_a_certificate_that_signs_itself_may_be_trusted_by_itself(self, via: Combination) -> None:
        own = self_signed("localhost")
        service, url = self.secure.service(own)
        service.answers(200)
        stage = self.before(via, url, tls={"ca": own.write(self.secure.folder).certificate})
        self.assertEqual((await stage.get("/api")).status, 200)

    async def test_a_service_that_wants_to_know_the_gateway(self, via: Combination) -> None:
        files = self.secure.authority.client("gateway").write(self.secure.folder, "client")
        for only_version in (TLS_1_2, TLS_1_3):
            service, url = self.secure.service(clients=self.secure.authority, only=only_version)
            service.answers(200, b"known")
            own = {"certificate": files.certificate, "key": files.key}
            stage = self.before(via, url, tls={"ca": self.secure.ca, **own})
            self.assertEqual((await stage.get("/api")).body, b"known")

    async def test_either_version_will_do_unless_the_newer_is_asked_for(self, via: Combination) -> None:
        for version, least, status in ((TLS_1_2, "1.2", 200), (TLS_1_3, "1.3", 200), (TLS_1_2, "1.3", 502)):
            service, url = self.secure.service(only=version)
            service.answers(200)
            stage = self.before(via, url, tls={"ca": self.secure.ca, "minimum": least})
            self.assertEqual((await stage.get("/api")).status, status)
        self.assertIn("tls.minimum", self.events[0]["explanation"])

    async def test_a_new_connection_goes_on_with_an_earlier_session(self, via: Combination) -> None:
        for version in (TLS_1_2, TLS_1_3):
            service, url = self.secure.service(only=version)
            service.does(ReadAll(), Answer(200, b"once", {"Connection": "close"}))
            stage = self.before(via, url)
            for _ in range(3):
                self.assertEqual((await stage.get("/api")).body, b"once")
            numbers = self.numbers(stage)
            self.assertEqual((numbers["handshakes"], numbers["resumed"]), (3, 2), version)

    async def test_without_verification_anybody_may_answer_and_that_is_said_aloud(self, via: Combination) -> None:
        said = told(self, "tls-unverified")
        service, url = self.secure.service(self_signed("somebody"))
        service.answers(200)
        stage = self.before(via, url, tls={"verify": False})
        self.assertEqual((await stage.get("/api")).status, 200)
        self.assertEqual([event["service"] for event in said], ["one"])
        await stage.gateway.reload("test")
        self.assertEqual(len(said), 2)
        self.assertFalse(self.numbers(stage)["verified"])


@over_all_combinations
class RefusedTests(Secured):
    """Each is a 502 of its own, says nothing of the inside to the client, and explains itself in the log."""

    async def refused(self, stage: Stage, cause: str, *words: str) -> None:
        answer = await stage.get("/api")
        members = problem(self, answer, 502, cause)
        for word in ("certificate", "localhost", "authority", "tls."):
            self.assertNotIn(word, members["detail"])
        self.assertEqual(len(self.events), 1, self.events)
        event = self.events[0]
        self.assertEqual((event["service"], event["cause"]), ("one", cause))
        for word in words:
            self.assertIn(word, event["explanation"])

    async def untrusted(self, via: Combination, issued: Any, *words: str) -> None:
        service, url = self.secure.service(issued)
        await self.refused(self.before(via, url), "tls-untrusted", *words)
        self.assertEqual(service.requests, [])

    async def test_a_certificate_for_another_name(self, via: Combination) -> None:
        issued = self.secure.authority.server("users.internal", "10.1.1.1")
        await self.untrusted(via, issued, "users.internal, 10.1.1.1", "not for localhost", "tls.server_name")

    async def test_a_certificate_for_no_name_at_all(self, via: Combination) -> None:
        await self.untrusted(via, self.secure.authority.server(), "no name at all")

    async def test_one_that_has_expired(self, via: Combination) -> None:
        issued = self.secure.authority.expired("localhost")
        await self.untrusted(via, issued, f"expired, on {issued.certificate.not_valid_after_utc:%Y-%m-%d %H:%M}")

    async def test_one_that_is_not_valid_yet(self, via: Combination) -> None:
        issued = self.secure.authority.not_yet_valid("localhost")
        await self.untrusted(via, issued, f"{issued.certificate.not_valid_before_utc:%Y-%m-%d}", "clock")

    async def test_one_that_signs_itself(self, via: Combination) -> None:
        await self.untrusted(via, self_signed("localhost"), "self-signed", "tls.ca")

    async def test_one_of_an_authority_that_nobody_knows(self, via: Combination) -> None:
        await self.untrusted(via, Authority("Somebody Else").server("localhost"), "by Somebody Else", "tls.ca")

    async def test_one_whose_chain_is_not_sent(self, via: Combination) -> None:
        issued = replace(self.secure.authority.intermediate("In Between").server("localhost"), chain=())
        await self.untrusted(via, issued, "by In Between", "send its chain")

    async def test_one_that_is_for_clients_only(self, via: Combination) -> None:
        await self.untrusted(via, self.secure.authority.client("localhost", "localhost"), "not for servers")

    async def test_one_that_the_system_does_not_trust(self, via: Combination) -> None:
        _, url = self.secure.service()
        await self.refused(self.before(via, url, tls={}), "tls-untrusted", "Test Authority")

    async def plain(self, via: Combination, service: ScriptedService, *words: str) -> None:
        url = self.secure.plain(service)
        await self.refused(self.before(via, url), "tls-failed", *words)

    async def test_a_service_that_speaks_no_tls(self, via: Combination) -> None:
        service = ScriptedService()
        service.greeting = (Respond(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), Close())
        await self.plain(via, service, "http://")

    async def test_a_service_that_closes_during_the_handshake(self, via: Combination) -> None:
        service = ScriptedService()
        service.greeting = (Close(),)
        await self.plain(via, service, "during the handshake")

    async def test_a_service_that_resets_during_the_handshake(self, via: Combination) -> None:
        service = ScriptedService()
        service.greeting = (Reset(),)
        await self.plain(via, service, "during the handshake")

    async def test_a_service_that_demands_a_certificate(self, via: Combination) -> None:
        for version in (TLS_1_2, TLS_1_3):
            self.events.clear()
            service, url = self.secure.service(clients=self.secure.authority, only=version)
            await self.refused(self.before(via, url), "tls-failed", "tls.certificate")
            self.assertEqual(service.requests, [])

    async def test_a_service_that_does_not_trust_ours(self, via: Combination) -> None:
        files = Authority("Strange").client("gateway").write(self.secure.folder, "client")
        _, url = self.secure.service(clients=self.secure.authority, only=TLS_1_3)
        tls = {"ca": self.secure.ca, "certificate": files.certificate, "key": files.key}
        await self.refused(self.before(via, url, tls=tls), "tls-failed", "tls.certificate")

    async def test_a_handshake_that_gets_nowhere_counts_as_connecting(self, via: Combination) -> None:
        service = ScriptedService()
        service.greeting = (StopReading(), Stall())
        url = self.secure.plain(service)
        stage = self.before(via, url, timeouts={"connect": "50ms"})
        problem(self, await stage.get("/api"), 504, "connect-timeout")
        await until(lambda: not self.numbers(stage)["open"])

    async def test_another_target_is_tried_and_the_breaker_counts(self, via: Combination) -> None:
        _, bad = self.secure.service(self.secure.authority.expired("localhost"))
        service, good = self.secure.service()
        service.answers(200)
        stage = self.before(via, bad, good, circuit_breaker={"failures": 1}, balance={"strategy": "round-robin"})
        for _ in range(4):
            self.assertEqual((await stage.get("/api")).status, 200)
        breaker = stage.target().breaker
        assert breaker is not None
        self.assertEqual(breaker.state, "open")
        self.assertEqual(len(self.events), 1)


@over_all_combinations
class EndTests(Secured):
    """When an answer is whole, and when it has been cut."""

    async def cut(self, via: Combination, *steps: Any) -> None:
        service, url = self.secure.service()
        stage = self.before(via, url)
        *before, end = steps
        service.does(ReadAll(), *before)
        caller = (await stage.call()).ask("GET", "/api")
        await caller.head()
        await a_moment()
        end.run(service.open_connections[0], None)
        await caller.broken()

    async def test_a_body_without_an_end_of_its_own_is_whole_where_tls_says_so(self, via: Combination) -> None:
        service, url = self.secure.service()
        stage = self.before(via, url)
        service.does(ReadAll(), Respond(UNTIL_CLOSE), Close())
        self.assertEqual((await stage.get("/api")).body, b"all that there is")

    async def test_and_cut_where_the_connection_just_ends(self, via: Combination) -> None:
        await self.cut(via, Respond(UNTIL_CLOSE), EndWithoutAWord())

    async def test_or_is_reset(self, via: Combination) -> None:
        await self.cut(via, Respond(UNTIL_CLOSE), Reset())

    async def test_a_body_with_a_length_is_cut_however_it_ends_too_early(self, via: Combination) -> None:
        for end in (Close(), EndWithoutAWord(), Reset()):
            await self.cut(via, Respond(SIXTEEN + b"not so many"), end)

    async def test_so_is_one_in_chunks(self, via: Combination) -> None:
        for end in (Close(), EndWithoutAWord(), Reset()):
            await self.cut(via, Respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nchunk\r\n"), end)

    async def test_a_whole_body_with_a_length_needs_no_word_of_tls(self, via: Combination) -> None:
        service, url = self.secure.service()
        stage = self.before(via, url)
        service.does(ReadAll(), Respond(SIXTEEN + b"sixteen of bytes"), EndWithoutAWord())
        for _ in range(3):
            self.assertEqual((await stage.get("/api")).body, b"sixteen of bytes")


@over_all_combinations
class PoolTests(Secured):
    async def test_a_connection_that_the_service_has_closed_is_not_taken_again(self, via: Combination) -> None:
        for end in (Close(), EndWithoutAWord(), Reset()):
            service, url = self.secure.service()
            stage = self.before(via, url, retries=False)
            service.answers(200, b"good")
            self.assertEqual((await stage.get("/api")).status, 200)
            end.run(service.open_connections[0], None)
            await a_moment()
            self.assertEqual((await stage.ask("POST", "/api", body=b"once")).status, 200)
            self.assertEqual([one.method for one in service.requests], ["GET", "POST"])

    async def test_what_comes_unasked_is_no_answer_to_the_next_request(self, via: Combination) -> None:
        service, url = self.secure.service()
        stage = self.before(via, url, retries=False)
        service.answers(200, b"good")
        self.assertEqual((await stage.get("/api")).body, b"good")
        service.open_connections[0].write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await a_moment()
        self.assertEqual((await stage.get("/api")).body, b"good")

    async def test_a_service_that_speaks_first_is_none(self, via: Combination) -> None:
        service, url = self.secure.service()
        service.greeting = (Respond(b"220 mail\r\n"),)
        stage = self.before(via, url, retries=False)
        self.assertEqual((await stage.get("/api")).status, 502)


@over_all_combinations
class StreamTests(Secured):
    LARGE = bytes(range(256)) * 12_000

    async def test_large_bodies_both_ways(self, via: Combination) -> None:
        service, url = self.secure.service()
        service.keep = len(self.LARGE)
        service.answers(200, self.LARGE)
        stage = self.before(via, url)
        answer = await stage.ask("POST", "/api", body=self.LARGE)
        self.assertEqual(answer.body, self.LARGE)
        self.assertEqual(service.requests[0].body, self.LARGE)

    async def test_an_answer_waits_for_a_slow_client(self, via: Combination) -> None:
        service, url = self.secure.service()
        stage = self.before(via, url)
        held = held_on_the_way() + 4 * MIB
        size = max(64 * MIB, held + 16 * MIB)
        flood = Flood(size)
        service.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size), flood)
        sink = await stage.sink()
        sink.transport.write(request("GET", "/api"))
        await until(lambda: flood.sent)
        self.assertLess(await until_still(lambda: flood.sent), held)
        sink.transport.resumeProducing()
        await until(lambda: sink.size >= size)

    @needs("streamed uploads")
    async def test_an_upload_waits_for_a_slow_service(self, via: Combination) -> None:
        service, url = self.secure.service()
        stage = self.before(via, url)
        service.does(StopReading(), Stall())
        caller = await stage.call()
        size = 24 * 1024 * 1024
        caller.send(request("POST", "/api", f"Content-Length: {size}"))
        caller.send(b"x" * size)
        transport: Any = caller.connection.transport

        def left() -> int:
            return len(transport.dataBuffer) + int(transport._tempDataLen) - int(transport.offset)

        await a_moment()
        self.assertGreater(await until_still(left), size // 4)
        for connection in service.open_connections:
            ReadAgain().run(connection, None)
        await until(lambda: not left())


@over_all_combinations
class HealthTests(Secured):
    @only("native")
    async def test_probes_trust_whom_exchanges_trust(self, via: Combination) -> None:
        service, good = self.secure.service()
        service.answers(200)
        other, bad = self.secure.service(Authority().server("localhost"))
        other.answers(200)
        check = {"interval": "20ms", "unhealthy_after": 1, "healthy_after": 1}
        stage = self.before(via, good, bad, health_check=check)
        await until(lambda: not stage.target(index=1).health.healthy, "a verdict")
        self.assertTrue(stage.target(index=0).health.healthy)
        self.assertEqual(other.requests, [])
        self.assertIn("could not prove who it is", stage.target(index=1).health.last_error)


@over_all_combinations
class ReloadTests(Secured):
    @only("channel")
    async def test_other_files_are_for_new_connections_and_nobody_is_cut(self, via: Combination) -> None:
        service, url = self.secure.service(clients=self.secure.authority)
        seen = Recognise()
        service.does(ReadAll(), seen, Answer(200, b"good"))
        folder = self.secure.folder
        files = self.secure.authority.client("old").write(folder, "client")
        tls = {"ca": self.secure.ca, "certificate": files.certificate, "key": files.key}
        stage = self.before(via, url, tls=tls)
        self.assertEqual((await stage.get("/api")).status, 200)
        first = stage.target().transport
        await stage.gateway.change(usable(stage.gateway.configuration, again=True))
        self.assertIs(stage.target().transport, first)
        self.secure.authority.client("new").write(folder, "client")
        await stage.gateway.change(usable(stage.gateway.configuration, again=True))
        self.assertIsNot(stage.target().transport, first)
        self.assertEqual((await stage.get("/api")).status, 200)
        self.assertEqual(seen.names, ["old", "new"])

    @only("channel")
    async def test_a_changed_file_is_noticed_by_itself(self, via: Combination) -> None:
        self.patch(watch, "EVERY_S", 0.01)
        future = Authority("Of The Future")
        service, url = self.secure.service(future.server("localhost"))
        service.answers(200, b"good")
        stage = self.before(via, url, circuit_breaker=False)
        problem(self, await stage.get("/api"), 502, "tls-untrusted")
        future.write(self.secure.folder)
        first = stage.target().transport
        await until(lambda: stage.target().transport is not first, "another pool")
        self.assertEqual((await stage.get("/api")).body, b"good")
