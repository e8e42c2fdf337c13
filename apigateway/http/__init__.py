"""HTTP without sockets: heads, field rules, framing, limits, answers. Knows no reactor and no Twisted."""
