"""The gateway's own pages are shown to those only who may see them, however a request is put."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.http.paths import read_path
from apigateway.testing.gateway import RunningGateway, running_gateway
from apigateway.testing.memory import MemoryNetwork
from apigateway.testing.scripted_service import ScriptedService
from apigateway.testing.wire import Message

TOKEN = "0123456789abcdef0123456789abcdef"
PROXY = "10.0.0.9"
STRANGER = "203.0.113.7"

TOP = f"""
trusted_proxies: [{PROXY}]
admin: {{token: {TOKEN}}}
"""
ONE = 'services: {one: {prefix: /api, targets: ["http://one:80"], health_check: false, rate_limit: false}}'
REST = 'services: {one: {prefix: /, targets: ["http://one:80"], health_check: false, rate_limit: false}}'

MARKS = (b"since_start", b"apigateway_requests_total", b'"pages"', b"/gateway/stats", b"one:80", b"10.1.1.1")
"""What only those pages say."""

PUBLIC = (b"", b"/health", b"/health/live", b"/health/ready")

names = st.sampled_from(
    ("gateway", "stats", "metrics", "health", "reload", "GATEWAY", "gatew%61y", "%67ateway", "st%61ts", "")
)
glue = st.sampled_from(
    (
        "/", "/", "/", "//", "/./", "/../", "/%2e/", "/%2e%2e/", "/..;/", "/;/", ";x", "/;x/", "%2f", "%2F", "%5c",
        "\\", "\\..\\",
        "%252f", "%252e%252e/", "%c0%af", "%c0%ae%c0%ae/", "%00", "%0d%0a", "%09", "%20", ".", "..", "./", "?", "?/",
        "#", "&",
        "%3f", "%23", "%3b", "~", "%u002f", "%e2%80%8b", "*",
    )
)  # fmt: skip
spellings = st.lists(st.tuples(glue, names), min_size=1, max_size=5).map(
    lambda parts: "/" + "".join(one + other for one, other in parts)
)
targets = st.one_of(
    spellings,
    spellings.map(lambda path: f"http://localhost{path}"),
    spellings.map(lambda path: f"http://127.0.0.1:8000{path}"),
    st.sampled_from(("/gateway", "/gateway/stats", "/gateway/metrics", "//gateway/stats", "/gateway//stats")),
)
methods = st.sampled_from(("GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "PUT", "TRACE", "REPORT"))
addresses = st.sampled_from(
    ("127.0.0.1", "::1", "[::1]", "localhost", "for=127.0.0.1", "127.0.0.1, 127.0.0.1", PROXY, "unix", "")
)
speakers = st.sampled_from(
    (
        "X-Forwarded-For", "X_Forwarded_For", "Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP",
        "Client-IP",
        "X-Client-IP", "X-Originating-IP", "X-Remote-IP", "X-Remote-Addr", "X-Cluster-Client-IP", "Via",
        "X-Forwarded-Host",
        "X-Forwarded-Server", "X-ProxyUser-Ip", "Fastly-Client-IP", "X-Azure-ClientIP",
    )
)  # fmt: skip
paths_told = st.tuples(
    st.sampled_from(("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Original-URI")),
    st.sampled_from(("/gateway/stats", "/gateway")),
)
overrides = st.tuples(
    st.sampled_from(("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")), st.sampled_from(("GET", "HEAD"))
)
tokens = st.tuples(
    st.just("Authorization"),
    st.sampled_from(
        (
            f"Bearer {TOKEN[:-1]}",
            f"Bearer {TOKEN}0",
            f"Basic {TOKEN}",
            TOKEN,
            "Bearer",
            f"Bearer\t{TOKEN[1:]}",
            "Bearer *",
        )
    ),
)
fields = st.lists(st.one_of(st.tuples(speakers, addresses), paths_told, overrides, tokens), max_size=4)
hosts = st.sampled_from(("localhost", "127.0.0.1:8000", "[::1]", "gateway", "gateway.example"))


def encoded(pairs: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in pairs]


class PagesCase(SynchronousTestCase):
    def gateways(self) -> list[RunningGateway]:
        """One with a service at some path, and one whose service takes every path that is left."""
        return [self.gateway(ONE), self.gateway(REST)]

    def gateway(self, services: str) -> RunningGateway:
        network = MemoryNetwork()
        network.hosts["one"] = ["10.1.1.1"]
        self.service = service = ScriptedService()
        service.listen(network.reactor, 80, "10.1.1.1")
        service.answers(200, b"service")
        return running_gateway(TOP + services, network)

    def assert_closed(self, gateway: RunningGateway, answer: Message, *put: object) -> None:
        """Nothing of those pages is in the answer: it is the service's, a page for everyone, or a refusal."""
        self.assertFalse([mark for mark in MARKS if mark in answer.body], put)
        exchange = gateway.observer.exchanges[-1]
        if exchange.route == "stock" and exchange.status < 400:
            self.assertIn(read_path(exchange.head.path)[0].rstrip(b"/"), PUBLIC, put)


