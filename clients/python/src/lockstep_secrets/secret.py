"""A secret and its metadata, out of the endpoint's JSON: every member is checked before it is believed."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Dict, List, Mapping, Optional, Tuple

from .errors import malformed

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?Z")


@dataclass(frozen=True)
class SecretMetadata:
    """Facts about a secret, never its value."""

    name: str
    #: What the provider calls it where that is another text than the name: an ARN, an id.
    arn: Optional[str]
    description: Optional[str]
    #: Empty where the provider does not say.
    current_version: str
    #: The labels of the version: ``AWSCURRENT`` and the like.
    stages: Tuple[str, ...]
    tags: Mapping[str, str]
    rotation_enabled: bool
    next_rotation: Optional[datetime]
    #: ``None`` where the provider does not say.
    created_at: Optional[datetime]
    #: No provider is asked for it, so it is never there.
    last_accessed: Optional[datetime] = None


@dataclass(frozen=True)
class SecretValue:
    """A secret. ``repr`` shows everything but the value."""

    #: The text; base64 where ``encoding`` says so.
    value: str = field(repr=False)
    #: ``utf-8``, or ``base64`` when the value is bytes that are no text.
    encoding: str
    #: Empty where the provider has no versions.
    version: str
    created_at: Optional[datetime]
    updated_at: Optional[datetime]
    #: What a read says of it: ``tags`` and ``rotation_enabled`` are known to ``describe_secret`` alone.
    metadata: SecretMetadata

    def bytes(self) -> bytes:
        """The value as bytes, whatever its encoding."""
        return base64.b64decode(self.value) if self.encoding == "base64" else self.value.encode()


@dataclass(frozen=True)
class ListPage:
    """One page of a list."""

    secrets: List[SecretMetadata]
    next_token: Optional[str]


@dataclass(frozen=True)
class RotationResult:
    """The provider has taken the order; a rotation ends later."""

    triggered: bool
    #: The version that will be current, where the provider says so already.
    version_id: Optional[str]
    status: str = "pending"


def text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise malformed(f"`{name}` is no text")
    return value


def maybe(fields: Mapping[str, object], name: str) -> Optional[str]:
    """The text of a member that may be missing."""
    return text(fields, name) if name in fields else None


def mapping(value: object, what: str) -> Dict[str, object]:
    if not isinstance(value, dict):
        raise malformed(f"{what} is no object")
    return value


def items(value: object, what: str) -> List[object]:
    if not isinstance(value, list):
        raise malformed(f"{what} is no list")
    return value


def secret(fields: Mapping[str, object]) -> SecretValue:
    """A released secret."""
    value, encoding = text(fields, "value"), text(fields, "encoding")
    if encoding == "base64":
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error:
            # Its words are left out, and it is not the cause: what it says is about the value.
            encoding = "?"
    if encoding not in ("utf-8", "base64"):
        raise malformed("`encoding` is not known, or not the value's")
    known = metadata(fields)
    return SecretValue(value, encoding, known.current_version, known.created_at, None, known)


def metadata(fields: Mapping[str, object]) -> SecretMetadata:
    """What an answer says of a secret beside its value."""
    name, identifier = text(fields, "name"), maybe(fields, "id")
    tags = mapping(fields.get("tags", {}), "`tags`")
    return SecretMetadata(
        name=name,
        arn=identifier if identifier != name else None,
        description=maybe(fields, "description"),
        current_version=maybe(fields, "version") or "",
        stages=tuple(str(label) for label in items(fields.get("labels", []), "`labels`")),
        tags={tag: str(value) for tag, value in tags.items()},
        rotation_enabled=fields.get("rotation_enabled") is True,
        next_rotation=_time(fields, "next_rotation"),
        created_at=_time(fields, "created"),
    )


def _time(fields: Mapping[str, object], name: str) -> Optional[datetime]:
    found = maybe(fields, name)
    if found is None:
        return None
    parts = _TIME.fullmatch(found)
    if parts is None:
        raise malformed(f"`{name}` is no time")
    try:
        whole = datetime.strptime(parts[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        raise malformed(f"`{name}` is no time") from None
    return whole.replace(microsecond=int((parts[2] or "").ljust(6, "0")))
