"""What the kernel tells of processes and cores."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from bench import kernel
from bench.kernel import Core, Times


class KernelTests(SynchronousTestCase):
    def test_a_family_is_a_process_with_those_that_it_started(self) -> None:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            self.assertLessEqual({os.getpid(), child.pid}, set(kernel.family(os.getpid())))
            assert child.stdin is not None
            child.stdin.write(b"\n")

    def test_work_takes_processor_time(self) -> None:
        before, times = kernel.run_s(os.getpid()), kernel.times(os.getpid())
        while kernel.times(os.getpid()).since(times) == Times(0.0, 0.0):
            sum(range(100_000))
        self.assertGreater(kernel.run_s(os.getpid()), before)

    def test_what_a_process_has_is_at_most_what_it_ever_had(self) -> None:
        now, most = (kernel.memory(os.getpid(), which) for which in ("VmRSS", "VmHWM"))
        self.assertGreater(now, 1 << 20)
        self.assertLessEqual(now, most)

    def test_a_core_is_busy_for_a_share_of_the_time(self) -> None:
        self.assertEqual(Core(30, 70).busy_since(Core(0, 60)), 0.75)
        self.assertEqual(Core(1, 1).busy_since(Core(1, 1)), 0.0)

    def test_a_core_that_is_not_there_is_an_error(self) -> None:
        self.assertRaises(OSError, kernel.core, 100_000)
        self.assertGreater(kernel.core(0).idle + kernel.core(0).busy, 0)
