from twisted.trial.unittest import TestCase
from tests.behaviour.combinations import over_all_combinations, Combination
from tests.behaviour.stage import Stage

@over_all_combinations
class TryTests(TestCase):
    async def test_get(self, via: Combination) -> None:
        stage = Stage(self, via)
        stage.one.answers(200, b"hello")
        answer = await stage.get("/api/x")
        self.assertEqual((answer.status, answer.body), (200, b"hello"))
        print(answer.raw_head, (await stage.request()).raw_head)
