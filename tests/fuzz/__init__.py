"""Fuzzing: each target is a function of bytes that raises where a promise is broken. See CONTRIBUTING.md.

Short from the kept corpus with the tests, long by `python -m tests.fuzz TARGET --seconds N`.
"""
