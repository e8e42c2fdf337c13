"""Who makes room for whom, when there are as many connections as there may be."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from apigateway.downstream.connections import MOST_LOOKS, TRUSTED, Client, Connections


class Line:
    """A connection; `at_rest` since `rests_since`, until a test says otherwise."""

    def __init__(self, address: str, now: float) -> None:
        self.address = address
        self.client: Client | None = None
        self.at_rest = True
        self.rests_since = now
        self.made_room = False

    def __repr__(self) -> str:
        return f"<Line {self.address} {'at rest' if self.at_rest else 'busy'} since {self.rests_since}>"

    def make_room(self) -> None:
        assert self.at_rest, self
        assert not self.made_room, self
        self.made_room = True


class World:
    """Connections with a bound; each new one is a second later than the one before."""

    def __init__(self, most: int, per_client: int = 1000) -> None:
        self.clock = Clock()
        self.connections = Connections(most, per_client, self.client_of, self.clock.seconds)
        self.lines: list[Line] = []

    def client_of(self, address: str) -> str:
        return TRUSTED if address == "proxy" else address

    def come(self, address: str, busy: bool = False) -> Line | None:
        """A new connection, if it is admitted."""
        self.clock.advance(1)
        if not self.connections.admits(address):
            return None
        line = Line(address, self.clock.seconds())
        line.at_rest = not busy
        self.connections.opened(line, address)
        self.lines.append(line)
        return line

    def fill(self, *addresses: str, busy: bool = False) -> list[Line]:
        lines = [self.come(address, busy) for address in addresses]
        assert None not in lines
        return [line for line in lines if line is not None]

    @property
    def evicted(self) -> list[int]:
        """The places of those that made room."""
        return [place for place, line in enumerate(self.lines) if line.made_room]


class InAllTests(SynchronousTestCase):
    def test_the_longest_at_rest_makes_room(self) -> None:
        world = World(3)
        first, *_ = world.fill("a", "a", "a")
        first.rests_since = world.clock.seconds() + 0.5
        self.assertIsNotNone(world.come("a"))
        self.assertEqual(world.evicted, [1])
        self.assertIsNotNone(world.come("a"))
        self.assertEqual(world.evicted, [1, 2])

    def test_of_the_address_with_the_most(self) -> None:
        world = World(4)
        world.fill("good", "bad", "bad", "bad")
        for expected in ([1], [1, 2], [1, 2, 3]):
            self.assertIsNotNone(world.come("bad"))
            self.assertEqual(world.evicted, expected)

    def test_one_that_is_busy_does_not(self) -> None:
        world = World(3)
        world.fill("a", "a", busy=True)
        world.fill("b")
        self.assertIsNotNone(world.come("c"))
        self.assertEqual(world.evicted, [2])

    def test_only_where_all_are_busy_the_new_one_is_refused(self) -> None:
        world = World(2)
        first, _ = world.fill("a", "b", busy=True)
        self.assertIsNone(world.come("c"))
        first.at_rest, first.rests_since = True, world.clock.seconds()
        self.assertIsNotNone(world.come("c"))
        self.assertEqual(world.connections.describe()["refused"]["connections"], 1)
        self.assertEqual(world.connections.describe()["evicted"]["connections"], 1)

    def test_one_that_was_used_since_it_was_looked_at_is_not_the_longest_at_rest_any_more(self) -> None:
        world = World(4)
        lines = world.fill("a", "a", "a", "a")
        world.come("a")
        lines[1].rests_since = world.clock.seconds()
        world.come("a")
        self.assertEqual(world.evicted, [0, 2])

    def test_trusted_proxies_make_room_last(self) -> None:
        world = World(4)
        world.fill("proxy", "proxy", "proxy", "a")
        self.assertIsNotNone(world.come("b"))
        self.assertEqual(world.evicted, [3])
        world.connections.closed(world.lines[3])
        world.lines[4].at_rest = False
        self.assertIsNotNone(world.come("c"))
        self.assertEqual(world.evicted, [0, 3])

    def test_when_one_is_gone_there_is_room_again(self) -> None:
        world = World(2)
        first, _ = world.fill("a", "b", busy=True)
        world.connections.closed(first)
        self.assertIsNotNone(world.come("c"))
        self.assertEqual((world.evicted, len(world.connections)), ([], 2))

    def test_an_end_that_was_asked_for_counts_once(self) -> None:
        world = World(2)
        first, _ = world.fill("a", "b")
        world.come("c")
        world.connections.closed(first)
        world.connections.closed(first)
        self.assertEqual(len(world.connections), 2)

    def test_a_lower_bound_holds_for_those_who_come(self) -> None:
        world = World(3)
        world.fill("a", "b", "c")
        world.connections.most = 1
        self.assertIsNotNone(world.come("d"))
        self.assertEqual(len(world.connections), 3)


class PerClientTests(SynchronousTestCase):
    def test_beyond_it_the_clients_own_connection_makes_room(self) -> None:
        world = World(100, 2)
        world.fill("b", "a", "a")
        self.assertIsNotNone(world.come("a"))
        self.assertEqual(world.evicted, [1])
        self.assertEqual(world.connections.describe()["evicted"]["connections-per-client"], 1)

    def test_where_none_of_its_is_at_rest_the_new_one_is_refused(self) -> None:
        world = World(100, 2)
        world.fill("a", "a", busy=True)
        world.fill("b")
        self.assertIsNone(world.come("a"))
        self.assertIsNotNone(world.come("b"))
        self.assertEqual(world.connections.describe()["refused"]["connections-per-client"], 1)

    def test_trusted_proxies_have_no_bound_of_their_own(self) -> None:
        world = World(100, 2)
        self.assertEqual(len(world.fill(*["proxy"] * 10)), 10)


class RoomTests(SynchronousTestCase):
    def test_so_many_are_closed_as_are_asked_for_and_there(self) -> None:
        world = World(100)
        world.fill("a", "a", "b")
        world.fill("c", busy=True)
        self.assertEqual(world.connections.make_room(2), 2)
        self.assertEqual(world.connections.make_room(2), 1)
        self.assertEqual(world.connections.make_room(2), 0)
        self.assertEqual(world.connections.describe()["evicted"]["descriptors"], 3)


class CostTests(SynchronousTestCase):
    """What the work for one new connection is bounded by; time is not measured."""

    def test_all_of_a_client_are_looked_at_once_for_many_that_come(self) -> None:
        world = World(2000, 10_000)
        world.fill(*["bad"] * 2000)
        looked = 0
        client = world.lines[0].client
        assert client is not None
        for _ in range(1500):
            before = client.resting
            world.come("bad")
            looked += client.resting is not before
        self.assertEqual((len(world.evicted), looked), (1500, 1))

    def test_busy_connections_of_many_clients_are_not_all_asked_for_each_new_one(self) -> None:
        world = World(2000)
        world.fill(*[f"a{number}" for number in range(2000)], busy=True)
        asked: Counter[str] = Counter()
        look = Client.longest_at_rest
        self.patch(Client, "longest_at_rest", lambda self, now: asked.update([self.key]) or look(self, now))
        self.assertIsNone(world.come("b"))
        self.assertEqual(asked.total(), MOST_LOOKS)
        for _ in range(8):
            world.come("b")
        self.assertEqual(len(asked), 2000, "the next ones ask others")

    def test_gone_ones_are_not_remembered(self) -> None:
        world = World(1000)
        lines = world.fill(*["a"] * 1000)
        world.come("a")
        client = lines[-1].client
        assert client is not None
        for line in lines[1:-2]:
            world.connections.closed(line)
        self.assertLess(len(client.resting), 10)

    def test_a_client_that_has_gone_leaves_nothing(self) -> None:
        world = World(10)
        for line in world.fill("a", "b", "a"):
            world.connections.closed(line)
        self.assertEqual(repr(world.connections), "<Connections 0 of 0 clients>")
        self.assertEqual(world.connections._ranks, {})


class TellingTests(SynchronousTestCase):
    def test_a_flood_is_told_of_once_a_second(self) -> None:
        world = World(10)
        world.fill(*["a"] * 10)
        with capturedLogs() as events:
            for _ in range(1000):
                world.clock.advance(-0.999)
                world.come("a")
        self.assertIn(len(events), (1, 2, 3))
        self.assertIn("made room", events[0]["log_format"])


class AnyOrder(RuleBasedStateMachine):
    """Connections come, work, rest and go in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(6, 4)

    @property
    def open(self) -> list[Line]:
        return [line for line in self.world.lines if line.client is not None and not line.made_room]

    @rule(address=st.sampled_from(("a", "b", "c", "proxy")), busy=st.booleans())
    def come(self, address: str, busy: bool) -> None:
        mine = [line for line in self.open if line.address == address]
        any_at_rest = any(line.at_rest for line in self.open)
        own_at_rest = any(line.at_rest for line in mine)
        line = self.world.come(address, busy)
        if address != "proxy" and len(mine) >= 4:
            assert (line is not None) == own_at_rest
        elif len(mine) < 4 or address == "proxy":
            assert (line is not None) == (any_at_rest or len(self.open) - (line is not None) < 6)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def work_or_rest(self, data: st.DataObject) -> None:
        line = data.draw(st.sampled_from(self.open))
        line.at_rest = not line.at_rest
        line.rests_since = self.world.clock.seconds()

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        self.world.connections.closed(data.draw(st.sampled_from(self.open)))

    @invariant()
    def the_bounds_hold(self) -> None:
        assert len(self.open) == len(self.world.connections) <= 6
        counted = Counter(line.address for line in self.open if line.address != "proxy")
        assert all(count <= 4 for count in counted.values()), counted


class AnyOrderTests(SynchronousTestCase):
    def test_whatever_happens_the_bounds_hold_and_nobody_busy_makes_room(self) -> None:
        run_state_machine_as_test(AnyOrder, settings=settings(deadline=None, max_examples=80, stateful_step_count=50))


class ReplacementTests(SynchronousTestCase):
    def test_one_that_stands_for_another_counts_as_it_did(self) -> None:
        world = World(10)
        (before,) = world.fill("a")
        after = Line("a", 5.0)
        world.connections.replace(before, after)
        self.assertEqual((len(world.connections), before.client is None, after.client is not None), (1, True, True))
        world.connections.closed(before)
        self.assertEqual(len(world.connections), 1)
        world.connections.closed(after)
        self.assertEqual(len(world.connections), 0)

    def test_one_that_has_made_room_already_stays_gone(self) -> None:
        world = World(1)
        (before,) = world.fill("a")
        world.come("b")
        after = Line("a", 5.0)
        world.connections.replace(before, after)
        world.connections.closed(after)
        self.assertEqual((len(world.connections), after.client), (1, None))
