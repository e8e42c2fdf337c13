"""Shows where the time of an ordinary exchange goes in the real gateway under load. Changes nothing in the gateway."""
