"""WebSockets as others speak them: an echo service, and Autobahn's fuzzing client with and without a gateway."""
