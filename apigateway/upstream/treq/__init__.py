"""The way to a target over treq and Twisted's `HTTPConnectionPool`, and the gateway's own calls."""
