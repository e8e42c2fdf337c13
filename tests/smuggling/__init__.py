"""Attacks on framing: what one reader takes for one message and another for two. `python -m tests.smuggling --help`."""
