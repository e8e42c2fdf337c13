"""Endpoint strings: what can be said of them without Twisted, which is held against what Twisted itself says."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.endpoints import _parseServer, serverFromString
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.endpoints import ENDPOINT, KINDS, kind_of

from .reading import ONE_SERVICE, problems

GOOD = (
    "tcp:8000", "tcp:0", "tcp:port=8000", "tcp:8000:interface=127.0.0.1", "tcp:8000:127.0.0.1:50", "tcp6:8000",
    "tcp:8000:interface=\\:\\:1", "tcp:interface=\\:\\::port=1:backlog=9", "unix:/run/g.sock",
    "unix:address=/a\\:b:mode=660:lockfile=0", "unix:/run/g.sock:0660",
)  # fmt: skip
BAD = {
    "8000": "expected a Twisted endpoint such as tcp:8000 or unix:/run/gateway.sock, not '8000'",
    "tcp:": "expected a Twisted endpoint such as tcp:8000 or unix:/run/gateway.sock, not 'tcp:'",
    "tcp:http": "'http' can't be its port",
    "tcp:65536": "'65536' can't be its port",
    "tcp:-1": "'-1' can't be its port",
    "tcp:1:interfce=a": "'interfce' is no option of `tcp:`; did you mean `interface`?",
    "tcp:1:port=2": "`port` is given twice; a colon within a value is written `\\:`",
    "tcp:interface=127.0.0.1": "`tcp:` needs its port",
    # Twisted takes an address with plain colons, which is what people write, for several options.
    "tcp:8000:interface=::1": "`interface` is given twice; a colon within a value is written `\\:`",
    "tcp:1:a:2:b": "`tcp:` does not have so many options; a colon within a value is written `\\:`",
    "tcp:1\\": "an endpoint does not end with a lone backslash",
    "tls:8443": "`tls:` is Twisted's own, with a folder of certificates first; give a `tcp:` endpoint the key `tls`",
    "unix:": "expected a Twisted endpoint such as tcp:8000 or unix:/run/gateway.sock, not 'unix:'",
    "unix:/a:mode=rw": "'rw' can't be its mode",
}


def parsed(text: str) -> bool:
    """Whether Twisted takes a text for an endpoint."""
    try:
        serverFromString(MemoryReactorClock(), text)
    except Exception:
        return False
    return True


class EndpointTests(SynchronousTestCase):
    def test_what_is_accepted_is_accepted_by_twisted(self) -> None:
        for text in GOOD:
            self.assertEqual(problems(f"listen: ['{text}']\n{ONE_SERVICE}"), [], text)
            self.assertTrue(parsed(text), text)

    def test_what_is_refused_is_refused_with_its_place_and_the_reason(self) -> None:
        for text, message in BAD.items():
            self.assertEqual(problems(f"listen: ['{text}']\n{ONE_SERVICE}"), [f"gateway.yaml:1: listen[0]: {message}"])

    def test_a_variable_is_not_repeated(self) -> None:
        (problem,) = problems(f"listen: ['tcp:${{A}}']\n{ONE_SERVICE}", {"A": "secret"})
        self.assertEqual(problem, "gateway.yaml:1: listen[0]: its port can't be so")

    def test_kinds_of_plugins_are_left_to_twisted(self) -> None:
        self.assertEqual(ENDPOINT.parse("onion:80:x=y"), "onion:80:x=y")
        self.assertEqual(kind_of("onion:80:x=y"), "onion")

    @settings(deadline=None)
    @given(
        st.sampled_from(sorted(KINDS.keys() - {"ssl"})),  # whose parser reads files
        st.lists(
            st.sampled_from(["80", "port=80", "/x", "a", "interface=a", "backlog=1", "mode=1", "x=1", "", "=", "\\:"])
        ),
    )
    def test_options_are_told_apart_as_twisted_does(self, kind: str, given: list[str]) -> None:
        text = ":".join([kind, *given])
        try:
            ENDPOINT.parse(text)
        except ValueError:
            return
        _parseServer(text, None)  # raises where an option is unknown or too many
