"""What the pages look at."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.admin.runtime import Runtime


class ViewTests(SynchronousTestCase):
    """A view in logs and tracebacks."""

    def test_it_does_not_give_the_token_away(self) -> None:
        self.assertNotIn("hidden", repr(Runtime(token="hidden").view))
