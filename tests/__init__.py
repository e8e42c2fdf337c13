"""The tests. What makes their examples up must not fail where the machine is slow, nor once in a hundred runs.

So the examples are the same each time. `SEARCH=1` in the environment makes up others, to look for what is still wrong.
"""

import contextlib
import os

with contextlib.suppress(ImportError):  # the tests of an installed wheel do without it
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "any machine",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize="SEARCH" not in os.environ,
    )
    settings.load_profile("any machine")
