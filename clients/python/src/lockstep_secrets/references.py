"""Finding ``{{secret:…}}`` in a text, and putting values in the references' place. Nothing is asked here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping, Tuple, Union

from .errors import ReferenceFailure
from .reference import Wanted, parse

OPEN, CLOSE = "{{secret:", "}}"


@dataclass(frozen=True)
class Reference:
    """A place of a text where a value belongs; ``wanted`` is text where it says what is wrong with it."""

    line: int
    column: int
    wanted: Union[Wanted, str]


@dataclass(frozen=True)
class Unresolved:
    """Why there is no value."""

    code: str
    message: str


Piece = Union[str, Reference]
Resolved = Union[str, Unresolved]


def pieces(text: str) -> List[Piece]:
    """The pieces of a text, in one pass from its beginning."""
    found: List[Piece] = []
    seen, line, start, begin = 0, 1, 0, 0
    while True:
        opened = text.find(OPEN, begin)
        if opened < 0:
            break
        if opened > begin and text[opened - 1] == "\\":
            # `\{{secret:` is the text `{{secret:`.
            found.append(text[begin : opened - 1] + OPEN)
            begin = opened + len(OPEN)
            continue
        found.append(text[begin:opened])
        line += text.count("\n", seen, opened)
        # Only what is new is looked at: a line may have any number of references.
        start = max(start, text.rfind("\n", seen, opened) + 1)
        seen = opened
        closed = text.find(CLOSE, opened)
        if closed < 0:
            wrong = "the reference has no end; write `}}` behind it, or `\\{{secret:` if none is meant"
            found.append(Reference(line, opened - start + 1, wrong))
            return found
        found.append(Reference(line, opened - start + 1, parse(text[opened + len(OPEN) : closed])))
        begin = closed + len(CLOSE)
    found.append(text[begin:])
    return found


def fill(parts: List[Piece], answers: Mapping[Wanted, Resolved]) -> Tuple[str, List[ReferenceFailure]]:
    """The text with its values, and every failure. What is put in is not looked at again."""
    out: List[str] = []
    failures: List[ReferenceFailure] = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
            continue
        answer: Resolved
        if isinstance(part.wanted, str):
            answer = Unresolved("invalid_reference", part.wanted)
        else:
            answer = answers.get(part.wanted, Unresolved("malformed", "it was not answered"))
        if isinstance(answer, str):
            out.append(answer)
        else:
            failures.append(ReferenceFailure(part.line, part.column, answer.code, answer.message))
    return "".join(out), failures
