"""An API gateway: one Twisted process tree in front of many HTTP services."""

__version__ = "0.1.0"
