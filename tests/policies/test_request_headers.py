from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Headers
from apigateway.exchange import Exchange
from apigateway.testing.exchanges import exchange_for
from tests.policies.passing import answered, compiled, options


def sent_on(rules: Headers, exchange: Exchange) -> list[tuple[bytes, bytes]]:
    answered(compiled(options(headers=rules)), exchange)
    return exchange.head.plain


class RequestHeaderTests(SynchronousTestCase):
    def test_fields_are_removed_whatever_their_spelling(self) -> None:
        exchange = exchange_for(fields=[(b"cookie", b"a=b"), (b"Accept", b"*/*"), (b"COOKIE", b"c=d")])
        self.assertEqual(sent_on(Headers(remove_request=("Cookie",)), exchange), [(b"Accept", b"*/*")])

    def test_underscores_make_no_other_name_for_services_that_read_cgi_variables(self) -> None:
        exchange = exchange_for(fields=[(b"X_User", b"admin"), (b"x-role", b"admin"), (b"X_Role", b"admin")])
        rules = Headers(remove_request=("X-User",), set_request=(("X-Role", "guest"),))
        self.assertEqual(sent_on(rules, exchange), [(b"X-Role", b"guest")])

    def test_fields_are_replaced_all_at_once_or_added(self) -> None:
        exchange = exchange_for(fields=[(b"x-env", b"a"), (b"X-Env", b"b"), (b"Accept", b"*/*")])
        rules = Headers(set_request=(("X-Env", "live"), ("X-Name", "größe")))
        expected = [(b"Accept", b"*/*"), (b"X-Env", b"live"), (b"X-Name", "größe".encode())]
        self.assertEqual(sent_on(rules, exchange), expected)

    def test_the_list_that_came_is_left_as_it_was(self) -> None:
        exchange = exchange_for(fields=[(b"Accept", b"*/*")])
        plain = exchange.head.plain
        sent_on(Headers(set_request=(("Accept", "text/plain"),)), exchange)
        self.assertEqual(plain, [(b"Accept", b"*/*")])
        self.assertIn((b"Accept", b"*/*"), exchange.head.fields)

    def test_without_rules_nothing_is_done(self) -> None:
        exchange = exchange_for(fields=[(b"Accept", b"*/*")])
        plain = exchange.head.plain
        self.assertIs(sent_on(Headers(), exchange), plain)
