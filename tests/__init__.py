"""The tests. What makes their examples up must not fail where the machine is slow."""

import contextlib

with contextlib.suppress(ImportError):  # the tests of an installed wheel do without it
    from hypothesis import HealthCheck, settings

    settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any machine")
