"""Which target comes next: one strategy a module, and what all of them heed.

A strategy asks targets for their health, their breaker's rest and their load, and changes none of it; the caller asks
the breaker for its permit.
"""
