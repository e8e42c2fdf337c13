"""Which fields go on and which stay: nothing of this hop gets through, and nothing else is touched."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import GatewayError
from apigateway.http.fields import (
    FRAMING,
    HOP_BY_HOP,
    OWNED,
    Fields,
    connection_options,
    response_fields,
    sort_request_fields,
    trailer_fields,
)

ORDINARY = (b"Accept", b"Cookie", b"X-Own", b"x_own", b"User-Agent", b"Hosted", b"Keep", b"Te-x", b"Viaduct")
SPECIAL = (*sorted(HOP_BY_HOP | FRAMING | OWNED), b"x-forwarded-for-me", b"X_Forwarded_For", b"expect", b"host")


@st.composite
def spelled(draw: st.DrawFn, names: tuple[bytes, ...]) -> bytes:
    """One of the names in some spelling."""
    name = draw(st.sampled_from(names)).decode()
    upper = draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
    return "".join(c.upper() if up else c.lower() for c, up in zip(name, upper, strict=True)).encode()


def fields_of(names: tuple[bytes, ...]) -> st.SearchStrategy[Fields]:
    return st.lists(st.tuples(spelled(names), st.sampled_from((b"1", b"a, b", b"", b"close"))), max_size=8)


connections = st.lists(
    st.tuples(spelled((b"connection",)), spelled((*ORDINARY, b"close", b"keep-alive", b"upgrade"))), max_size=2
)


def named_by(fields: Fields) -> set[bytes]:
    """What the `Connection` fields name, in lower case."""
    return {value.lower() for name, value in fields if name.lower() == b"connection"}


class RequestTests(SynchronousTestCase):
    def test_ordinary_fields_are_passed_on_as_they_came(self) -> None:
        fields = [(b"aCCept", b"*/*"), (b"X-A", b"1"), (b"Cookie", b"a"), (b"x-a", b"2"), (b"Cookie", b"b ")]
        self.assertEqual(sort_request_fields(list(fields)), (fields, {}))

    def test_those_of_this_hop_and_those_that_the_gateway_writes_are_not(self) -> None:
        for name in SPECIAL:
            for spelling in (name, name.title(), name.upper()):
                plain, special = sort_request_fields([(spelling, b"x")])
                self.assertEqual(plain, [], spelling)
                if b"_" not in name:
                    self.assertEqual(special, {name: b"x"}, spelling)

    def test_any_field_of_the_forwarded_family_is_the_gateways(self) -> None:
        plain, special = sort_request_fields([(b"X-Forwarded-Anything", b"x")])
        self.assertEqual((plain, special), ([], {b"x-forwarded-anything": b"x"}))

    def test_a_spelling_that_services_could_take_for_one_of_them_is_dropped(self) -> None:
        for name in (b"X_Forwarded_For", b"x-forwarded_for", b"Content_Length", b"transfer_encoding", b"X_REAL_IP"):
            self.assertEqual(sort_request_fields([(name, b"x")]), ([], {}), name)

    def test_repeated_ones_are_joined_in_their_order(self) -> None:
        _, special = sort_request_fields([(b"Via", b"a"), (b"X-Forwarded-For", b"1"), (b"via", b"b"), (b"VIA", b"c")])
        self.assertEqual(special, {b"via": b"a, b, c", b"x-forwarded-for": b"1"})

    def test_a_repeated_host_is_refused(self) -> None:
        with self.assertRaises(GatewayError) as caught:
            sort_request_fields([(b"Host", b"a"), (b"hOST", b"a")])
        self.assertEqual(caught.exception.cause.code, "bad-request")

    def test_what_connection_names_is_of_this_hop_too(self) -> None:
        plain, special = sort_request_fields(
            [(b"X-A", b"1"), (b"Connection", b"close, x-A"), (b"X-B", b"2"), (b"connection", b" X-c\t"), (b"x-C", b"3")]
        )
        self.assertEqual((plain, special), ([(b"X-B", b"2")], {b"connection": b"close, x-A,  X-c\t"}))

    def test_connection_cannot_take_away_what_the_gateway_writes(self) -> None:
        _, special = sort_request_fields([(b"Connection", b"host, x-forwarded-for"), (b"Host", b"h")])
        self.assertEqual(special[b"host"], b"h")

    @settings(deadline=None)
    @given(st.permutations(range(20)), fields_of(ORDINARY), fields_of(tuple(set(SPECIAL) - {b"host"})), connections)
    def test_nothing_of_this_hop_survives_and_the_rest_keeps_order_and_spelling(
        self, order: list[int], ordinary: Fields, special: Fields, connection: Fields
    ) -> None:
        everything = [*ordinary, *special, *connection]
        mixed = [everything[at] for at in order if at < len(everything)]
        plain, sorted_out = sort_request_fields(list(mixed))
        gone = named_by(mixed)
        allowed = {name.lower() for name in ORDINARY} - gone
        self.assertEqual(plain, [field for field in mixed if field[0].lower() in allowed])
        self.assertTrue(set(sorted_out) <= {name.lower() for name in SPECIAL})


class ConnectionTests(SynchronousTestCase):
    def test_options_are_read_in_lower_case_without_space(self) -> None:
        self.assertEqual(connection_options(b"Close ,\tX-A"), {b"close", b"x-a"})


class ResponseTests(SynchronousTestCase):
    def test_answers_keep_what_is_neither_of_this_hop_nor_framing(self) -> None:
        kept = [(b"Set-Cookie", b"a"), (b"X-A", b"1"), (b"set-cookie", b"b"), (b"Via", b"1.0 them"), (b"Server", b"s")]
        for name in (*HOP_BY_HOP, *FRAMING):
            self.assertEqual(response_fields([*kept[:2], (name.title(), b"x"), *kept[2:]]), kept, name)

    def test_a_request_id_of_the_services_own_gives_way_to_the_gateways(self) -> None:
        self.assertEqual(response_fields([(b"X-Request-ID", b"theirs")]), [])

    def test_what_connection_names_goes_too(self) -> None:
        fields = [(b"X-A", b"1"), (b"Connection", b"keep-alive, X-a"), (b"X-B", b"2")]
        self.assertEqual(response_fields(fields), [(b"X-B", b"2")])

    @settings(deadline=None)
    @given(st.permutations(range(20)), fields_of(ORDINARY), fields_of(tuple(HOP_BY_HOP | FRAMING)), connections)
    def test_nothing_of_this_hop_survives_and_the_rest_keeps_order_and_spelling(
        self, order: list[int], ordinary: Fields, special: Fields, connection: Fields
    ) -> None:
        everything = [*ordinary, *special, *connection]
        mixed = [everything[at] for at in order if at < len(everything)]
        named = {
            option for name, value in mixed if name.lower() == b"connection" for option in connection_options(value)
        }
        allowed = {name.lower() for name in ORDINARY} - named
        self.assertEqual(response_fields(mixed), [field for field in mixed if field[0].lower() in allowed])


class TrailerTests(SynchronousTestCase):
    def test_trailers_are_passed_on_as_they_came(self) -> None:
        fields = [(b"Grpc-Status", b"0"), (b"x-sum", b"1"), (b"X-Sum", b"2")]
        self.assertEqual(trailer_fields(fields), fields)

    def test_none_may_frame_route_or_identify_the_message_after_the_fact(self) -> None:
        for name in (*SPECIAL, b"Authorization", b"COOKIE", b"set-cookie", b"Trailer", b"X_Forwarded_For"):
            self.assertEqual(trailer_fields([(name, b"x")]), [], name)

    def test_nor_be_of_these_names_in_any_spelling(self) -> None:
        fields = [(b"X_User", b"1"), (b"x-user", b"2"), (b"X-USER", b"3"), (b"X-Users", b"4")]
        self.assertEqual(trailer_fields(fields, frozenset((b"x-user",))), [(b"X-Users", b"4")])
