"""What the pools of both transports have in common: their bounds, and who waits for a connection."""
