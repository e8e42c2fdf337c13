"""The steps of an exchange at a service: choose a target, lease, send, receive, and again where that is safe."""
