"""How connections to targets are made: names, addresses, TLS."""
