"""How a running gateway changes and ends: its listeners, what it reads again, and what signals mean."""
