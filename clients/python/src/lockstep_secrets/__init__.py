"""Reads secrets from a Lockstep endpoint, with nothing but Python's standard library."""

from .client import SecretsClient
from .credentials import ApiKey, Bearer, Credential, LocalToken
from .errors import (
    AccessError,
    AuthenticationError,
    CacheError,
    ConfigurationError,
    NetworkError,
    ParseError,
    ProviderError,
    ReferenceFailure,
    ReferencesError,
    RotationError,
    SecretNotFoundError,
    SecretsError,
)
from .secret import ListPage, RotationResult, SecretMetadata, SecretValue

__all__ = [
    "AccessError",
    "ApiKey",
    "AuthenticationError",
    "Bearer",
    "CacheError",
    "ConfigurationError",
    "Credential",
    "ListPage",
    "LocalToken",
    "NetworkError",
    "ParseError",
    "ProviderError",
    "ReferenceFailure",
    "ReferencesError",
    "RotationError",
    "RotationResult",
    "SecretMetadata",
    "SecretNotFoundError",
    "SecretValue",
    "SecretsClient",
    "SecretsError",
]
