"""TLS on one listener: names, clients' certificates, changes while it is open, and what is told of it."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from twisted.logger import LogEvent, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.certificates import DAY_S
from apigateway.downstream.tls_terms import ClientTerms, TlsTerms
from apigateway.sockets.tls import ClientTls, TlsFailed
from apigateway.testing.certificates import Authority
from apigateway.testing.client import MemoryClient
from tests.downstream.secure import PORT, SecureStand, Wanting, pair
from tests.downstream.stand import ask
from tests.sockets.secure import trusting


class TlsSideTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.secure = SecureStand(self)
        self.stand, self.authority = self.secure.stand, self.secure.authority

    def use(self, *names: str, clients: ClientTerms | None = None) -> None:
        """Other terms for the open listener."""
        terms = TlsTerms((pair(self.authority.server(*names)),), clients=clients)
        self.secure.listeners.use([self.secure.opening(terms)])

    def test_each_client_gets_the_certificate_of_the_name_it_wants(self) -> None:
        terms = TlsTerms((pair(self.authority.server("a.test")), pair(self.authority.server("*.b.test"))))
        self.secure.listeners.use([self.secure.opening(terms)])
        for name in ("a.test", "x.b.test"):
            self.assertTrue(self.secure.connect(name).is_open)
        (why,) = self.secure.wants("c.test").failures
        self.assertEqual((why.reason, why.verify_code), ("CERTIFICATE_VERIFY_FAILED", 62))

    def test_a_change_is_for_new_connections_and_cuts_none(self) -> None:
        before = self.secure.connect()
        self.use("other.test")
        self.stand.send(before, ask())
        self.assertEqual(before.answers()[0].status, 200)
        self.assertTrue(self.secure.wants("localhost").failures)
        self.assertTrue(self.secure.connect("other.test").is_open)

    def test_tls_may_be_switched_off_and_on_while_the_listener_is_open(self) -> None:
        self.secure.listeners.use([self.secure.opening(None)])
        plain = self.secure.raw(ask())
        self.assertEqual(plain.answers()[0].status, 200)
        self.assertEqual(self.secure.listeners.describe(), {})
        self.secure.listeners.use([self.secure.opening(self.secure.terms)])
        self.assertTrue(self.secure.connect().is_open)

    def test_sessions_go_on_where_nothing_has_changed(self) -> None:
        context = trusting(self.authority)
        tls = ClientTls(context, "localhost")

        def once() -> None:
            wanting = Wanting(MemoryClient())
            self.secure.sockets.connect("192.0.2.1", PORT, wanting, 5, tls)
            self.stand.network.pump()
            self.stand.send(wanting.client, ask())
            wanting.client.close()
            self.stand.network.pump()

        once()
        self.secure.listeners.use([self.secure.opening(self.secure.terms)])
        once()
        self.assertEqual((tls.handshakes, tls.resumed), (2, 1))
        self.use("localhost")
        once()
        self.assertEqual((tls.handshakes, tls.resumed), (3, 1))
        told = self.secure.listeners.describe()["tcp:8443"]
        self.assertEqual((told["handshakes"], told["resumed"]), (3, 1))

    def test_no_session_goes_on_when_the_clients_certificate_has_ended(self) -> None:
        self.use("localhost", clients=ClientTerms(self.authority.pem))
        issued = self.authority.client("alice")
        tls = ClientTls(trusting(self.authority, issued), "localhost")
        side = self.secure.listener.tls
        assert side is not None

        def answers() -> int:
            wanting = Wanting(MemoryClient())
            self.secure.sockets.connect("192.0.2.1", PORT, wanting, 5, tls)
            self.stand.network.pump()
            self.stand.send(wanting.client, ask())
            found = len(wanting.client.answers()) if wanting.client.received else 0
            wanting.client.close()
            self.stand.network.pump()
            return found

        self.assertEqual((answers(), answers(), tls.resumed), (1, 1, 1))
        side._wall = lambda: issued.certificate.not_valid_after_utc.timestamp() + 1
        self.assertEqual(answers(), 0)
        self.assertEqual((side.failed, side.resumed), ({"CERTIFICATE_VERIFY_FAILED": 1}, 1))
        self.assertEqual(self.stand.site.channels, set())

    def test_who_must_show_a_certificate_and_shows_none_or_a_bad_one_is_not_served(self) -> None:
        self.use("localhost", clients=ClientTerms(self.authority.pem))
        stranger, old = Authority().client("alice"), self.authority.client("alice", end=None)
        for issued, reason in ((None, "PEER_DID_NOT_RETURN_A_CERTIFICATE"), (stranger, "CERTIFICATE_VERIFY_FAILED")):
            client = self.secure.wants(context=trusting(self.authority, issued)).client
            self.stand.send(client, ask())
            self.assertEqual((client.received, client.is_open), (b"", False))
            self.assertIsInstance(client.lost.value if client.lost else None, TlsFailed)
            assert self.secure.listener.tls is not None
            self.assertIn(reason, self.secure.listener.tls.failed)
        client = self.secure.connect(context=trusting(self.authority, old))
        self.stand.send(client, ask())
        self.assertEqual(client.answers()[0].status, 200)

    def test_who_may_show_a_certificate_is_served_without_one_but_not_with_a_bad_one(self) -> None:
        self.use("localhost", clients=ClientTerms(self.authority.pem, required=False))
        expected = ((None, True), (self.authority.client("alice"), True), (Authority().client("alice"), False))
        for issued, is_served in expected:
            client = self.secure.wants(context=trusting(self.authority, issued)).client
            self.stand.send(client, ask())
            self.assertEqual(bool(client.received), is_served)

    def test_the_channel_knows_what_services_are_told(self) -> None:
        self.use("localhost", clients=ClientTerms(self.authority.pem, subject_field=b"X-Subject"))
        client = self.secure.connect(context=trusting(self.authority, self.authority.client("alice")))
        self.stand.send(client, ask())
        downstream = self.stand.last.exchange.downstream
        self.assertEqual(getattr(downstream, "certificate_fields", None), [(b"X-Subject", b"CN=alice")])

    def test_an_old_client_is_refused(self) -> None:
        terms = TlsTerms((pair(self.authority.server("localhost")),), minimum="1.3")
        self.secure.listeners.use([self.secure.opening(terms)])
        context = trusting(self.authority)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        (why,) = self.secure.wants(context=context).failures
        self.assertEqual(why.reason, "TLSV1_ALERT_PROTOCOL_VERSION")


class TellingTests(SynchronousTestCase):
    def events(self, captured: Sequence[LogEvent], name: str) -> list[LogEvent]:
        return [event for event in captured if event.get("event") == name]

    def test_failures_are_counted_and_told_of_once_a_second(self) -> None:
        secure = SecureStand(self)
        with capturedLogs() as captured:
            for _ in range(20):
                secure.raw(b"\0")
        (told,) = self.events(captured, "tls-handshake-failed")
        self.assertEqual((told["reason"], told["peer"], told["times"]), ("NOT_TLS", "203.0.113.7", 1))
        self.assertEqual(secure.listeners.describe()["tcp:8443"]["failed"], {"NOT_TLS": 20})
        self.assertIn("failed=20", repr(secure.listener.tls))

    def test_certificates_are_looked_at_at_once_daily_and_when_there_are_others(self) -> None:
        authority = Authority()
        secure = SecureStand(self, TlsTerms((pair(authority.server("localhost"), "a.pem"),)))
        now = secure.stand.network.now
        with capturedLogs() as captured:
            for wait in (0.0, 1.0, DAY_S, 1.0):
                secure.stand.network.reactor.rightNow += wait
                secure.listeners.sweep(now())
            secure.listeners.use([secure.opening(TlsTerms((pair(authority.server("localhost"), "b.pem"),)))])
            secure.listeners.sweep(now())
        told = self.events(captured, "certificate-expires")
        self.assertEqual([one["complaint"].split()[0] for one in told], ["a.pem", "a.pem", "b.pem"])

    def test_what_is_known_of_certificates_is_described(self) -> None:
        secure = SecureStand(self)
        (one,) = secure.listeners.describe()["tcp:8443"]["certificates"]
        self.assertEqual((one["file"], one["names"]), ("server.pem", ["localhost"]))
        self.assertGreater(one["days_left"], 29)
