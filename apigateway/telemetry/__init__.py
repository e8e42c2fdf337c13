"""What the gateway tells about itself: access log, statistics, metrics, events. Only looks, never changes anything."""
