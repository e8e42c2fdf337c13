"""What waits in the kernel before a request is sent."""

from __future__ import annotations

import socket
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from apigateway.upstream.native.unread import has_unread, look_at, talks


class Transport:
    """As much of a transport as is looked at."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def getHandle(self) -> Any:
        """The socket."""
        return self._handle


class UnreadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)
        self.transport = Transport(self.ours)

    def test_nothing_is_there_at_first_though_the_socket_blocks(self) -> None:
        self.assertFalse(has_unread(self.transport))

    def test_bytes_are_seen_and_stay(self) -> None:
        self.theirs.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        self.assertEqual((has_unread(self.transport), has_unread(self.transport)), (True, True))
        self.assertEqual(self.ours.recv(8), b"HTTP/1.1")

    def test_an_end_is_seen(self) -> None:
        self.theirs.close()
        self.assertTrue(has_unread(self.transport))

    def test_a_socket_that_is_broken_counts_as_one_with_something(self) -> None:
        self.ours.close()
        self.assertTrue(has_unread(self.transport))

    def test_of_what_has_no_socket_nothing_is_known(self) -> None:
        self.assertFalse(has_unread(object()))
        self.assertFalse(has_unread(Transport("a TLS connection")))
        self.assertFalse(talks(object()))

    def test_one_look_after_another_tells_what_is_there_now(self) -> None:
        look = look_at(self.transport)
        self.assertFalse(look())
        self.theirs.send(b"x")
        self.assertTrue(look())
        self.ours.recv(1)
        self.assertFalse(look())
        self.theirs.close()
        self.assertTrue(look())

    def test_bytes_are_talk_and_an_end_or_nothing_is_not(self) -> None:
        self.assertFalse(talks(self.transport))
        self.theirs.send(b"220 mail")
        self.assertTrue(talks(self.transport))
        self.ours.recv(8)
        self.theirs.close()
        self.assertFalse(talks(self.transport))
