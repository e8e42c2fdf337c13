"""How many descriptors there are, and how many connections of clients they are enough for."""

from __future__ import annotations

import resource
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets import descriptors
from apigateway.sockets.descriptors import RESERVE, affordable, bounded_connections, raise_limit
from tests.starting import environment


class AffordableTests(SynchronousTestCase):
    def test_where_there_is_enough_all_are_possible(self) -> None:
        self.assertEqual(affordable(20_000, 512, 20_000 + 512 + RESERVE), 20_000)
        self.assertEqual(affordable(20_000, 512, 20_000 + 511 + RESERVE), 19_999)

    def test_where_there_is_not_services_get_a_third_at_most(self) -> None:
        self.assertEqual(affordable(20_000, 512, 1024), 640)
        self.assertEqual(affordable(20_000, 10, 1024), 950)

    @settings(deadline=None)
    @given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
    def test_there_is_always_one_and_never_more_than_was_asked_for(self, clients: int, services: int, n: int) -> None:
        possible = affordable(clients, services, n)
        self.assertTrue(1 <= possible <= clients)
        self.assertTrue(possible < n or n <= RESERVE)


class RaiseTests(SynchronousTestCase):
    def limited(self, soft: int, hard: int) -> list[tuple[int, int]]:
        """Let the process have such limits; what is set goes to the list."""
        set_to: list[tuple[int, int]] = []
        self.patch(resource, "getrlimit", lambda kind: (soft, hard))
        self.patch(resource, "setrlimit", lambda kind, limits: set_to.append(limits))
        return set_to

    def test_the_soft_limit_is_raised_as_far_as_is_wanted(self) -> None:
        set_to = self.limited(1024, 500_000)
        self.assertEqual((raise_limit(20_000), set_to), (20_000, [(20_000, 500_000)]))

    def test_or_as_far_as_is_allowed(self) -> None:
        set_to = self.limited(1024, 4096)
        self.assertEqual((raise_limit(20_000), set_to), (4096, [(4096, 4096)]))

    def test_without_a_hard_limit_it_is_raised_as_well(self) -> None:
        set_to = self.limited(1024, resource.RLIM_INFINITY)
        self.assertEqual((raise_limit(20_000), set_to), (20_000, [(20_000, resource.RLIM_INFINITY)]))

    def test_it_is_never_lowered(self) -> None:
        set_to = self.limited(50_000, 50_000)
        self.assertEqual((raise_limit(20_000), set_to), (50_000, []))
        set_to = self.limited(resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        self.assertEqual((raise_limit(20_000), set_to), (20_000, []))

    def test_where_that_is_refused_it_stays(self) -> None:
        self.limited(1024, 4096)

        def refuse(kind: int, limits: tuple[int, int]) -> None:
            raise OSError("no")

        self.patch(resource, "setrlimit", refuse)
        self.assertEqual(raise_limit(20_000), 1024)


class BoundTests(SynchronousTestCase):
    def bounded(self, available: int) -> tuple[int, list[str]]:
        self.patch(descriptors, "raise_limit", lambda wanted: available)
        with capturedLogs() as events:
            possible = bounded_connections(20_000, 512)
        return possible, [event["log_format"].format(**event) for event in events]

    def test_enough_is_nothing_to_speak_of(self) -> None:
        self.assertEqual(self.bounded(30_000), (20_000, []))

    def test_too_few_are_told_with_what_would_be_enough(self) -> None:
        possible, (text,) = self.bounded(1024)
        self.assertEqual(possible, 640)
        for said in ("limits.connections is 20000", "640", "1024 descriptors", "20576", "LimitNOFILE"):
            self.assertIn(said, text)

    def test_a_process_raises_its_own_limit(self) -> None:
        code = (
            "import resource as r; _, hard = r.getrlimit(r.RLIMIT_NOFILE); r.setrlimit(r.RLIMIT_NOFILE, (100, hard));"
            "from apigateway.sockets.descriptors import bounded_connections as b;"
            "print(b(60, 20), r.getrlimit(r.RLIMIT_NOFILE)[0])"
        )
        done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, check=True)
        self.assertEqual(done.stdout.split(), [b"60", b"144"])
