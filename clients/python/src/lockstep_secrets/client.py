"""The client: each call becomes requests of the native API, and their answers what the types say."""

from __future__ import annotations

import ssl
from typing import Dict, List, Mapping, Optional

from .credentials import Credential
from .errors import CacheError, ConfigurationError, ReferencesError, SecretsError, malformed, not_text
from .exchange import Exchange
from .reference import Wanted
from .references import Reference, Resolved, Unresolved, fill, pieces
from .secret import ListPage, RotationResult, SecretMetadata, SecretValue, items, mapping, maybe, metadata, secret

#: Secrets asked for in one request: what an endpoint takes unless it is configured for less.
BATCH = 20
#: Pages of one list. An endpoint that never ends one is at fault.
MAX_PAGES = 10_000


class SecretsClient:
    """Reads secrets from a Lockstep endpoint over its native API. It keeps none: the endpoint has the cache.

    ``timeout`` is for one call, its tries, pages and batches included, in seconds (at most 600); ``attempts`` counts the
    tries of what may be asked twice (1 to 10). Threads may share a client.
    """

    def __init__(
        self,
        base_url: str,
        credential: Credential,
        *,
        timeout: float = 10.0,
        attempts: int = 3,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        self._exchange = Exchange(base_url, credential, timeout, attempts, tls)

    def __repr__(self) -> str:
        return "SecretsClient(…)"

    def get_secret(
        self,
        path: str,
        *,
        version: Optional[str] = None,
        stage: Optional[str] = None,
        provider: Optional[str] = None,
        skip_cache: bool = False,
    ) -> SecretValue:
        """A secret. ``version`` is an id, ``current`` or ``previous``; ``stage`` a label such as ``AWSPREVIOUS``."""
        if version is not None and stage is not None:
            raise ConfigurationError("`version` and `stage` both say which version: write one", "invalid_option")
        query = [("name", path), ("provider", provider), ("version", version if stage is None else stage)]
        return secret(self._exchange.send("GET", "/api/v1/secrets", query, no_cache=skip_cache))

    def get_secret_key(self, path: str, key: str) -> str:
        """One part of a value: a top-level JSON key, or a JSON Pointer when it starts with ``/``."""
        part = secret(self._exchange.send("GET", "/api/v1/secrets", [("name", path), ("key", key)]))
        if part.encoding != "utf-8":
            raise not_text()
        return part.value

    def list_secrets(
        self,
        prefix: str,
        *,
        max_results: Optional[int] = None,
        next_token: Optional[str] = None,
        tags: Optional[Mapping[str, str]] = None,
        provider: Optional[str] = None,
    ) -> List[SecretMetadata]:
        """Metadata of what begins with the prefix, from all pages. Of several providers, name one."""
        found: List[SecretMetadata] = []
        if max_results is not None and max_results < 1:
            return found
        end = self._exchange.deadline()
        for _ in range(MAX_PAGES):
            page = self._page(prefix, None, next_token, tags, provider, end)
            found += page.secrets
            if max_results is not None and len(found) >= max_results:
                return found[:max_results]
            if page.next_token is None:
                return found
            next_token = page.next_token
        raise malformed(f"the list has more than {MAX_PAGES} pages")

    def list_page(
        self,
        prefix: str,
        *,
        max_results: Optional[int] = None,
        next_token: Optional[str] = None,
        tags: Optional[Mapping[str, str]] = None,
        provider: Optional[str] = None,
    ) -> ListPage:
        """One page of a list; ``max_results`` is the most that it may hold."""
        return self._page(prefix, max_results, next_token, tags, provider, self._exchange.deadline())

    def _page(
        self,
        prefix: str,
        max_results: Optional[int],
        next_token: Optional[str],
        tags: Optional[Mapping[str, str]],
        provider: Optional[str],
        end: float,
    ) -> ListPage:
        query = [("prefix", prefix), ("provider", provider), ("page", next_token)]
        query.append(("limit", None if max_results is None else str(max_results)))
        query += [("tag", f"{name}={value}") for name, value in (tags or {}).items()]
        body = self._exchange.send("GET", "/api/v1/secrets", query, end=end)
        found = [metadata(mapping(item, "an item")) for item in items(body.get("secrets"), "`secrets`")]
        return ListPage(found, maybe(body, "next"))

    def describe_secret(self, path: str) -> SecretMetadata:
        """Facts about a secret, never its value."""
        return metadata(self._exchange.send("GET", "/api/v1/metadata", [("name", path)]))

    def rotate_secret(self, path: str) -> RotationResult:
        """Asks the provider to rotate: once, since nobody knows whether a rotation without an answer has begun."""
        body = self._exchange.send("POST", "/api/v1/rotate", [("name", path)], repeatable=False)
        return RotationResult(True, maybe(body, "version"))

    def resolve_references(self, text: str) -> str:
        """The text with every ``{{secret:…}}`` replaced.

        With one that fails, nothing but a :class:`ReferencesError` that lists all that failed.
        """
        parts = pieces(text)
        wanted = [part.wanted for part in parts if isinstance(part, Reference) and isinstance(part.wanted, Wanted)]
        filled, failures = fill(parts, self._many(list(dict.fromkeys(wanted))))
        if failures:
            raise ReferencesError(failures)
        return filled

    def invalidate_cache(self, path: str) -> None:
        """The endpoint forgets the secret."""
        self._invalidate({"name": path})

    def invalidate_cache_prefix(self, prefix: str) -> None:
        """The endpoint forgets everything below the prefix."""
        self._invalidate({"prefix": prefix})

    def _invalidate(self, body: Dict[str, str]) -> None:
        try:
            self._exchange.send("POST", "/api/v1/invalidate", body=body)
        except SecretsError as error:
            raise CacheError(f"not invalidated: {error}", error.code, error.status) from error

    def _many(self, wanted: List[Wanted]) -> Dict[Wanted, Resolved]:
        answers: Dict[Wanted, Resolved] = {}
        end = self._exchange.deadline()
        for begin in range(0, len(wanted), BATCH):
            batch = wanted[begin : begin + BATCH]
            asked = {"secrets": [one.item() for one in batch]}
            body = self._exchange.send("POST", "/api/v1/secrets:batch", body=asked, end=end)
            results = items(body.get("results"), "`results`")
            if len(results) != len(batch):
                raise malformed("a batch has fewer results than were asked for")
            answers.update((one, _resolved(mapping(result, "a result"))) for one, result in zip(batch, results))
        return answers


def _resolved(result: Mapping[str, object]) -> Resolved:
    if "error" in result:
        error = mapping(result["error"], "`error`")
        words = [word for word in (maybe(error, "title"), maybe(error, "detail")) if word is not None]
        return Unresolved(maybe(error, "code") or "malformed", ": ".join(words))
    found = secret(mapping(result.get("secret"), "`secret`"))
    if found.encoding == "utf-8":
        return found.value
    problem = not_text()
    return Unresolved(problem.code, str(problem))
