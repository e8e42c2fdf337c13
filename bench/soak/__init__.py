"""A soak test: hours of mixed load with faults, restarts and reloads; every error must be explained. `docs/soak.md`.

Nothing here imports the gateway, but for its authority that issues certificates to tests: it runs as its users run it,
and is looked at from outside.
"""
