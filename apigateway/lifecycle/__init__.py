"""How a running gateway changes and ends: what it reads again, and what signals mean."""
