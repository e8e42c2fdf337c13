"""Micro-benchmarks: what each stage of an exchange costs alone, in memory. Knows no sockets, no peers and no load."""
