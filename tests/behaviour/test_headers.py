"""Header fields on their way: what passes, what belongs to one hop, what the gateway says and whom it believes."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from apigateway.testing.steps import ReadAll, Respond
from tests.behaviour.combinations import Combination, lacks, needs, over_all_combinations
from tests.behaviour.stage import Options, Stage, logged

TRUSTING = ["127.0.0.0/8"]


def one(**headers: object) -> dict[str, Options]:
    """The usual service with these options for header fields."""
    return {"one": {"prefix": "/api", "headers": headers}}


@over_all_combinations
class HopByHopTests(TestCase):
    SENT = (
        "Connection: keep-alive, X-Mine",
        "X-Mine: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic eDp5",
        "TE: gzip",
        "X-Yours: 2",
    )

    async def test_fields_of_this_hop_do_not_reach_the_service(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.get("/api", *self.SENT)
        arrived = await stage.request()
        for name in (b"connection", b"x-mine", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te"):
            self.assertEqual(arrived.get_all(name), [], name)
        self.assertEqual(arrived.get(b"x-yours"), b"2")

    async def test_they_stay_behind_though_connection_does_not_name_them(self, via: Combination) -> None:
        hop = ("Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Upgrade")
        stage = Stage(self, via)
        stage.one.answers(200, b"x", dict.fromkeys(hop, "x"))
        answer = await stage.get("/api", *(f"{name}: x" for name in hop))
        arrived = await stage.request()
        for name in hop:
            self.assertEqual((arrived.get(name.encode()), answer.get(name.encode())), (None, None), name)

    async def test_connection_cannot_take_away_what_the_gateway_says(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.get("/api", "Connection: X-Forwarded-For, X-Request-Id, Host, keep-alive")
        arrived = await stage.request()
        for name in (b"x-forwarded-for", b"x-request-id", b"host"):
            self.assertEqual(len(arrived.get_all(name)), 1, name)

    async def test_fields_of_the_services_hop_do_not_reach_the_client(self, via: Combination) -> None:
        stage = Stage(self, via)
        hop = {"Connection": "keep-alive, X-Mine", "X-Mine": "1", "Keep-Alive": "timeout=5", "Proxy-Authenticate": "x"}
        stage.one.answers(200, b"x", {**hop, "Upgrade": "h2c", "X-Yours": "2"})
        answer = await stage.get("/api")
        for name in (b"connection", b"x-mine", b"keep-alive", b"proxy-authenticate", b"upgrade"):
            self.assertEqual(answer.get_all(name), [], name)
        self.assertEqual(answer.get(b"x-yours"), b"2")


@over_all_combinations
class OrderTests(TestCase):
    FIELDS = ("accept: a/b", "X-Two: 1", "COOKIE: a=1", "x-tWO: 2", "Cookie: b=2", "X-Empty:")

    @needs("spelling of field names")
    async def test_requests_keep_the_order_and_the_spelling_of_their_fields(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.get("/api", *self.FIELDS)
        arrived = await stage.request()
        sent = [(b"accept", b"a/b"), (b"X-Two", b"1"), (b"COOKIE", b"a=1"), (b"x-tWO", b"2"), (b"Cookie", b"b=2")]
        self.assertEqual(arrived.fields[1:7], [*sent, (b"X-Empty", b"")])

    @needs("spelling of field names")
    async def test_answers_keep_the_order_and_the_spelling_of_their_fields(self, via: Combination) -> None:
        stage = Stage(self, via)
        fields = [("set-cookie", "a=1"), ("X-Two", "1"), ("Set-Cookie", "b=2"), ("x-tWO", "2"), ("X-Empty", "")]
        stage.one.answers(200, b"x", fields)
        answer = await stage.get("/api")
        self.assertEqual(answer.fields[:5], [(name.encode(), value.encode()) for name, value in fields])

    @lacks("spelling of field names")
    async def test_a_stock_site_respells_names_and_gathers_repeated_fields(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"x", [("set-cookie", "a=1"), ("x-one", "1"), ("SET-COOKIE", "b=2")])
        answer = await stage.get("/api", "x-one: 1", "X-Two: 2", "X-ONE: 3")
        self.assertIn((b"X-One", b"1"), (await stage.request()).fields)
        self.assertEqual([value for name, value in answer.fields if name == b"Set-Cookie"], [b"a=1", b"b=2"])

    async def test_repeated_fields_stay_apart_and_in_their_order(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"x", [("Set-Cookie", "a=1, b"), ("Set-Cookie", "c=2"), ("Set-Cookie", "a=3")])
        answer = await stage.get("/api", "X-Many: 1", "X-Many: 2", "X-Many: 1")
        self.assertEqual((await stage.request()).get_all(b"x-many"), [b"1", b"2", b"1"])
        self.assertEqual(answer.get_all(b"set-cookie"), [b"a=1, b", b"c=2", b"a=3"])

    async def test_bytes_beyond_ascii_pass_unchanged(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"x", {"X-Name": "é"})
        answer = await stage.get("/api", "X-Name: é")
        self.assertEqual(((await stage.request()).get(b"x-name"), answer.get(b"x-name")), (b"\xe9", b"\xe9"))

    async def test_encoded_bodies_are_left_alone(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"not really gzip", {"Content-Encoding": "gzip", "ETag": '"x"'})
        answer = await stage.get("/api", "Accept-Encoding: br")
        self.assertEqual((answer.get(b"content-encoding"), answer.body), (b"gzip", b"not really gzip"))
        self.assertEqual((await stage.request()).get_all(b"accept-encoding"), [b"br"])

    async def test_nothing_is_added_that_the_client_did_not_say(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.get("/api")
        names = [name.lower() for name, _ in (await stage.request()).fields]
        added = [b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-request-id", b"via"]
        self.assertEqual(sorted(names), sorted([b"host", *added]))

    async def test_redirects_and_cookies_are_the_clients_business(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(302, b"", {"Location": "/elsewhere", "Set-Cookie": "a=1"})
        caller = await stage.call()
        for _ in range(2):
            answer = await caller.get("/api")
            self.assertEqual((answer.status, answer.get(b"location")), (302, b"/elsewhere"))
        self.assertEqual([request.get(b"cookie") for request in stage.one.requests], [None, None])


@over_all_combinations
class ForwardedTests(TestCase):
    SPOOFED = (
        "X-Forwarded-For: 198.51.100.7",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Port: 1",
        "Forwarded: for=198.51.100.7",
        "X-Real-IP: 198.51.100.7",
    )

    async def test_the_service_learns_who_asks_and_what_for(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.get("/api")
        arrived = await stage.request()
        found = [arrived.get_all(b"x-forwarded-" + name) for name in (b"for", b"proto", b"host")]
        self.assertEqual(found, [[b"127.0.0.1"], [b"http"], [b"here"]])

    async def test_what_clients_say_of_themselves_is_replaced(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.get("/api", *self.SPOOFED, "X_Forwarded_For: 198.51.100.7", "X-Forwarded_For: 198.51.100.7")
        arrived = await stage.request()
        found = [arrived.get_all(b"x-forwarded-" + name) for name in (b"for", b"proto", b"host", b"port")]
        self.assertEqual(found, [[b"127.0.0.1"], [b"http"], [b"here"], []])
        for name in (b"forwarded", b"x-real-ip", b"x_forwarded_for", b"x-forwarded_for"):
            self.assertEqual(arrived.get_all(name), [], name)
        self.assertNotIn(b"198.51.100.7", arrived.raw_head)

    async def test_a_trusted_proxy_is_believed_and_joins_the_list(self, via: Combination) -> None:
        stage = Stage(self, via, trusted_proxies=TRUSTING)
        await stage.get("/api", *self.SPOOFED)
        arrived = await stage.request()
        found = [arrived.get_all(b"x-forwarded-" + name) for name in (b"for", b"proto", b"host", b"port")]
        self.assertEqual(found, [[b"198.51.100.7, 127.0.0.1"], [b"https"], [b"evil.example"], [b"1"]])

    async def test_lists_of_several_fields_are_one_list(self, via: Combination) -> None:
        stage = Stage(self, via, trusted_proxies=TRUSTING)
        await stage.get("/api", "X-Forwarded-For: 198.51.100.7", "X-Forwarded-For: 203.0.113.9, 127.0.0.5")
        arrived = await stage.request()
        self.assertEqual(arrived.get_all(b"x-forwarded-for"), [b"198.51.100.7, 203.0.113.9, 127.0.0.5, 127.0.0.1"])

    async def test_the_client_is_the_last_in_the_list_who_is_not_trusted(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, trusted_proxies=TRUSTING, access_log={"file": log})
        caller = await stage.call()
        clients = {
            "198.51.100.7, 203.0.113.9, 127.0.0.5": "203.0.113.9",
            "127.0.0.6, 127.0.0.5": "127.0.0.6",
            "198.51.100.7, nonsense": "127.0.0.1",
        }
        for forwarded_for in clients:
            await caller.get("/api", f"X-Forwarded-For: {forwarded_for}")
        found = [entry["client"] for entry in await logged(log, 3)]
        self.assertEqual(found, list(clients.values()))

    async def test_the_log_does_not_believe_just_anybody_either(self, via: Combination) -> None:
        log = self.mktemp()
        stage = Stage(self, via, access_log={"file": log})
        await stage.get("/api", "X-Forwarded-For: 198.51.100.7")
        self.assertEqual((await logged(log, 1))[0]["client"], "127.0.0.1")

    async def test_forwarded_is_sent_where_it_is_wanted(self, via: Combination) -> None:
        stage = Stage(self, via, one(forwarded=True))
        await stage.get("/api", "Forwarded: for=198.51.100.7")
        self.assertEqual((await stage.request()).get_all(b"forwarded"), [b'for=127.0.0.1;host="here";proto=http'])

    async def test_forwarded_of_a_trusted_proxy_is_continued(self, via: Combination) -> None:
        stage = Stage(self, via, one(forwarded=True), trusted_proxies=TRUSTING)
        await stage.get("/api", "Forwarded: for=198.51.100.7")
        self.assertEqual(
            (await stage.request()).get_all(b"forwarded"),
            [b'for=198.51.100.7, for=127.0.0.1;host="here";proto=http'],
        )

    async def test_via_names_the_gateway_both_ways(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"x", {"Via": "1.1 inner"})
        answer = await stage.get("/api", "Via: 1.0 outer")
        self.assertEqual((await stage.request()).get_all(b"via"), [b"1.0 outer, 1.1 apigateway"])
        self.assertEqual(b", ".join(answer.get_all(b"via")), b"1.1 inner, 1.1 apigateway")

    async def test_via_can_be_left_out(self, via: Combination) -> None:
        stage = Stage(self, via, one(via=False))
        answer = await stage.get("/api")
        self.assertEqual(((await stage.request()).get(b"via"), answer.get(b"via")), (None, None))


@over_all_combinations
class RequestIdTests(TestCase):
    async def test_each_request_gets_an_id_on_the_way_up_and_back(self, via: Combination) -> None:
        stage = Stage(self, via)
        caller = await stage.call()
        ids = [(await caller.get("/api")).get_all(b"x-request-id") for _ in range(3)]
        self.assertEqual([request.get_all(b"x-request-id") for request in stage.one.requests], ids)
        self.assertEqual(len({one[0] for one in ids}), 3)
        self.assertTrue(all(len(one) == 1 and len(one[0]) == 32 for one in ids), ids)

    async def test_an_id_is_not_taken_from_just_anybody(self, via: Combination) -> None:
        stage = Stage(self, via)
        answer = await stage.get("/api", "X-Request-Id: mine")
        self.assertNotEqual(answer.get(b"x-request-id"), b"mine")
        self.assertEqual((await stage.request()).get_all(b"x-request-id"), answer.get_all(b"x-request-id"))

    async def test_an_id_of_a_trusted_proxy_is_kept(self, via: Combination) -> None:
        stage = Stage(self, via, trusted_proxies=TRUSTING)
        answer = await stage.get("/api", "X-Request-Id: mine-1")
        self.assertEqual(answer.get_all(b"x-request-id"), [b"mine-1"])
        self.assertEqual((await stage.request()).get_all(b"x-request-id"), [b"mine-1"])

    async def test_an_id_that_could_do_harm_is_replaced_though_it_is_trusted(self, via: Combination) -> None:
        stage = Stage(self, via, trusted_proxies=TRUSTING)
        for harmful in ("a b", "<script>", "x" * 200, '"'):
            answer = await stage.get("/api", f"X-Request-Id: {harmful}")
            self.assertEqual(len(answer.get(b"x-request-id") or b""), 32)


@over_all_combinations
class HostTests(TestCase):
    async def test_the_service_sees_its_own_name(self, via: Combination) -> None:
        stage = Stage(self, via)
        await stage.get("/api")
        self.assertEqual((await stage.request()).get_all(b"host"), [f"127.0.0.1:{stage.port_of()}".encode()])

    async def test_the_clients_host_can_be_passed_on(self, via: Combination) -> None:
        stage = Stage(self, via, one(host="pass"))
        await stage.get("/api")
        self.assertEqual((await stage.request()).get_all(b"host"), [b"here"])


@over_all_combinations
class AnswerFieldTests(TestCase):
    TELLTALE = {"Server": "x/1.0", "X-Powered-By": "y", "X-Kept": "z"}

    async def test_the_services_software_is_hidden(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"x", self.TELLTALE)
        answer = await stage.get("/api")
        found = [answer.get_all(name) for name in (b"server", b"x-powered-by", b"x-kept")]
        self.assertEqual(found, [[], [], [b"z"]])

    async def test_the_services_software_can_be_shown(self, via: Combination) -> None:
        stage = Stage(self, via, one(hide_server=False))
        stage.one.answers(200, b"x", self.TELLTALE)
        answer = await stage.get("/api")
        self.assertEqual([answer.get_all(name) for name in (b"server", b"x-powered-by")], [[b"x/1.0"], [b"y"]])

    async def test_the_gateway_does_not_name_its_own_software(self, via: Combination) -> None:
        stage = Stage(self, via, {"one": {"prefix": "/api", "methods": ["GET"]}})
        self.assertEqual((await stage.ask("POST", "/api")).get_all(b"server"), [])

    async def test_an_answer_without_a_date_gets_one_and_only_then(self, via: Combination) -> None:
        stage = Stage(self, via)
        self.assertEqual(len((await stage.get("/api")).get_all(b"date")), 1)
        stage.one.answers(200, b"x", {"Date": "Tue, 15 Nov 1994 08:12:31 GMT"})
        self.assertEqual((await stage.get("/api")).get_all(b"date"), [b"Tue, 15 Nov 1994 08:12:31 GMT"])

    async def test_a_content_type_is_not_made_up(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"<html>")
        self.assertEqual((await stage.get("/api")).get_all(b"content-type"), [])

    async def test_security_headers_are_a_switch(self, via: Combination) -> None:
        names = (b"x-content-type-options", b"x-frame-options", b"referrer-policy", b"strict-transport-security")
        off = await Stage(self, via).get("/api")
        on = await Stage(self, via, one(security=True)).get("/api")
        self.assertEqual([off.get(name) for name in names], [None] * 4)
        wanted = [b"nosniff", b"DENY", b"strict-origin-when-cross-origin", None]
        self.assertEqual([on.get(name) for name in names], wanted)

    async def test_fields_are_set_and_removed_on_both_ways(self, via: Combination) -> None:
        stage = Stage(
            self,
            via,
            one(
                set_request={"X-Env": "edge"},
                remove_request=["Cookie"],
                set_response={"Cache-Control": "no-store"},
                remove_response=["X-Debug"],
            ),
        )
        stage.one.answers(200, b"x", {"cache-control": "public", "x-debug": "1"})
        answer = await stage.get("/api", "x-env: mine", "cookie: a=1")
        arrived = await stage.request()
        self.assertEqual((arrived.get_all(b"x-env"), arrived.get_all(b"cookie")), ([b"edge"], []))
        self.assertEqual((answer.get_all(b"cache-control"), answer.get_all(b"x-debug")), ([b"no-store"], []))

    @needs("long answer fields")
    async def test_a_field_of_an_answer_may_be_long(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"x", {"X-Long": "x" * 40_000})
        self.assertEqual(len((await stage.get("/api")).get(b"x-long") or b""), 40_000)

    @lacks("long answer fields")
    async def test_twisteds_client_gives_up_at_a_line_above_16_kib(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"x", {"X-Long": "x" * 40_000})
        self.assertEqual((await stage.get("/api")).status, 502)

    async def test_an_answer_whose_head_never_ends_is_a_failure_of_the_service(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.does(ReadAll(), Respond(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000))
        self.assertEqual((await stage.get("/api")).status, 502)
