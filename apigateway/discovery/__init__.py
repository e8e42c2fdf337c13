"""Where the addresses of targets come from."""
