"""A relay: who may be quiet for how long, who is told when one side is gone, and whose doing it was."""

from __future__ import annotations

import gc
from types import NoneType

from twisted.trial.unittest import SynchronousTestCase

from apigateway.errors import CLIENT_GONE, STOPPING, GatewayError
from apigateway.http.websocket import close_frame
from tests.downstream.relay_stand import MASK, End, RelayStand

TO_CLIENT, TO_SERVICE = close_frame(1001), close_frame(1001, MASK)


class RelayCase(SynchronousTestCase):
    def assertOver(self, stand: RelayStand, cause: str | None) -> None:
        """It has ended once, at both ends, for that reason."""
        self.assertEqual((stand.told, stand.over), (["began", "ended"], [stand.relay]))
        self.assertEqual((len(stand.records), stand.cause), (1, cause))
        self.assertEqual([link.server.connected for link in stand.links], [False, False])


class PassingTests(RelayCase):
    def test_what_had_arrived_goes_first(self) -> None:
        stand = RelayStand(early=b"early", late=b"late")
        stand.send(stand.client, b" and more")
        self.assertEqual((stand.service.received, stand.client.received), (b"early and more", b"late"))
        self.assertEqual((stand.relay.bytes_in, stand.relay.bytes_out), (14, 4))

    def test_a_peer_that_does_not_read_holds_the_other_back(self) -> None:
        for name in ("client", "service"):
            stand = RelayStand()
            reader: End = getattr(stand, name)
            sender = stand.service if reader is stand.client else stand.client
            reader.transport.pauseProducing()
            for _ in range(100):
                stand.send(sender, b"x" * 65_536)
            held = stand.relay.bytes_in + stand.relay.bytes_out
            self.assertLess(held, 4 * 65_536)
            reader.transport.resumeProducing()
            stand.pump()
            self.assertEqual(len(reader.received), 100 * 65_536)

    def test_the_record_has_what_passed(self) -> None:
        stand = RelayStand()
        stand.send(stand.client, b"12345")
        stand.send(stand.service, b"123")
        stand.client.transport.loseConnection()
        stand.pump()
        stand.service.transport.loseConnection()
        stand.pump()
        self.assertOver(stand, None)
        self.assertEqual((stand.exchange.bytes_in, stand.exchange.bytes_out), (5, 3))

    def test_when_it_has_ended_its_sides_know_nobody_and_need_not_wait_for_the_collector(self) -> None:
        stand = RelayStand()
        stand.client.transport.abortConnection()
        stand.pump()
        self.assertEqual(stand.told, ["began", "ended"])
        known = [one for side in stand.relay.sides for one in gc.get_referents(side)]
        self.assertEqual([one for one in known if not isinstance(one, (type, bool, int, NoneType, bytes))], [])

    def test_to_a_site_it_is_a_connection_that_never_rests(self) -> None:
        stand = RelayStand()
        stand.relay.make_room()
        stand.relay.leave()
        self.assertFalse(stand.relay.at_rest)
        self.assertIn("<Relay ", repr(stand.relay))


