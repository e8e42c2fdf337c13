"""Request bodies of the demo services: hashed on arrival, not gathered."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.demo.bodies import KEPT, HashedBody

PIECES = st.lists(st.builds(lambda byte, length: bytes([byte]) * length, st.integers(0, 255), st.integers(0, 40_000)))


class HashedBodyTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=50)
    @given(PIECES)
    def test_all_of_a_body_is_counted_and_hashed_and_its_beginning_kept(self, pieces: list[bytes]) -> None:
        body = HashedBody()
        for piece in pieces:
            body.write(piece)
        whole = b"".join(pieces)
        self.assertEqual((body.tell(), body.sha256()), (len(whole), hashlib.sha256(whole).hexdigest()))
        self.assertEqual((body.read(), body.is_whole()), (whole[:KEPT], len(whole) <= KEPT))
