"""What is taken for a reference, and what reading a text costs: nothing is asked."""

import json
import re
import unittest
from pathlib import Path

from lockstep_secrets.reference import Wanted, parse
from lockstep_secrets.references import Reference, pieces


class Counted(str):
    """A text that counts the characters that are passed in it."""

    passed = 0

    def find(self, what, begin=0, end=None):
        at = super().find(what, begin, end)
        self.passed += (at if at >= 0 else len(self)) - begin
        return at

    def rfind(self, what, begin=0, end=None):
        at = super().rfind(what, begin, end)
        self.passed += (len(self) if end is None else end) - max(at, begin)
        return at

    def count(self, what, begin=0, end=None):
        self.passed += (len(self) if end is None else end) - begin
        return super().count(what, begin, end)

    def __getitem__(self, cut):
        found = super().__getitem__(cut)
        self.passed += len(found)
        return found


def cost(text):
    counted = Counted(text)
    pieces(counted)
    return counted.passed


def written_out(text):
    """A case's text: ``<a*3>`` stands for ``aaa``."""
    return text and re.sub(r"<([^*>]+)\*(\d+)>", lambda found: found[1] * int(found[2]), text)


class References(unittest.TestCase):
    # Break: look for the line's beginning from the text's beginning at each reference.
    def test_a_text_of_twice_the_length_costs_twice_as_much(self):
        parts = ("{{secret:a}}", "{{secret:}}", "\\{{secret:", "\n{{secret:a}}", "{{secret:{{secret:a}}", "{{secret:a")
        for part in parts:
            for end in ("", "\n", "}}"):
                once, twice = (cost(part * times + end) for times in (500, 1000))
                self.assertTrue(0 < twice <= 2.2 * once, f"{part!r}: {once}, then {twice}")

    # Break: leave the line's end out.
    def test_a_place_is_told_in_lines_and_characters(self):
        text = "🔑ü{{secret:a}}\r\n\n\t🔑{{secret:b}}{{secret:c}} {{secret:d"
        places = [(one.line, one.column) for one in pieces(text) if isinstance(one, Reference)]
        self.assertEqual(places, [(1, 3), (3, 3), (3, 15), (3, 28)])

    # Break: any rule in reference.py.
    def test_a_reference_is_read_and_refused_as_the_endpoint_does_it(self):
        path = Path(__file__).parents[3] / "tests" / "conformance" / "references.json"
        cases = json.loads(path.read_text(encoding="utf-8"))
        self.assertTrue(len(cases["read"]) > 50 and len(cases["refused"]) > 150)
        for case in cases["read"]:
            parts = [written_out(case.get(part)) for part in ("name", "alias", "key", "selector")]
            self.assertEqual(parse(written_out(case["text"])), Wanted(*parts), case["text"])
        for case in cases["refused"]:
            said = parse(written_out(case["text"]))
            self.assertIsInstance(said, str, case["text"])
            self.assertIn(cases["says"][case["wrong"]], said, case["text"])

    # A request that holds one would be refused as a whole. Break: the range in `_INVISIBLE`.
    def test_half_of_a_surrogate_pair_is_no_character_of_a_reference(self):
        for text in ("a\ud800", "\udc00a", "a#\ud800", "a@\ud800"):
            self.assertIsInstance(parse(text), str)
        self.assertEqual(parse("a\U0001f511"), Wanted("a\U0001f511"))


if __name__ == "__main__":
    unittest.main()
