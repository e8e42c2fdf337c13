"""Attacks on a running gateway, and what well-behaved clients notice of them."""
