"""One reference, ``[alias://]name[#key][@selector]``: its parts, or what is wrong with it.

The rules are the endpoint's own, and tests/conformance/references.json has them case by case. A message never repeats the
text, since a value may stand there by mistake.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Dict, List, Optional, Union

#: Bytes of UTF-8, and levels of a key.
MAX_REFERENCE, MAX_NAME, MAX_KEY, MAX_LEVELS, MAX_SELECTOR = 16 * 1024, 2048, 1024, 32, 256
ENCODED = {"%23": "#", "%40": "@", "%7d": "}", "%25": "%"}
#: Words that look like a provider and are an address.
ADDRESSES = ("http", "https", "ws", "wss", "ftp", "tcp", "unix")
#: What other tools let a reference set. Here only the endpoint's configuration does.
PARAMETERS = (
    "address=",
    "endpoint=",
    "proto=",
    "profile=",
    "token=",
    "token_env=",
    "token_file=",
    "role_arn=",
    "role_id=",
    "secret_id=",
    "secret_id_file=",
)
_PARAMETER = "a reference has no parameters; the endpoint's configuration has addresses, credentials and roles"
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,62}")
#: Controls, what nobody can see, and halves of a surrogate pair.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffd\U00013430-\U0001345f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
#: What is read as a separator or a space, and is another character.
_LOOKALIKE = re.compile(
    "[\u02d0\u0337\u0338\u0589\u05c3\u0701\u0702\u1680\u1735\u2041\u2044\u2215\u2216\u2236\u2571\u27cb\u27cd\u29f5\u29f8"
    "\u29f9\u3033\u31d3\u31d4\ua4f8\ua4fd\ua789\U0001d20f\U0001d23a\U0001d23b]"
)


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


def parse(inside: str) -> Union[Wanted, str]:
    """Reads what stands between the braces; a text says what is wrong with it."""
    if _is_longer(inside, MAX_REFERENCE):
        return f"the reference is longer than {MAX_REFERENCE} bytes"
    if "?" in inside:
        return _PARAMETER
    if "}" in inside:
        return "a `}` ends a reference; write `%7D` if it belongs to the name"
    head, has_selector, selector = inside.partition("@")
    if "@" in selector:
        return "a reference has one `@selector`, at its end; write `%40` for an `@` inside a name or key"
    place, has_key, key = head.partition("#")
    if "#" in key or "#" in selector:
        return "a reference has one `#key`; write `%23` for a `#` inside a name or key, and the key before `@selector`"
    alias, has_alias, name = place.partition("://") if "://" in place else ("", "", place)
    decoded = [_decode(part) for part in (name, key, selector)]
    if None in decoded:
        return "only `%23` (#), `%40` (@), `%7D` (}) and `%25` (%) stand for a character; write any other as it is"
    name, key, selector = (part or "" for part in decoded)
    wrong = _wrong_alias(alias) if has_alias else None
    wrong = wrong or _wrong_name(name)
    wrong = wrong or (_wrong_key(key) if has_key else None)
    wrong = wrong or (_wrong_selector(selector) if has_selector else None)
    return wrong or Wanted(name, alias if has_alias else None, key or None, selector or None)


def _wrong_alias(alias: str) -> Optional[str]:
    if alias.lower() in ADDRESSES:
        return "a reference names a provider of the endpoint's configuration, not an address"
    if _ALIAS.fullmatch(alias) is None:
        return "a provider's alias is 1 to 63 lower-case letters, digits, `-` and `_`, beginning with a letter"
    return None


def _wrong_name(name: str) -> Optional[str]:
    if any(begin.startswith(PARAMETERS) for begin in re.split("[&;,]", name)):
        return _PARAMETER
    if name in ("", "/"):
        return "the name is empty; write `{{secret:name}}`"
    if _is_longer(name, MAX_NAME):
        return f"the name is longer than {MAX_NAME} bytes"
    if "\\" in name:
        return "the name has a backslash; separate segments with `/`"
    if _INVISIBLE.search(name):
        return "the name has a control or invisible character; remove it"
    # Of characters that are younger than the interpreter's tables, the endpoint decides.
    if unicodedata.normalize("NFKC", name) != name or _LOOKALIKE.search(name):
        return "the name has a character that is not composed (Unicode NFC), or looks like another; write the plain character"
    if re.search("%[0-9a-fA-F]{2}", name):
        return "the name has a percent-encoded character; write the character itself"
    for segment in (name[1:] if name.startswith("/") else name).split("/"):
        if not segment:
            return "the name has an empty segment; write `a/b`, without doubled or trailing `/`"
        if segment.partition(";")[0] in (".", ".."):
            return "the name has a `.` or `..` segment; write the whole path of the secret instead"
        if segment.startswith(" ") or segment.endswith((" ", ".")):
            return "a segment of the name ends in a dot, or begins or ends in a space; remove it"
    return None


def _wrong_key(key: str) -> Optional[str]:
    if not key:
        return "the key is empty; leave `#` out to read the whole value"
    if _is_longer(key, MAX_KEY):
        return f"the key is longer than {MAX_KEY} bytes"
    if _INVISIBLE.search(key):
        return "the key has a control or invisible character; remove it"
    if not key.startswith("/"):
        return None
    if key.count("/") > MAX_LEVELS:
        return f"the key goes more than {MAX_LEVELS} levels deep"
    return "in a key that starts with `/`, write `~0` for `~` and `~1` for `/`" if re.search("~(?![01])", key) else None


def _wrong_selector(selector: str) -> Optional[str]:
    fits = selector and not _is_longer(selector, MAX_SELECTOR) and selector.strip() == selector
    if fits and not _INVISIBLE.search(selector):
        return None
    return (
        "after `@` stands a version's id, a label, `current` or `previous`: "
        f"1 to {MAX_SELECTOR} bytes, no control characters"
    )


def _is_longer(text: str, most: int) -> bool:
    return len(text) > most or len(text.encode("utf-8", "surrogatepass")) > most


def _decode(text: str) -> Optional[str]:
    """``None`` when a ``%`` begins none of the four."""
    codes: List[str] = re.findall(r"%.{0,2}", text, re.DOTALL)
    if any(code.lower() not in ENCODED for code in codes):
        return None
    return re.sub(r"%..", lambda code: ENCODED[code[0].lower()], text, flags=re.DOTALL)
