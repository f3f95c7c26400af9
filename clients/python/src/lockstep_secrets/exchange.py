"""One request and its answer: address, credential, time, tries.

It knows nothing of secrets, and the only words it takes from an answer that failed are those of a problem document.
Redirects are not followed and no proxy is looked for: a credential goes to the endpoint and nowhere else.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import socket
import ssl
import time
from typing import Dict, Mapping, Optional, Sequence, Tuple
from urllib.parse import quote, urlsplit

from .connection import Connection
from .credentials import Credential
from .errors import AuthenticationError, ConfigurationError, NetworkError, SecretsError, error_of, malformed
from .secret import mapping

#: Bytes of an answer that are read, and how many at once.
MAX_ANSWER, CHUNK = 32 * 1024 * 1024, 64 * 1024
#: Characters of the endpoint's own words that go into a message.
MAX_DETAIL = 500
#: Seconds between two tries, unless the endpoint says how long; half of it is chance.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0

Query = Sequence[Tuple[str, Optional[str]]]


class Exchange:
    """An endpoint, as one caller asks it. Each request has a connection of its own, so threads may share it."""

    def __init__(
        self, base_url: str, credential: Credential, timeout: float, attempts: int, tls: Optional[ssl.SSLContext]
    ) -> None:
        self._host, self._port, self._path, self._secure = _base(base_url)
        if not isinstance(credential, Credential):
            raise ConfigurationError("credential must be Bearer, ApiKey or LocalToken", "invalid_option")
        if not 0 < timeout <= 600:
            raise ConfigurationError("timeout must be more than 0 and at most 600 seconds", "invalid_option")
        if not 1 <= attempts <= 10:
            raise ConfigurationError("attempts must be from 1 to 10", "invalid_option")
        self._credential, self._timeout, self._attempts = credential, timeout, attempts
        self._tls = (tls or ssl.create_default_context()) if self._secure else None

    def deadline(self) -> float:
        """When a call has to have ended that begins now."""
        return time.monotonic() + self._timeout

    def send(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: object = None,
        no_cache: bool = False,
        repeatable: bool = True,
        end: Optional[float] = None,
    ) -> Mapping[str, object]:
        """Asks, and again where that may help and is allowed. A call of several requests says when it has to have ended."""
        pairs = [f"{name}={_encode(value)}" for name, value in query if value is not None]
        target = self._path + path + ("?" + "&".join(pairs) if pairs else "")
        payload = None if body is None else json.dumps(body).encode()
        end = self.deadline() if end is None else end
        attempt, renewed = 1, False
        while True:
            try:
                return self._once(method, target, payload, no_cache, end)
            except SecretsError as error:
                refused = isinstance(error, AuthenticationError) and error.status == 401
                if refused and self._credential.renews and not renewed:
                    # A token can have ended since it was made: a function is asked for another one, once.
                    renewed = True
                    continue
                pause = _pause(attempt) if error.retry_after is None else error.retry_after
                is_late = time.monotonic() + pause >= end
                if not repeatable or not _may_pass(error) or attempt >= self._attempts or is_late:
                    raise
            attempt += 1
            time.sleep(pause)

    def _once(
        self, method: str, target: str, payload: Optional[bytes], no_cache: bool, end: float
    ) -> Mapping[str, object]:
        name, value = self._credential.header()
        headers = {"accept": "application/json", name: value}
        if no_cache:
            headers["cache-control"] = "no-cache"
        if payload is not None:
            headers["content-type"] = "application/json"
        failure: SecretsError
        try:
            connection = Connection(self._host, self._port, end, self._tls)
            try:
                connection.request(method, target, payload, headers)
                answer = connection.getresponse()
                body = _read(answer)
            finally:
                connection.close()
            said = {name.lower(): value for name, value in answer.getheaders()}
            return _judge(answer.status, said, body)
        except SecretsError:
            raise
        except (socket.timeout, TimeoutError):
            failure = NetworkError(f"no answer within {self._timeout:g} s", "timeout")
        except ssl.SSLCertVerificationError as error:
            failure = NetworkError(f"the endpoint's certificate: {error.verify_message}", "tls")
        except (OSError, http.client.HTTPException) as error:
            # What a library says can quote a header; its class does not.
            failure = NetworkError(f"no connection to the endpoint ({type(error).__name__})", "connection_failed")
        raise failure


def _base(address: str) -> Tuple[str, Optional[int], str, bool]:
    try:
        url = urlsplit(address)
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if not host or url.scheme not in ("http", "https"):
        raise ConfigurationError("base_url is no address; write https://host", "invalid_base_url")
    if url.username is not None or url.password is not None or url.query or url.fragment:
        wrong = "base_url has more than scheme, host and path; a credential goes into `credential`"
        raise ConfigurationError(wrong, "invalid_base_url")
    if url.scheme == "http" and host not in ("localhost", "127.0.0.1", "::1"):
        wrong = "base_url must begin with https://; http:// is for this machine"
        raise ConfigurationError(wrong, "invalid_base_url")
    return host, port, quote(url.path.rstrip("/"), safe="/%"), url.scheme == "https"


def _encode(value: str) -> str:
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise ConfigurationError("a name, key or version is no well-formed text", "invalid_option") from None


def _read(answer: http.client.HTTPResponse) -> bytes:
    """The whole body, within the limit."""
    body = bytearray()
    while chunk := answer.read1(CHUNK):
        body += chunk
        if len(body) > MAX_ANSWER:
            raise malformed(f"it has more than {MAX_ANSWER} bytes", answer.status)
    return bytes(body)


def _judge(status: int, headers: Dict[str, str], raw: bytes) -> Mapping[str, object]:
    request_id = headers.get("x-request-id")
    body: Optional[Mapping[str, object]]
    try:
        body = mapping(json.loads(raw), "the body")
    except (ValueError, RecursionError, SecretsError):
        # The parser's own error holds the whole body.
        body = None
    if 200 <= status < 300:
        if body is None:
            raise malformed("the body is no JSON object", status, request_id)
        return body
    is_problem = headers.get("content-type", "").startswith("application/problem+json")
    words = {
        name: value[:MAX_DETAIL] for name, value in (body or {}).items() if is_problem and isinstance(value, str)
    }
    said = ": ".join(words[name] for name in ("title", "detail") if name in words)
    raise error_of(
        said or f"the endpoint answered {status}",
        words.get("code", f"http_{status}"),
        status,
        request_id or words.get("request_id"),
        _seconds(headers.get("retry-after", "")),
    )


def _seconds(header: str) -> Optional[float]:
    """``Retry-After`` in whole seconds, as the endpoint writes it."""
    return float(header) if re.fullmatch(r"[0-9]{1,6}", header) else None


def _may_pass(error: SecretsError) -> bool:
    """Whether the same request may be answered a moment later."""
    return error.status in (429, 503) or error.code == "connection_failed"


def _pause(attempt: int) -> float:
    whole: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))
    return whole / 2 + random.random() * whole / 2
