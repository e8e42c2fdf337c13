"""Variables in the texts of a file."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.variables import substitute

ENVIRON = {"HOST": "orders", "EMPTY": ""}


def replaced(text: str) -> str:
    """The text with its variables replaced, of which none is wrong."""
    result, faults = substitute(text, ENVIRON)
    assert not faults, faults
    return result


class SubstituteTests(SynchronousTestCase):
    """Replacing variables."""

    def test_puts_in_the_value_wherever_a_name_stands(self) -> None:
        self.assertEqual(replaced("http://${HOST}:80/${HOST}"), "http://orders:80/orders")

    def test_takes_the_default_of_a_name_that_is_unset_or_empty(self) -> None:
        self.assertEqual(replaced("${NONE:-a}${EMPTY:-b}${HOST:-c}${NONE:-}"), "aborders")

    def test_an_empty_variable_is_set(self) -> None:
        self.assertEqual(replaced("<${EMPTY}>"), "<>")

    def test_two_dollars_are_one_and_protect_what_follows(self) -> None:
        self.assertEqual(replaced("$$ $${HOST} $$$${x} $$${HOST}"), "$ ${HOST} $${x} $orders")

    def test_a_dollar_alone_stays(self) -> None:
        self.assertEqual(replaced("$5 $HOST $"), "$5 $HOST $")

    def test_values_are_not_searched_for_variables_again(self) -> None:
        self.assertEqual(substitute("${A}", {"A": "${B}"}), ("${B}", []))

    def test_every_unset_name_without_default_is_told(self) -> None:
        _, faults = substitute("${ONE} ${TWO}", {})
        self.assertEqual([fault.split()[2] for fault in faults], ["ONE", "TWO"])

    def test_what_only_begins_like_a_variable_is_told(self) -> None:
        for text in ("${", "${}", "${a b}", "${A-b}", "${9}", "${A:-${B}}", "${A:-b"):
            self.assertEqual(len(substitute(text, {"A": "", "B": ""})[1]), 1, text)

    @settings(deadline=None)
    @given(st.text(alphabet="$ {}:-AB"), st.dictionaries(st.sampled_from(["A", "B"]), st.text(max_size=3)))
    def test_doubled_dollars_give_back_any_text(self, text: str, environ: dict[str, str]) -> None:
        self.assertEqual(substitute(text.replace("$", "$$"), environ), (text, []))
