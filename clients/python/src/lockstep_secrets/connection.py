"""A connection that ends in time, whatever it waits for.

A socket's own timeout begins anew with every call: with the next address, with each byte of a head or a body that comes
byte by byte. So what is left of the request's time is set before each of them.
"""

from __future__ import annotations

import http.client
import io
import queue
import socket
import ssl
import threading
import time
from functools import partial
from typing import Any, List, Optional, Tuple, Union

Address = Tuple[Any, ...]


class Connection(http.client.HTTPConnection):
    """A connection for one request, which ends at ``end`` (of ``time.monotonic``). With ``tls``, over TLS."""

    def __init__(self, host: str, port: Optional[int], end: float, tls: Optional[ssl.SSLContext]) -> None:
        # The port that `Host` leaves out, too.
        self.default_port = http.client.HTTP_PORT if tls is None else http.client.HTTPS_PORT
        super().__init__(host, self.default_port if port is None else port)
        self._end, self._tls = end, tls
        self.response_class = partial(_answer, end)  # type: ignore[assignment]

    def connect(self) -> None:
        self.sock = _reached(_looked_up(self.host, self.port, self._end), self._end)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            self.sock.settimeout(left(self._end))
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        rest = memoryview(data)
        while rest:
            self.sock.settimeout(left(self._end))
            rest = rest[self.sock.send(rest) :]


def _answer(end: float, sock: socket.socket, *details: Any, **more: Any) -> http.client.HTTPResponse:
    answer = http.client.HTTPResponse(sock, *details, **more)
    answer.fp.close()
    answer.fp = io.BufferedReader(_Bytes(sock, end))
    return answer


class _Bytes(io.RawIOBase):
    """What comes in, until the end. It holds the socket open, as the file of a socket does."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        self._sock, self._end = sock, end
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Optional[int]:
        self._sock.settimeout(left(self._end))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def left(end: float) -> float:
    """Seconds until then; ``TimeoutError`` when there are none."""
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _looked_up(host: str, port: int, end: float) -> List[Address]:
    """The addresses of a host. The system's own look-up knows no end, so it is another thread that waits for it."""
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except (OSError, UnicodeError):
        # A name, for which somebody has to be asked.
        pass
    found: queue.SimpleQueue[Union[List[Address], OSError]] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except OSError as error:
            found.put(error)
        except UnicodeError:
            found.put(OSError("no host's name"))

    try:
        threading.Thread(target=look_up, daemon=True).start()
    except RuntimeError:
        raise OSError("no thread for the look-up of a host") from None
    try:
        addresses = found.get(timeout=left(end))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(addresses, OSError):
        raise addresses
    return addresses


def _reached(addresses: List[Address], end: float) -> socket.socket:
    """A connection to the first address that takes one. One that is silent leaves the others their share of the time."""
    failed = OSError("the host has no address")
    for at, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:
            failed = error
            continue
        try:
            sock.settimeout(left(end) / (len(addresses) - at))
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            failed = error
    raise failed
