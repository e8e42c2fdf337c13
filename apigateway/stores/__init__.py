"""Where counts and cached things are kept. A store knows keys and times; not requests, routes or clients."""
