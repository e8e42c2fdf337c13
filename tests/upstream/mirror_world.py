"""A service and another one to which its requests are sent a second time, for the tests of mirrors."""

from __future__ import annotations

from apigateway.testing.exchanges import exchange_for
from apigateway.upstream.mirroring.mirror import Mirror, MirrorCounts, Mirroring
from tests.upstream.forward_world import World


class MirrorWorld:
    """`main` answers, `shadow` gets copies as the options of `Mirror` say; `copies` are those that are over.

    `draws` are the random numbers to come, 0.0 where there are none.
    """

    def __init__(self, main=None, shadow=None, **options):
        self.main = main or World()
        self.shadow = shadow or World()
        self.shadow.service.name = "shadow"
        self.shadow.clock = self.main.clock
        self.shadow.service.now = self.main.clock.seconds
        self.counts = MirrorCounts()
        self.everyone = set()
        self.copies = []
        self.draws = []
        self.mirror = self.another(**options)
        self.mirroring = Mirroring(self.main.service.forward, (self.mirror,))

    def another(self, world=None, **options):
        """One more mirror."""
        service = (world or self.shadow).service
        return Mirror(
            service, "/r (mirrored)", self.shadow.plan, self.counts, self.everyone,
            self._draw, self.copies.append, **options,
        )  # fmt: skip

    def _draw(self):
        return self.draws.pop(0) if self.draws else 0.0

    def begin(self, *args, **kwargs):
        """Begin an exchange; it."""
        exchange = exchange_for(*args, now=self.main.clock.seconds, observe=self.main.ended.append, **kwargs)
        exchange.route, exchange.request_id, exchange.snapshot = "/r", b"id", self
        self.mirroring.forward(exchange, self.main.plan)
        return exchange

    @property
    def original(self):
        """The latest attempt at the service."""
        return self.main.attempt

    @property
    def copy(self):
        """The latest attempt at the shadow."""
        return self.shadow.attempt

    def advance(self, seconds):
        self.main.clock.advance(seconds)
        for world in (self.main, self.shadow):
            world.service.sweep(self.main.clock.seconds())
