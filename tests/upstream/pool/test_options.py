"""What a client is told where no connection to a service is to be had."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Pool
from apigateway.errors import POOL_EXHAUSTED
from apigateway.upstream.pool.options import exhausted


class ExhaustedTests(SynchronousTestCase):
    def test_it_tells_the_bound_and_to_come_back_soon(self) -> None:
        error = exhausted(Pool(connections=7))
        self.assertEqual((error.cause, error.retry_after_s), (POOL_EXHAUSTED, 1))
        self.assertIn("7 connections", error.detail)
