"""The buffers that all connections share."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.sockets.tls_wire import INCOMING, RECORD, SLICE, clear


class WireTests(SynchronousTestCase):
    def test_what_a_broken_connection_leaves_is_gone_for_the_next(self) -> None:
        INCOMING.write(b"of nobody")
        clear()
        clear()
        self.assertEqual(INCOMING.pending, 0)

    def test_a_piece_is_encrypted_in_whole_records(self) -> None:
        self.assertEqual(SLICE % RECORD, 0)
