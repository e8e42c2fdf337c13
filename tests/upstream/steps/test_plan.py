"""What a service is told about a request and a client about an answer, beyond what the other end said."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import FORBIDDEN, INTERNAL_ERROR, GatewayError
from apigateway.http.lines import join_lines, lines_spelled, split_lines
from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.steps.plan import ForwardPlan

HOST = b"shop.internal:8002"
DATE = (b"Date", b"Sun, 06 Nov 1994 08:49:37 GMT")


def sent(plan, *fields, client="203.0.113.7", trusted=False, secure=False):
    """The fields that the service gets, in their order."""
    exchange = exchange_for("GET", "/", fields, client=client, secure=secure)
    exchange.trusted = trusted
    exchange.request_id = b"id-1"
    return split_lines(plan.request_lines(exchange, HOST))


def values(fields, name):
    """All values of a field, whatever its spelling."""
    return [value for key, value in fields if key.lower() == name]


class TargetTests(SynchronousTestCase):
    def test_the_request_target_is_passed_on_as_it_came(self):
        head = exchange_for("GET", "/api//x%2Fy;v=1?a=b?c&d").head
        self.assertEqual(ForwardPlan().target(head), b"/api//x%2Fy;v=1?a=b?c&d")

    def test_a_prefix_may_be_cut_from_it(self):
        plan = ForwardPlan(strip=b"/api")
        targets = [plan.target(exchange_for("GET", target).head) for target in ("/api/x?y", "/api", "/api?y", "/api/")]
        self.assertEqual(targets, [b"/x?y", b"/", b"/?y", b"/"])


class TrailerTests(SynchronousTestCase):
    def test_what_a_route_decides_by_the_head_is_in_no_trailers(self):
        plan = ForwardPlan(in_request_head=frozenset((b"x-user",)), in_answer_head=frozenset((b"x-debug",)))
        fields = [(b"X-User", b"1"), (b"X_Debug", b"2"), (b"Via", b"3"), (b"X-Sum", b"4")]
        self.assertEqual(plan.request_trailers(fields), fields[1:2] + fields[3:])
        self.assertEqual(plan.answer_trailers(fields), fields[:1] + fields[3:])


class UnsaidTests(SynchronousTestCase):
    def test_what_is_not_the_clients_to_say_is_not_passed_on(self):
        plan = ForwardPlan(unsaid=lines_spelled((b"X-Left",)))
        fields = sent(plan, (b"X-A", b"1"), (b"x-left", b"2"), (b"X_Left", b"3"), (b"X-B", b"4"))
        self.assertEqual([name for name, _ in fields if name[:2].lower() == b"x-"][:2], [b"X-A", b"X-B"])
        self.assertEqual(values(fields, b"x-left") + values(fields, b"x_left"), [])


class HostTests(SynchronousTestCase):
    def test_the_service_sees_its_own_name(self):
        self.assertEqual(sent(ForwardPlan(), (b"Host", b"www.example"))[0], (b"Host", HOST))

    def test_or_the_one_that_the_client_asked_for(self):
        self.assertEqual(sent(ForwardPlan(pass_host=True), (b"Host", b"www.example"))[0], (b"Host", b"www.example"))

    def test_a_client_that_named_none_leaves_the_services_own(self):
        self.assertEqual(sent(ForwardPlan(pass_host=True), (b"Host", b""))[0], (b"Host", HOST))

    def test_there_is_always_one_and_it_comes_first(self):
        for plan in (ForwardPlan(), ForwardPlan(pass_host=True)):
            fields = sent(plan, (b"A", b"1"), (b"hOST", b"www.example"))
            self.assertEqual((len(values(fields, b"host")), fields[0][0]), (1, b"Host"))


class RequestFieldsTests(SynchronousTestCase):
    def test_ordinary_fields_keep_order_spelling_and_repetition(self):
        given = [(b"x-B", b"1"), (b"Cookie", b"a=1"), (b"X-b", b"2"), (b"Accept", b"*/*")]
        self.assertEqual(sent(ForwardPlan(), *given)[1:5], given)

    def test_what_concerns_one_hop_is_not_passed_on(self):
        fields = sent(
            ForwardPlan(),
            (b"Connection", b"close, X-Mine"), (b"X-Mine", b"1"), (b"Keep-Alive", b"timeout=5"), (b"Upgrade", b"h2c"),
            (b"Proxy-Authorization", b"Basic x"), (b"TE", b"gzip"), (b"Expect", b"100-continue"),
        )  # fmt: skip
        names = [name for name, _ in fields]
        self.assertEqual(
            names, [b"Host", b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"X-Request-Id", b"Via"]
        )

    def test_the_request_id_is_told_once(self):
        self.assertEqual(values(sent(ForwardPlan(), (b"X-Request-Id", b"mine")), b"x-request-id"), [b"id-1"])

    def test_via_grows_by_the_gateway(self):
        self.assertEqual(values(sent(ForwardPlan()), b"via"), [b"1.1 apigateway"])
        fields = sent(ForwardPlan(), (b"Via", b"1.0 a"), (b"Via", b"1.1 b"))
        self.assertEqual(values(fields, b"via"), [b"1.0 a, 1.1 b, 1.1 apigateway"])

    def test_via_can_be_left_out(self):
        self.assertEqual(values(sent(ForwardPlan(via=False), (b"Via", b"1.0 a")), b"via"), [])

    def test_trailers_are_asked_for_where_the_client_takes_them(self):
        fields = sent(ForwardPlan(), (b"TE", b"gzip, Trailers;q=1"))
        self.assertEqual((values(fields, b"te"), values(fields, b"connection")), ([b"trailers"], [b"TE"]))
        self.assertEqual(values(sent(ForwardPlan(), (b"TE", b"gzip")), b"te"), [])


class UntrustedPeerTests(SynchronousTestCase):
    def forwarded(self, *fields, **how):
        got = sent(ForwardPlan(), *fields, **how)
        return [values(got, b"x-forwarded-" + part) for part in (b"for", b"proto", b"host")]

    def test_the_service_learns_the_clients_address_scheme_and_host(self):
        got = self.forwarded((b"Host", b"www.example:8000"), client="198.51.100.3", secure=True)
        self.assertEqual(got, [[b"198.51.100.3"], [b"https"], [b"www.example:8000"]])
        self.assertEqual(self.forwarded()[1], [b"http"])

    def test_what_it_says_of_itself_is_replaced(self):
        got = self.forwarded(
            (b"X-Forwarded-For", b"10.0.0.1"), (b"X-Forwarded-Proto", b"https"), (b"x-forwarded-host", b"evil.example")
        )
        self.assertEqual(got, [[b"203.0.113.7"], [b"http"], [b"gateway.example"]])

    def test_everything_else_of_that_kind_is_dropped(self):
        fields = sent(
            ForwardPlan(forwarded=False),
            (b"X-Real-IP", b"10.0.0.1"), (b"X-Forwarded-Port", b"1"), (b"Forwarded", b"for=10.0.0.1"),
            (b"X_Forwarded_For", b"10.0.0.1"), (b"X-Forwarded-Prefix", b"/admin"),
        )  # fmt: skip
        self.assertNotIn(b"10.0.0.1", b" ".join(value for _, value in fields))
        for name in (b"x-real-ip", b"x-forwarded-port", b"x-forwarded-prefix", b"x_forwarded_for", b"forwarded"):
            self.assertEqual(values(fields, name), [])

    def test_what_a_service_may_take_for_the_path_is_dropped(self):
        for name in (b"X-Original-URL", b"x-rewrite-url", b"X_Original_URL"):
            self.assertEqual([value for _, value in sent(ForwardPlan(), (name, b"/admin")) if value == b"/admin"], [])


class TrustedPeerTests(SynchronousTestCase):
    def forwarded(self, *fields, **how):
        return sent(ForwardPlan(), *fields, trusted=True, **how)

    def test_the_peer_joins_its_own_list(self):
        fields = self.forwarded((b"X-Forwarded-For", b"192.0.2.1, 192.0.2.2"), client="10.1.1.1")
        self.assertEqual(values(fields, b"x-forwarded-for"), [b"192.0.2.1, 192.0.2.2, 10.1.1.1"])

    def test_its_word_stands(self):
        fields = self.forwarded(
            (b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-Host", b"www.example"), (b"X-Real-IP", b"192.0.2.1"),
            (b"X-Forwarded-Port", b"443"), (b"X-Original-URL", b"/a"),
        )  # fmt: skip
        for name, value in (
            (b"x-original-url", b"/a"),
            (b"x-forwarded-proto", b"https"),
            (b"x-forwarded-host", b"www.example"),
            (b"x-real-ip", b"192.0.2.1"),
            (b"x-forwarded-port", b"443"),
        ):
            self.assertEqual(values(fields, name), [value])

    def test_what_it_does_not_say_is_said_by_the_gateway(self):
        fields = self.forwarded((b"Host", b"www.example"), client="10.1.1.1", secure=True)
        self.assertEqual(values(fields, b"x-forwarded-for"), [b"10.1.1.1"])
        self.assertEqual(values(fields, b"x-forwarded-proto"), [b"https"])
        self.assertEqual(values(fields, b"x-forwarded-host"), [b"www.example"])


class ForwardedTests(SynchronousTestCase):
    """RFC 7239."""

    def element(self, *fields, **how):
        return values(sent(ForwardPlan(forwarded=True), *fields, **how), b"forwarded")

    def test_it_is_left_out_unless_it_is_wanted(self):
        self.assertEqual(values(sent(ForwardPlan()), b"forwarded"), [])

    def test_it_tells_client_host_and_scheme(self):
        got = self.element((b"Host", b"www.example:8000"), client="198.51.100.3")
        self.assertEqual(got, [b'for=198.51.100.3;host="www.example:8000";proto=http'])

    def test_an_ipv6_address_is_bracketed_and_quoted(self):
        got = self.element(client="2001:db8::7", secure=True)
        self.assertEqual(got, [b'for="[2001:db8::7]";host="gateway.example";proto=https'])

    def test_a_trusted_peers_elements_come_first_and_others_are_replaced(self):
        given = (b"Forwarded", b"for=192.0.2.1")
        mine = b'for=10.1.1.1;host="gateway.example";proto=http'
        self.assertEqual(self.element(given, client="10.1.1.1", trusted=True), [b"for=192.0.2.1, " + mine])
        self.assertEqual(self.element(given, client="10.1.1.1"), [mine])


class ResponseHeadTests(SynchronousTestCase):
    def answered(self, plan, fields):
        exchange = exchange_for()
        exchange.request_id = b"id-1"
        exchange.extra.append((b"RateLimit", b"r=1"))
        status, _, lines, _ = plan.answer(exchange, 200, b"OK", join_lines(fields), None, 0.0)
        return status, [field for field in split_lines(lines) if field[0] != b"Date"]

    def test_the_gateway_adds_what_it_has_to_say_at_the_end(self):
        _, fields = self.answered(ForwardPlan(), [(b"Server", b"x")])
        self.assertEqual(
            fields,
            [(b"Server", b"x"), (b"RateLimit", b"r=1"), (b"X-Request-Id", b"id-1"), (b"Via", b"1.1 apigateway")],
        )

    def test_via_can_be_left_out(self):
        _, fields = self.answered(ForwardPlan(via=False), [])
        self.assertEqual(fields, [(b"RateLimit", b"r=1"), (b"X-Request-Id", b"id-1")])

    def test_policies_change_it_in_their_order_before_that(self):
        def first(exchange, head):
            head.fields.append((b"A", b"%d" % len(head.fields)))

        def second(exchange, head):
            head.fields.append((b"B", b"%d" % len(head.fields)))
            head.status = 203

        status, fields = self.answered(ForwardPlan(via=False, on_response=(first, second)), [])
        self.assertEqual((status, fields[:2]), (203, [(b"A", b"1"), (b"B", b"2")]))  # there is a date before them

    def test_one_of_them_may_refuse_the_answer(self):
        def refuse(exchange, head):
            raise GatewayError(FORBIDDEN)

        with self.assertRaises(GatewayError) as caught:
            ForwardPlan(on_response=(refuse,)).answer(exchange_for(), 200, b"OK", b"", 0, 1.0)
        self.assertIs(caught.exception.cause, FORBIDDEN)
        self.assertEqual(self.flushLoggedErrors(), [])


class FaultTests(SynchronousTestCase):
    """A policy fails, or leaves what can't be written: the log has it, and the error tells nothing of it."""

    def assert_internal(self, error, *args):
        with self.assertRaises(GatewayError) as caught:
            args[0](*args[1:])
        self.assertIs(caught.exception.cause, INTERNAL_ERROR)
        self.assertNotIn("secret", caught.exception.detail)
        self.assertEqual(len(self.flushLoggedErrors(error)), 1)

    def test_in_an_answer(self):
        def fail(exchange, head):
            raise ZeroDivisionError("secret")

        plan = ForwardPlan(on_response=(fail,))
        self.assert_internal(ZeroDivisionError, plan.answer, exchange_for(), 200, b"OK", b"", 0, 1.0)

    def test_in_what_is_made_of_its_head(self):
        def garble(exchange, head):
            head.fields = ["secret"]

        plan = ForwardPlan(on_response=(garble,))
        self.assert_internal(TypeError, plan.answer, exchange_for(), 200, b"OK", b"", 0, 1.0)
