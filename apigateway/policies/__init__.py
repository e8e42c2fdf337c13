"""Rules for the exchanges of a route, one a file. A policy knows neither the others nor the reactor nor transports."""
