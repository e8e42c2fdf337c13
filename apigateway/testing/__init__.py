"""Public doubles for tests: a memory network, scripted services, recording ends of exchanges. See docs/testing.md."""
