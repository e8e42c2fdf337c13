"""Files of targets."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from apigateway.config.model import Target
from apigateway.config.read import ConfigurationError
from apigateway.config.targets import MOST_TARGETS, parse_targets


def problems(content: bytes | str) -> list[str]:
    """What is wrong with a file."""
    try:
        parse_targets(content.encode() if isinstance(content, str) else content, "t.yaml")
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


URLS = st.builds(
    "{}://{}:{}".format,
    st.sampled_from(("http", "https")),
    st.sampled_from(("a", "b.example", "127.0.0.1", "[::1]")),
    st.integers(1, 79) | st.integers(444, 65535),
)
LISTS = st.lists(st.tuples(URLS, st.integers(1, 1000)), min_size=1, max_size=9, unique_by=lambda pair: pair[0])


class TargetsTests(SynchronousTestCase):
    def test_a_file_lists_urls_or_urls_with_weights(self) -> None:
        self.assertEqual(
            parse_targets(b"- http://a:8080/\n- url: http://B\n  weight: 3\n", "t.yaml"),
            (Target("http://a:8080"), Target("http://b", 3)),
        )

    def test_json_is_as_good(self) -> None:
        for text in (
            '["http://a", {"url": "http://b", "weight": 3}]',
            '[\n\t"http:\\/\\/a",\n\t{"url":"http://b","weight":3}\n]',
        ):
            self.assertEqual(parse_targets(text.encode(), "t.json"), (Target("http://a"), Target("http://b", 3)))

    def test_every_fault_is_told_with_its_place(self) -> None:
        self.assertEqual(
            problems("- http://a\n- b\n- http://a\n- {url: http://c, wieght: 2}\n"),
            [
                "t.yaml:2: [1]: a target's URL begins with http:// or https://",
                "t.yaml:3: [2]: http://a is given twice; use `weight` to give a target a larger share",
                "t.yaml:4: [3].wieght: unknown key; did you mean `weight`?",
            ],
        )

    def test_a_file_that_names_no_target_is_refused(self) -> None:
        told = ["t.yaml:1: names no target; expected a list with at least one URL such as http://host:port"]
        for text in ("", "[]", "# nothing\n", "~", "{}"):
            self.assertEqual(problems(text), told, text)

    def test_a_file_that_is_half_written_is_refused(self) -> None:
        whole = json.dumps(["http://a:1", {"url": "http://b:2", "weight": 3}])
        for end in range(len(whole)):
            self.assertEqual(len(problems(whole[:end])), 1, whole[:end])

    def test_a_file_has_no_more_targets_than_a_snapshot_can_take_in_passing(self) -> None:
        def content(count: int) -> bytes:
            return b"".join(b"- {url: 'http://a:%d', weight: 2}\n" % (number + 1) for number in range(count))

        self.assertEqual(len(parse_targets(content(MOST_TARGETS), "t.yaml")), MOST_TARGETS)
        for count, said in ((MOST_TARGETS + 1, "at most 1000 are taken"), (9000, "more than 6000 values")):
            with self.assertRaises(ConfigurationError) as caught:
                parse_targets(content(count), "t.yaml")
            self.assertIn(said, str(caught.exception))

    def test_what_is_no_list_or_no_text_is_refused(self) -> None:
        self.assertEqual(len(problems("targets: [http://a]")), 1)
        self.assertEqual(problems(b"\xff\xfe"), ["t.yaml: not text in UTF-8"])

    @settings(deadline=None, max_examples=300)
    @given(st.binary(max_size=60) | st.text("-[]{}:,\"'&*!|>#%@` \n\thtp/ab1", max_size=60).map(str.encode))
    def test_whatever_is_in_a_file_there_are_targets_or_problems(self, content: bytes) -> None:
        try:
            targets = parse_targets(content, "t.yaml")
        except ConfigurationError as error:
            self.assertTrue(error.problems)
        else:
            self.assertTrue(targets)
            self.assertEqual(len({one.place for one in targets}), len(targets))

    @settings(deadline=None)
    @given(LISTS)
    def test_what_a_program_writes_is_what_is_read(self, pairs: list[tuple[str, int]]) -> None:
        content = json.dumps([{"url": url, "weight": weight} for url, weight in pairs]).encode()
        self.assertEqual(parse_targets(content, "t.json"), tuple(Target(url, weight) for url, weight in pairs))