class StrangerTests(PagesCase):
    @settings(deadline=None, max_examples=400)
    @given(targets, methods, hosts, fields)
    def test_no_spelling_and_no_field_opens_them_to_a_stranger(
        self, target: str, method: str, host: str, said: list[tuple[str, str]]
    ) -> None:
        for gateway in self.opened:
            answer = gateway.ask(method, target, [(b"Host", host.encode()), *encoded(said)], source=STRANGER)
            self.assert_closed(gateway, answer, target, method, host, said)

    @settings(deadline=None, max_examples=150)
    @given(targets, fields)
    def test_nor_to_one_behind_a_trusted_proxy(self, target: str, said: list[tuple[str, str]]) -> None:
        forwarded = [(name, value) for name, value in said if name.replace("_", "-").lower() != "x-forwarded-for"]
        told = [(b"Host", b"localhost"), *encoded(forwarded), (b"X-Forwarded-For", f"127.0.0.1, {STRANGER}".encode())]
        for gateway in self.opened:
            self.assert_closed(gateway, gateway.ask("GET", target, told, source=PROXY), target, told)

    @settings(deadline=None, max_examples=150)
    @given(targets, fields, st.sampled_from(("attacker.example", "attacker.example:8000", "127.0.0.1.nip.example")))
    def test_nor_to_a_page_of_a_stranger_in_a_browser_on_this_machine(
        self, target: str, said: list[tuple[str, str]], host: str
    ) -> None:
        if not target.startswith("http:"):  # browsers speak so to proxies only
            for gateway in self.opened:
                answer = gateway.ask("GET", target, [(b"Host", host.encode()), *encoded(said)], source="127.0.0.1")
                self.assert_closed(gateway, answer, target, host, said)

    @settings(deadline=None, max_examples=150)
    @given(targets, st.tuples(speakers, addresses), fields)
    def test_nor_to_one_behind_a_proxy_on_this_machine_that_says_so(
        self, target: str, told: tuple[str, str], said: list[tuple[str, str]]
    ) -> None:
        for gateway in self.opened:
            answer = gateway.ask("GET", target, [(b"Host", b"localhost"), *encoded([told, *said])], source="127.0.0.1")
            self.assert_closed(gateway, answer, target, told, said)

    def setUp(self) -> None:
        self.opened = self.gateways()


class ShownTests(PagesCase):
    """The same requests do show pages to who may see them, so that the tests above mean something."""

    def shown(self, *said: tuple[bytes, bytes], source: str = "127.0.0.1", target: str = "/gateway/stats") -> bool:
        answer = self.gateway(ONE).ask("GET", target, said or [(b"Host", b"localhost")], source=source)
        return b"since_start" in answer.body

    def test_to_this_machine_in_every_plain_spelling(self) -> None:
        for target in ("/gateway/stats", "/gateway/stats/", "/%67ateway/st%61ts", "http://localhost/gateway/stats"):
            self.assertTrue(self.shown(target=target), target)

    def test_to_whoever_has_the_token_wherever_it_is(self) -> None:
        self.assertTrue(self.shown((b"Authorization", f"Bearer {TOKEN}".encode()), source=STRANGER))

    def test_to_this_machine_behind_a_trusted_proxy(self) -> None:
        self.assertTrue(self.shown((b"Host", b"localhost"), (b"X-Forwarded-For", b"127.0.0.1"), source=PROXY))
        self.assertFalse(self.shown((b"Host", b"localhost"), (b"X-Forwarded-For", b"127.0.0.1"), source=STRANGER))

    def test_where_a_stranger_asks_it_is_one_refusal_for_all_pages(self) -> None:
        gateway = self.gateway(ONE)
        answers = {
            gateway.ask("GET", f"/gateway{page}").status for page in ("", "/", "/stats", "/none", "/../x;", "/;")
        }
        self.assertEqual(answers, {403, 400})
