"""Finding ``{{secret:[alias://]name[#key][@selector]}}`` in a text, and putting values in their place.

Nothing is asked here. The rules are the endpoint's own; a reference is never repeated in a message, since a value may
stand there by mistake.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Tuple, Union

from .errors import ReferenceFailure

OPEN, CLOSE = "{{secret:", "}}"
#: The longest reference, in characters.
MAX_REFERENCE = 16 * 1024
ENCODED = {"%23": "#", "%40": "@", "%7d": "}", "%25": "%"}
ADDRESSES = ("http", "https", "ws", "wss", "ftp", "tcp", "unix")


@dataclass(frozen=True)
class Wanted:
    """What is asked for a reference."""

    name: str
    provider: Optional[str] = None
    key: Optional[str] = None
    version: Optional[str] = None

    def item(self) -> Dict[str, str]:
        """As an item of a batch."""
        return {name: value for name, value in vars(self).items() if value is not None}


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


def parse(inside: str) -> Union[Wanted, str]:
    """Reads what stands between the braces; a text says what is wrong with it."""
    if len(inside) > MAX_REFERENCE:
        return "the reference is too long"
    if "?" in inside:
        return "a reference has no parameters; the endpoint's configuration has them"
    if "}" in inside:
        return "a `}` ends a reference; write `%7D` if it belongs to the name"
    head, has_selector, selector = inside.partition("@")
    if "@" in selector:
        return "a reference has one `@selector`, at its end; write `%40` for an `@` inside a name"
    if "#" in selector:
        return "the key stands before `@selector`; write `%23` for a `#` inside a name"
    place, has_key, key = head.partition("#")
    if "#" in key:
        return "a reference has one `#key`; write `%23` for a `#` inside a name or key"
    alias, has_alias, name = place.partition("://")
    if not has_alias:
        alias, name = "", place
    if alias.lower() in ADDRESSES:
        return "a reference names a provider of the endpoint's configuration, not an address"
    decoded = [_decode(part) for part in (name, key, selector)]
    if None in decoded:
        return "only `%23` (#), `%40` (@), `%7D` (}) and `%25` (%) stand for a character"
    name, key, selector = (part or "" for part in decoded)
    if not name:
        return "the reference has no name; write `{{secret:name}}`"
    if has_key and not key:
        return "the key is empty; leave `#` out to read the whole value"
    if has_selector and not selector:
        return "after `@` stands a version's id, a label, `current` or `previous`"
    return Wanted(name, alias if has_alias else None, key or None, selector or None)


def _decode(text: str) -> Optional[str]:
    """``None`` when a ``%`` begins none of the four."""
    codes: List[str] = re.findall(r"%.{0,2}", text, re.DOTALL)
    if any(code.lower() not in ENCODED for code in codes):
        return None
    return re.sub(r"%..", lambda code: ENCODED[code[0].lower()], text, flags=re.DOTALL)


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
