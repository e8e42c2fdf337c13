"""From a configuration to a Snapshot: what is made, of which implementations, and what outlives it."""
