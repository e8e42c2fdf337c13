"""Copies of exchanges for a second service, whose answers nobody gets."""
