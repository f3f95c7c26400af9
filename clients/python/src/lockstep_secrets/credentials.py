"""How a caller shows who it is. No credential is shown by ``repr`` or in an error."""

from __future__ import annotations

import re
from typing import Callable, Tuple, Union

from .errors import AuthenticationError, ConfigurationError

_CARRIED = re.compile(r"[\x21-\x7e]+")


class Bearer:
    """A token, or a function that is asked for one at each request, and once more after a refusal."""

    def __init__(self, token: Union[str, Callable[[], str]]) -> None:
        self._token = token

    @property
    def renews(self) -> bool:
        """Whether asking again can give another one."""
        return callable(self._token)

    def header(self) -> Tuple[str, str]:
        """The header's name and value."""
        return ("authorization", "Bearer " + _checked(self._made()))

    def _made(self) -> object:
        if not callable(self._token):
            return self._token
        try:
            return self._token()
        except Exception as error:
            # What it raised is not repeated, nor kept as the cause: it may quote the token.
            kind = type(error).__name__
        raise AuthenticationError(f"the function that gives the token failed ({kind})", "token_failed")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class ApiKey(Bearer):
    """An API key, as ``lockstep key`` makes it."""

    def __init__(self, key: str) -> None:
        super().__init__(key)


class LocalToken(Bearer):
    """The token of an endpoint on this machine."""

    def header(self) -> Tuple[str, str]:
        return ("x-aws-parameters-secrets-token", _checked(self._made()))


Credential = Bearer


def _checked(secret: object) -> str:
    if not isinstance(secret, str) or _CARRIED.fullmatch(secret) is None:
        raise ConfigurationError(
            "the credential is empty, or has characters that no header can carry", "invalid_credential"
        )
    return secret