class IdleTests(RelayCase):
    def test_bytes_in_either_direction_keep_it_alive(self) -> None:
        stand = RelayStand(idle_s=80)
        for number in range(20):
            stand.after(70)
            stand.send(stand.client if number % 2 else stand.service, b".")
        self.assertEqual(stand.told, ["began"])

    def test_without_any_it_ends_an_eighth_late_at_most(self) -> None:
        for is_websocket in (False, True):
            stand = RelayStand(is_websocket, idle_s=80)
            stand.after(33)
            stand.send(stand.client, b"\x82\x01x" if is_websocket else b"x")
            stand.after(79)
            self.assertEqual(stand.cause, None)
            stand.after(11.5)
            self.assertEqual(stand.cause, "idle-timeout")

    def test_one_of_other_protocols_is_closed(self) -> None:
        stand = RelayStand(idle_s=80)
        stand.after(100)
        self.assertOver(stand, "idle-timeout")

    def test_a_websocket_is_told_to_go_and_cut_when_it_does_not(self) -> None:
        stand = RelayStand(True, idle_s=80)
        stand.after(91)
        self.assertEqual((stand.client.received, stand.service.received), (TO_CLIENT, TO_SERVICE))
        self.assertEqual(stand.told, ["began"])
        stand.after(6)
        stand.pump()
        self.assertOver(stand, "idle-timeout")

    def test_what_a_slow_reader_takes_counts(self) -> None:
        stand = RelayStand(idle_s=80)
        stand.client.transport.pauseProducing()
        stand.send(stand.service, b"x" * 200_000)
        stand.after(85)
        self.assertEqual(stand.cause, None)
        stand.client.transport.resumeProducing()
        stand.pump()
        stand.after(79)
        self.assertEqual((len(stand.client.received), stand.cause), (200_000, None))


class StopTests(RelayCase):
    def test_both_sides_of_a_websocket_say_goodbye_and_it_is_over(self) -> None:
        for first, second in (("client", "service"), ("service", "client")):
            stand = RelayStand(True)
            stand.relay.stop()
            stand.pump()
            self.assertEqual((stand.client.received, stand.service.received), (TO_CLIENT, TO_SERVICE))
            for name in (first, second):
                end: End = getattr(stand, name)
                stand.send(end, TO_SERVICE if name == "client" else TO_CLIENT)
                end.transport.loseConnection()
                stand.pump()
            self.assertOver(stand, "stopping")
            self.assertEqual((stand.client.received, stand.service.received), (TO_CLIENT, TO_SERVICE))

    def test_a_close_frame_that_was_on_its_way_counts_as_the_answer(self) -> None:
        stand = RelayStand(True)
        stand.send(stand.client, TO_SERVICE)
        stand.relay.stop()
        stand.send(stand.service, TO_CLIENT)
        for end in (stand.client, stand.service):
            end.transport.loseConnection()
        stand.pump()
        self.assertOver(stand, "stopping")
        self.assertEqual((stand.client.received, stand.service.received), (TO_CLIENT, TO_SERVICE))

    def test_other_protocols_go_on(self) -> None:
        stand = RelayStand()
        stand.relay.stop()
        stand.send(stand.client, b"x")
        self.assertEqual((stand.service.received, stand.cause), (b"x", None))

    def test_a_cut_ends_both_sides_at_once(self) -> None:
        for error in (GatewayError(STOPPING), None):
            stand = RelayStand()
            stand.relay.cut(error)
            stand.pump()
            self.assertOver(stand, "stopping")

    def test_who_is_gone_meanwhile_ends_it_when_the_other_has_answered(self) -> None:
        stand = RelayStand(True)
        stand.relay.stop()
        stand.client.transport.abortConnection()
        stand.pump()
        self.assertEqual(stand.told, ["began"])
        stand.send(stand.service, TO_CLIENT)
        self.assertOver(stand, "stopping")

    def test_whoever_has_ended_its_half_is_told_nothing_more(self) -> None:
        stand = RelayStand(True)
        stand.client.transport.loseWriteConnection()
        stand.pump()
        stand.relay.stop()
        stand.pump()
        self.assertEqual((stand.client.received, stand.service.received), (b"", b""))
        stand.after(6)
        stand.pump()
        self.assertOver(stand, "client-gone")

    def test_an_end_that_comes_twice_is_one(self) -> None:
        for is_websocket in (False, True):
            stand = RelayStand(is_websocket)
            for _ in range(2):
                stand.relay.stop()
                stand.relay.cut()
            stand.pump()
            stand.relay.cut(GatewayError(CLIENT_GONE))
            stand.relay.stop()
            stand.pump()
            self.assertOver(stand, "stopping")
            self.assertEqual(stand.relay.deadline, float("inf"))

    def test_who_goes_on_talking_instead_of_an_answer_is_cut_all_the_same(self) -> None:
        stand = RelayStand(True, idle_s=80)
        stand.after(91)
        for _ in range(12):
            stand.after(0.5)
            stand.send(stand.service, b"\x82\x01x")
        stand.pump()
        self.assertOver(stand, "idle-timeout")
        self.assertEqual(stand.client.received, TO_CLIENT)


