"""What is taken for a reference, and what reading a text costs: nothing is asked."""

import unittest

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


if __name__ == "__main__":
    unittest.main()
