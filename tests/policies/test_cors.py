from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Cors
from apigateway.testing.downstream import RecordingDownstream
from apigateway.testing.exchanges import exchange_for
from tests.policies.passing import answered, compiled, fields_of, options

SHOP = "https://shop.example.com"


def ask(rule: Cors, origin: str | None = SHOP, *fields: tuple[bytes, bytes]) -> RecordingDownstream:
    """What a page of `origin` gets where the service answers with these fields."""
    sent = [(b"Origin", origin.encode())] if origin is not None else []
    return answered(compiled(options(cors=rule)), exchange_for(fields=sent), fields)


def preflight(rule: Cors, origin: str = SHOP, method: str = "GET", names: str = "") -> RecordingDownstream:
    fields = [(b"Origin", origin.encode()), (b"Access-Control-Request-Method", method.encode())]
    if names:
        fields.append((b"Access-Control-Request-Headers", names.encode()))
    return answered(compiled(options(cors=rule)), exchange_for("OPTIONS", fields=fields), [(b"X-Service", b"1")])


class PreflightTests(SynchronousTestCase):
    def test_an_allowed_origin_is_told_what_is_allowed(self) -> None:
        rule = Cors((SHOP,), methods=("GET", "PUT"), headers=("X-Cart",), max_age=60)
        answer = preflight(rule)
        self.assertEqual(answer.status, 204)
        self.assertEqual(
            fields_of(answer),
            [
                (b"Vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
                (b"Access-Control-Allow-Origin", b"https://shop.example.com"),
                (b"Access-Control-Allow-Methods", b"GET, PUT"),
                (b"Access-Control-Allow-Headers", b"Accept, Accept-Language, Content-Language, Content-Type, X-Cart"),
                (b"Access-Control-Max-Age", b"60"),
            ],
        )

    def test_another_origin_is_told_nothing(self) -> None:
        answer = preflight(Cors((SHOP,)), "https://evil.example")
        self.assertEqual((answer.status, [name for name, _ in fields_of(answer)]), (204, [b"Vary"]))

    def test_the_service_is_not_asked(self) -> None:
        for origin in (SHOP, "https://evil.example"):
            self.assertIsNone(preflight(Cors((SHOP,)), origin).get(b"X-Service"))

    def test_an_options_request_that_is_no_preflight_goes_to_the_service(self) -> None:
        policies = compiled(options(cors=Cors((SHOP,))))
        for fields in ([], [(b"Origin", SHOP.encode())], [(b"Access-Control-Request-Method", b"GET")]):
            answer = answered(policies, exchange_for("OPTIONS", fields=fields), [(b"X-Service", b"1")])
            self.assertEqual(answer.get(b"X-Service"), b"1", fields)

    def test_credentials_are_allowed_where_they_are_switched_on(self) -> None:
        self.assertIsNone(preflight(Cors((SHOP,))).get(b"Access-Control-Allow-Credentials"))
        answer = preflight(Cors((SHOP,), credentials=True))
        self.assertEqual(answer.get(b"Access-Control-Allow-Credentials"), b"true")

    def test_a_star_allows_the_method_and_the_fields_that_are_asked_for(self) -> None:
        answer = preflight(Cors((SHOP,), methods=("*",), headers=("*",)), SHOP, "PURGE", "authorization, x-a")
        self.assertEqual(answer.get(b"Access-Control-Allow-Methods"), b"PURGE")
        self.assertEqual(answer.get(b"Access-Control-Allow-Headers"), b"authorization, x-a")

    def test_what_is_no_list_of_names_is_not_repeated_to_the_page(self) -> None:
        answer = preflight(Cors((SHOP,), headers=("*",)), names="<script>")
        self.assertNotIn(b"<script>", answer.get(b"Access-Control-Allow-Headers") or b"")


class AnswerTests(SynchronousTestCase):
    def test_a_page_of_an_allowed_origin_may_see_the_answer(self) -> None:
        answer = ask(Cors((SHOP,), expose=("X-Total", "X-Page")), SHOP, (b"X-Total", b"3"))
        self.assertEqual(
            fields_of(answer),
            [
                (b"X-Total", b"3"),
                (b"Vary", b"Origin"),
                (b"Access-Control-Allow-Origin", b"https://shop.example.com"),
                (b"Access-Control-Expose-Headers", b"X-Total, X-Page"),
            ],
        )

    def test_credentials_are_allowed_where_they_are_switched_on(self) -> None:
        answer = ask(Cors((SHOP,), credentials=True))
        self.assertEqual(answer.get(b"Access-Control-Allow-Credentials"), b"true")

    def test_a_request_of_another_origin_is_served_but_its_page_may_not_see_the_answer(self) -> None:
        answer = ask(Cors((SHOP,)), "https://evil.example", (b"X-Service", b"1"))
        self.assertEqual(fields_of(answer), [(b"X-Service", b"1"), (b"Vary", b"Origin")])

    def test_caches_are_told_that_answers_differ_by_origin_even_where_there_is_none(self) -> None:
        self.assertEqual(ask(Cors((SHOP,)), None).fields, [(b"Vary", b"Origin")])

    def test_everybody_may_see_answers_where_a_star_says_so_and_caches_need_not_tell_apart(self) -> None:
        rule = Cors(("*",))
        self.assertEqual(ask(rule, "https://any.example").fields, [(b"Access-Control-Allow-Origin", b"*")])
        self.assertEqual(ask(rule, None).fields, [])

    def test_the_services_own_rules_give_way(self) -> None:
        own = (
            (b"access-control-allow-origin", b"*"),
            (b"Access-Control-Allow-Credentials", b"true"),
            (b"Access-Control-Expose-Headers", b"X-Secret"),
            (b"Vary", b"Accept"),
        )
        allowed = ask(Cors((SHOP,)), SHOP, *own)
        self.assertEqual(
            allowed.fields,
            [(b"Vary", b"Accept"), (b"Vary", b"Origin"), (b"Access-Control-Allow-Origin", SHOP.encode())],
        )
        self.assertEqual(
            ask(Cors((SHOP,)), "https://evil.example", *own).fields, [(b"Vary", b"Accept"), (b"Vary", b"Origin")]
        )

    def test_without_the_policy_the_services_own_rules_stand(self) -> None:
        own = [(b"Access-Control-Allow-Origin", b"*")]
        self.assertEqual(answered(compiled(options()), exchange_for(), own).fields, own)

    def test_an_empty_origin_is_none(self) -> None:
        self.assertEqual(ask(Cors(("*",)), "").fields, [])


class OriginTests(SynchronousTestCase):
    def is_allowed(self, origins: tuple[str, ...], origin: str) -> bool:
        return ask(Cors(origins), origin).get(b"Access-Control-Allow-Origin") is not None

    def test_scheme_host_and_port_must_all_be_the_same(self) -> None:
        for origin in (
            "http://shop.example.com",
            "https://shop.example.com:8443",
            "https://shop.example.com.evil.example",
            "https://evilshop.example.com",
            "https://example.com",
            "null",
        ):
            self.assertFalse(self.is_allowed((SHOP,), origin), origin)

    def test_case_does_not_matter(self) -> None:
        self.assertTrue(self.is_allowed(("https://Shop.Example.com",), "https://shop.example.COM"))

    def test_one_of_several_origins_is_enough(self) -> None:
        self.assertTrue(self.is_allowed(("https://a.example", SHOP), SHOP))

    def test_a_star_in_front_of_a_domain_stands_for_its_subdomains(self) -> None:
        origins = ("https://*.example.com", "http://*.test:8080")
        for origin in ("https://a.example.com", "https://a.b-c.example.com", "http://a.test:8080"):
            self.assertTrue(self.is_allowed(origins, origin), origin)

    def test_a_star_in_front_of_a_domain_stands_for_nothing_else(self) -> None:
        for origin in (
            "https://example.com",
            "https://.example.com",
            "http://a.example.com",
            "https://a.example.com:8443",
            "https://a.exampleXcom",
            "https://evil.example/.example.com",
            "https://user@a.example.com",
            "https://evil.example:1.example.com",
            "https://a.example.com.evil.example",
            "https://a..example.com",
        ):
            self.assertFalse(self.is_allowed(("https://*.example.com",), origin), origin)