class GoneTests(RelayCase):
    def test_half_a_connection_may_end(self) -> None:
        stand = RelayStand()
        stand.client.transport.loseWriteConnection()
        stand.pump()
        self.assertEqual((stand.service.is_over, stand.service.lost), (True, None))
        stand.after(70)
        stand.send(stand.service, b"answer")
        self.assertEqual(stand.client.received, b"answer")
        stand.service.transport.loseWriteConnection()
        stand.pump()
        self.assertOver(stand, None)

    def test_who_resets_after_the_others_half_has_ended_is_to_blame(self) -> None:
        for name, other, cause in (("client", "service", "client-gone"), ("service", "client", "connection-lost")):
            for how, expected in (("abortConnection", cause), ("loseConnection", None)):
                stand = RelayStand()
                ends: list[End] = [getattr(stand, other), getattr(stand, name)]
                ends[0].transport.loseWriteConnection()
                stand.pump()
                getattr(ends[1].transport, how)()
                stand.pump()
                self.assertOver(stand, expected)

    def test_half_of_a_websocket_has_little_time(self) -> None:
        stand = RelayStand(True)
        stand.service.transport.loseWriteConnection()
        stand.pump()
        self.assertTrue(stand.client.is_over)
        stand.after(6)
        stand.pump()
        self.assertOver(stand, "connection-lost")

    def test_whose_doing_it_is(self) -> None:
        for is_websocket, name, how, cause in (
            (False, "client", "abortConnection", "client-gone"),
            (False, "service", "abortConnection", "connection-lost"),
            (True, "client", "abortConnection", "client-gone"), (True, "service", "loseConnection", "connection-lost"),
            (True, "client", "loseConnection", "client-gone"),
        ):  # fmt: skip
            stand = RelayStand(is_websocket)
            end: End = getattr(stand, name)
            getattr(end.transport, how)()
            stand.pump()
            stand.after(6)
            stand.pump()
            self.assertOver(stand, cause)

    def test_after_a_close_frame_it_is_nobodys(self) -> None:
        for frame, name in ((TO_SERVICE, "client"), (TO_CLIENT, "service")):
            stand = RelayStand(True)
            end: End = getattr(stand, name)
            stand.send(end, frame)
            end.transport.abortConnection()
            stand.pump()
            stand.after(6)
            stand.pump()
            self.assertOver(stand, None)

    def test_what_was_sent_before_the_end_arrives_at_the_readers_pace(self) -> None:
        stand = RelayStand()
        stand.client.transport.pauseProducing()
        stand.send(stand.service, b"x" * 100_000)
        stand.service.transport.abortConnection()
        stand.pump()
        for _ in range(10):
            stand.after(4)
            stand.client.transport.resumeProducing()
            stand.links[0].client.step()
            stand.client.transport.pauseProducing()
            stand.pump()
        stand.client.transport.resumeProducing()
        stand.pump()
        self.assertEqual(len(stand.client.received), 100_000)
        self.assertOver(stand, "connection-lost")

    def test_who_takes_nothing_of_it_is_cut(self) -> None:
        stand = RelayStand()
        stand.client.transport.pauseProducing()
        stand.send(stand.service, b"x" * 100_000)
        stand.service.transport.abortConnection()
        stand.pump()
        stand.after(6)
        stand.client.transport.resumeProducing()
        stand.pump()
        self.assertOver(stand, "connection-lost")
        self.assertLess(len(stand.client.received), 100_000)
