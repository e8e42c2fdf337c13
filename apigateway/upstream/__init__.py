"""Services and their targets: balancing, breaking, health, retries, pools and the transports that carry attempts."""
