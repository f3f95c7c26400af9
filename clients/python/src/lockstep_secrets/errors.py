"""Why a call failed: one class for each kind of remedy, and the table that turns the endpoint's codes into them.

No error holds a value, a credential or a body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Type


class SecretsError(Exception):
    """Every error of this client.

    ``code`` is the endpoint's word or this client's own, ``status`` the HTTP status if there was an answer,
    ``request_id`` the id under which the endpoint's log and audit have it, and ``retry_after`` how many seconds to wait,
    if it said so.
    """

    def __init__(
        self,
        message: str,
        code: str,
        status: Optional[int] = None,
        request_id: Optional[str] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(message if request_id is None else f"{message} (request {request_id})")
        self.code = code
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after


class ConfigurationError(SecretsError):
    """The client or the request is set up wrongly."""


class AuthenticationError(SecretsError):
    """The endpoint does not know who calls."""


class SecretNotFoundError(SecretsError):
    """There is no such secret, version or key."""


class AccessError(SecretsError):
    """The caller may not do this, or the provider may not decrypt it."""


class RotationError(SecretsError):
    """No rotation, or one is under way."""


class ProviderError(SecretsError):
    """The provider, or the endpoint itself, can't answer."""


class CacheError(SecretsError):
    """An invalidation did not reach the endpoint."""


class ParseError(SecretsError):
    """A name, key, version, reference or answer can't be read."""


class NetworkError(SecretsError):
    """No connection, or no answer in time."""


@dataclass(frozen=True)
class ReferenceFailure:
    """A reference that could not be replaced, and where it stands. Lines and columns (in characters) count from 1."""

    line: int
    column: int
    code: str
    message: str


class ReferencesError(ParseError):
    """Some references of a text could not be replaced: ``failures`` lists all of them."""

    def __init__(self, failures: List[ReferenceFailure]) -> None:
        lines = "\n".join(f"line {one.line}, column {one.column}: {one.message}" for one in failures)
        super().__init__(f"{len(failures)} of the references can't be resolved\n{lines}", "unresolved_references")
        self.failures = tuple(failures)


KINDS: Dict[str, Type[SecretsError]] = {
    "unauthenticated": AuthenticationError,
    "bad_token": AuthenticationError,
    "login_unavailable": AuthenticationError,
    "denied": AccessError,
    "decrypt": AccessError,
    "forbidden_host": AccessError,
    "forbidden_origin": AccessError,
    "not_found": SecretNotFoundError,
    "version_not_found": SecretNotFoundError,
    "deleted": SecretNotFoundError,
    "destroyed": SecretNotFoundError,
    "rotation_in_progress": RotationError,
    "rotation_not_configured": RotationError,
    "invalid_name": ParseError,
    "invalid_reference": ParseError,
    "invalid_target": ParseError,
    "invalid_parameter": ConfigurationError,
    "config": ConfigurationError,
    "forwarded": ConfigurationError,
    "no_such_route": ConfigurationError,
    "method_not_allowed": ConfigurationError,
    "network": NetworkError,
    "tls": NetworkError,
    "timeout": NetworkError,
}


def error_of(
    message: str, code: str, status: int, request_id: Optional[str], retry_after: Optional[float]
) -> SecretsError:
    """The error for a code of the endpoint; of one that is not known, the status decides."""
    by_status: Dict[int, Type[SecretsError]] = {401: AuthenticationError, 403: AccessError}
    kind = KINDS.get(code, by_status.get(status, ProviderError))
    return kind(message, code, status, request_id, retry_after)


def malformed(what: str, status: Optional[int] = None, request_id: Optional[str] = None) -> ProviderError:
    """An answer that is not what the endpoint writes: most often something else stands at that address."""
    return ProviderError(f"this is no answer of a Lockstep endpoint: {what}", "malformed", status, request_id)


def not_text() -> ParseError:
    return ParseError("the value is no UTF-8 text; read it with get_secret, as bytes", "not_text")
