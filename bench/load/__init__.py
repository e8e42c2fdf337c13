"""The load: who asks, and what it says of the answers. Knows ports and paths, not who is behind them."""
