"""What only the collector of circles could free: it comes late, and until then memory grows."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

FOR_TESTS = "apigateway.testing."


@contextmanager
def circles(*packages: str) -> Iterator[Counter[str]]:
    """Counts, when the block is left, by class, the objects of which nothing was left in it but circles.

    Those of the gateway's classes, unless others are named. What is still held, by a variable of a test say, does not
    count.
    """
    found: Counter[str] = Counter()
    was_enabled, flags = gc.isenabled(), gc.get_debug()
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kinds = [type(one) for one in gc.garbage]
        wanted = [one for one in kinds if one.__module__.startswith(packages or ("apigateway.",))]
        found.update(one.__qualname__ for one in wanted if not one.__module__.startswith(FOR_TESTS))
    finally:
        gc.set_debug(flags)
        gc.garbage.clear()
        if was_enabled:
            gc.enable()
