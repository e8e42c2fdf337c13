"""Problems: how they read, and that each is told once."""

from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.problems import ConfigurationError, Problem, Problems, Where, nearest


class ProblemTests(SynchronousTestCase):
    """One problem."""

    def test_names_file_line_and_path(self) -> None:
        self.assertEqual(str(Problem("g.yaml", 3, "services.a", "is wrong")), "g.yaml:3: services.a: is wrong")

    def test_leaves_out_what_it_has_not(self) -> None:
        self.assertEqual(str(Problem("g.yaml", 0, "", "cannot be read")), "g.yaml: cannot be read")
        self.assertEqual(str(Problem("environment", 0, "A_URL", "is empty")), "environment: A_URL: is empty")


class ProblemsTests(SynchronousTestCase):
    """The collection of problems."""

    def test_are_raised_together_in_the_order_of_the_file(self) -> None:
        problems = Problems()
        problems.add(Where("g", 9, "b"), "second")
        problems.add(Where("g", 2, "a"), "first")
        error = self.assertRaises(ConfigurationError, problems.raise_any)
        self.assertEqual(str(error), "g:2: a: first\ng:9: b: second")

    def test_count_the_same_problem_once(self) -> None:
        problems = Problems()
        for _ in range(2):
            problems.add(Where("g", 2, "a"), "wrong")
        self.assertEqual(
            self.assertRaises(ConfigurationError, problems.raise_any).problems, (Problem("g", 2, "a", "wrong"),)
        )

    def test_raise_nothing_where_nothing_is_wrong(self) -> None:
        Problems().raise_any()


class NearestTests(SynchronousTestCase):
    """The hint at what a word was meant to be."""

    def test_names_the_nearest_known_word_without_regard_to_case(self) -> None:
        self.assertEqual(nearest("Tragets", ["listen", "targets"]), "did you mean `targets`?")

    def test_names_all_words_where_none_is_near(self) -> None:
        self.assertEqual(nearest("zzz", ["listen", "targets"]), "known are listen, targets")
