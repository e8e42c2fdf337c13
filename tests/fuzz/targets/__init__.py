"""One target a module: what it feeds to which part of the gateway, and what must hold whatever that is."""
