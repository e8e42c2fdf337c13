"""Which route an exchange takes: the resource tree, the proxy resources in it, matching and identity."""
