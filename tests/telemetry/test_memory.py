"""How much memory the process holds."""

from __future__ import annotations

import gc
import mmap
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from apigateway.telemetry.memory import resident_bytes


class ResidentBytesTests(SynchronousTestCase):
    """The process that runs the tests."""

    def test_it_grows_with_what_the_process_holds(self) -> None:
        gc.collect()  # what other tests left must not go between the two readings
        before = resident_bytes()
        # Straight from the system: memory that the process already has would be no more than before.
        with mmap.mmap(-1, 64 * 1024 * 1024) as held:
            for page in range(0, len(held), mmap.PAGESIZE):
                held[page] = 1
            self.assertGreater(resident_bytes() - before, len(held) // 2)

    def test_where_the_system_does_not_tell_the_present_it_is_the_peak(self) -> None:
        def refuse(path: Path, encoding: str | None = None) -> str:
            raise FileNotFoundError(path)

        now = resident_bytes()
        self.patch(Path, "read_text", refuse)
        self.assertGreaterEqual(resident_bytes(), now // 2)
