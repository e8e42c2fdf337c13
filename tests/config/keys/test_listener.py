"""Entries of `listen`: strings, and mappings with more than a string."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.keys.listener import LISTEN
from apigateway.config.model import Configuration, Listener, Redirect
from apigateway.config.problems import Where
from tests.config.reading import ONE_SERVICE, problems, read

TRUSTED = "trusted_proxies: [10.0.0.0/8]\n"


def listen(text: str) -> tuple[Listener, ...]:
    """The listeners of a file."""
    return read(f"{TRUSTED}listen: {text}\n{ONE_SERVICE}").listen


class ListenTests(SynchronousTestCase):
    def fault(self, entry: str, more: str = TRUSTED) -> str:
        """What is wrong with an entry, after its place."""
        (problem,) = problems(f"listen: [{entry}]\n{more}{ONE_SERVICE}")
        place, _, message = problem.partition("listen[0]")
        self.assertEqual(place, "gateway.yaml:1: ")
        return message

    def test_a_string_is_short_for_a_mapping(self) -> None:
        self.assertEqual(listen("[tcp:80, {endpoint: tcp:81}]"), (Listener("tcp:80"), Listener("tcp:81")))

    def test_a_mapping_says_more(self) -> None:
        (one,) = listen("[{endpoint: tcp:80, proxy_protocol: true, proxies: [10.0.0.1], redirect: https}]")
        self.assertEqual(one, Listener("tcp:80", True, ("10.0.0.1/32",), Redirect()))
        (one,) = listen("[{endpoint: tcp:80, redirect: {port: 8443, status: 301}}]")
        self.assertEqual(one.redirect, Redirect("https", 8443, 301))
        (one,) = listen("[{endpoint: tcp:80, redirect: false}]")
        self.assertEqual(one.redirect, None)

    def test_each_knows_its_place(self) -> None:
        text = f"{ONE_SERVICE}\nlisten:\n  - tcp:80\n  - {{endpoint: tcp:81}}\n"
        lines = text.splitlines()
        self.assertEqual(
            [one.where for one in read(text).listen],
            [Where("gateway.yaml", lines.index("  - tcp:80") + 1, "listen[0]"),
             Where("gateway.yaml", lines.index("  - {endpoint: tcp:81}") + 1, "listen[1]")],
        )  # fmt: skip
        self.assertEqual(str(Configuration().listen[0].where), "listen")

    def test_what_does_not_go_together_is_told(self) -> None:
        for entry, expected in (
            ("endpoint: tcp:80, proxies: [10.0.0.1]", ".proxies: is of no use without `proxy_protocol: true`"),
            ("endpoint: 'ssl:443', redirect: https", ".redirect: belongs to a listener without TLS"),
            ("endpoint: 'ssl:443', proxy_protocol: true",
             ".proxy_protocol: the header comes before TLS begins, which an `ssl:` endpoint can't read"),
            ("endpoint: 'tls:/certificates', redirect: https", ".redirect: belongs to a listener without TLS"),
        ):  # fmt: skip
            self.assertEqual(self.fault(f"{{{entry}}}"), expected)

    def test_one_endpoint_is_opened_once(self) -> None:
        self.assertEqual(self.fault_of_second("tcp:80, tcp:80"), ": tcp:80 is opened by listen[0] in line 1 already")
        self.assertEqual(len(listen("[tcp:0, tcp:0, 'tcp:0:interface=127.0.0.1', 'tcp:0:interface=127.0.0.1']")), 4)

    def fault_of_second(self, entries: str) -> str:
        (problem,) = problems(f"listen: [{entries}]\n{ONE_SERVICE}")
        return problem.partition("listen[1]")[2]

    def test_who_may_send_the_header_must_be_said_somewhere(self) -> None:
        entry = "{endpoint: tcp:80, proxy_protocol: true}"
        self.assertEqual(
            self.fault(entry, ""), ": says `proxy_protocol`: name who may connect, in `proxies` or in `trusted_proxies`"
        )
        self.assertEqual(listen(f"[{entry}]")[0].proxies, ())
        on_a_socket = "listen: [{endpoint: 'unix:/run/g.sock', proxy_protocol: true}]\n"
        self.assertEqual(problems(on_a_socket + ONE_SERVICE), [])

    def test_bad_values_are_told(self) -> None:
        for entry, expected in (
            ("{}", ": needs `endpoint`"),
            ("{endpoint: tcp:80, redirect: http}", ".redirect: expected `https`, not 'http'"),
            ("{endpoint: tcp:80, redirect: {status: 303}}",
             ".redirect.status: expected 301, 302, 307 or 308, not '303'"),
            ("{endpoint: tcp:80, redirect: {port: 0}}",
             ".redirect.port: expected a whole number, from 1 to 65535, not '0'"),
            ("[tcp:80]", ": expected a Twisted endpoint such as tcp:8000"),
        ):  # fmt: skip
            self.assertTrue(self.fault(entry).startswith(expected), (entry, self.fault(entry)))

    def test_the_shortest_form_is_what_is_shown(self) -> None:
        shown = LISTEN.show((Listener("tcp:80"), Listener("tcp:81", redirect=Redirect())))
        self.assertEqual(shown[0], "tcp:80")
        self.assertEqual((shown[1]["endpoint"], shown[1]["redirect"]), ("tcp:81", "https"))
