"""That a call ends in time, whatever an endpoint, a network or a resolver does with it."""

import json
import socket
import socketserver
import threading
import unittest
from contextlib import contextmanager
from unittest import mock

import lockstep_secrets as secrets
from lockstep_secrets import Bearer, SecretsClient, connection, exchange
from test_client import SECRET, against, answer

#: Seconds between two bytes, and those of the calls that are to end before the last one: all of them take over a second.
GAP, TIMEOUT = 0.02, 0.25


@contextmanager
def dripping(at_once, dripped):
    """The port of a server that answers with the one at once, and with the other byte by byte; and what it sent so."""
    over, sent = threading.Event(), []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(65536)
            self.request.sendall(at_once)
            for byte in dripped:
                if over.wait(GAP):
                    return
                self.request.sendall(bytes([byte]))
                sent.append(byte)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_address[1], sent
    finally:
        over.set()
        server.shutdown()
        server.server_close()


class Time(unittest.TestCase):
    def is_late(self, call):
        with self.assertRaises(secrets.NetworkError) as caught:
            call()
        self.assertEqual(caught.exception.code, "timeout")

    # Break: leave `settimeout` out of `_Bytes.readinto`.
    def test_an_answer_that_comes_byte_by_byte_ends_in_time(self):
        body = json.dumps(SECRET).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        length = b"content-length: %d\r\n" % len(body)
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        for at_once, dripped in (
            (b"", head + length + b"\r\n" + body),
            (head, b"x-more: 1\r\n" * 5 + length + b"\r\n" + body),
            (head + length + b"\r\n", body),
            (head + b"connection: close\r\n" + length + b"\r\n", body),
            (head + b"connection: close\r\n\r\n", body),
            (head + b"transfer-encoding: chunked\r\n\r\n", chunks),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 4 + head + length + b"\r\n" + body),
        ):
            with self.subTest(at_once=at_once), dripping(at_once, dripped) as (port, sent):
                client = SecretsClient(f"http://127.0.0.1:{port}", Bearer("t"), timeout=TIMEOUT)
                self.is_late(lambda: client.get_secret("db"))
                self.assertLess(len(sent), len(dripped) / 2)

    # Break: `settimeout(None)` in `Connection.connect`.
    def test_a_handshake_that_comes_byte_by_byte_ends_in_time(self):
        with dripping(b"\x16\x03\x03\x40\x00", bytes(100)) as (port, sent):
            client = SecretsClient(f"https://127.0.0.1:{port}", Bearer("t"), timeout=TIMEOUT)
            self.is_late(lambda: client.get_secret("db"))
            self.assertLess(len(sent), 50)

    # Time passes with each request, and with nothing else. Break: leave `end=end` out of a call in client.py.
    def test_all_pages_of_a_list_and_all_batches_of_references_have_the_time_of_one_call(self):
        text = "".join(f"{{{{secret:n{at}}}}}" for at in range(400))
        page, last = answer({"secrets": [], "next": "more"}), answer({"secrets": []})
        batch = answer({"results": [{"secret": SECRET}] * 20})
        for answers, call in (
            ([page] * 20 + [last], lambda client: client.list_secrets("p")),
            ([batch], lambda client: client.resolve_references(text)),
        ):
            with against(*answers, timeout=10) as (client, seen):
                clock = mock.Mock(monotonic=lambda: 4.0 * len(seen))
                with mock.patch.object(connection, "time", clock), mock.patch.object(exchange, "time", clock):
                    self.is_late(lambda: call(client))
                self.assertEqual(len(seen), 3)

    # The same bytes without haste: it is the time that ends the calls above. Break: a `_Bytes` that loses any.
    def test_an_answer_that_comes_byte_by_byte_is_read(self):
        body = json.dumps(SECRET).encode()
        for head in (b"content-length: %d\r\n" % len(body), b"connection: close\r\n"):
            with dripping(b"", b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body) as (port, _):
                client = SecretsClient(f"http://127.0.0.1:{port}", Bearer("t"), timeout=60)
                with mock.patch(f"{__name__}.GAP", 0.0):
                    self.assertEqual(client.get_secret("db").value, "hunter2")

    # Break: call `look_up` without a thread.
    def test_a_resolver_that_does_not_answer_ends_in_time(self):
        over = threading.Event()
        with self.looked_up(lambda: over.wait(5) and []):
            client = SecretsClient("http://localhost:1", Bearer("t"), timeout=TIMEOUT)
            self.is_late(lambda: client.get_secret("db"))
        over.set()

    # Break: leave `except RuntimeError` out of `_looked_up`.
    def test_a_program_that_has_no_thread_left_is_told_that_there_is_no_connection(self):
        with mock.patch("threading.Thread.start", side_effect=RuntimeError("can't start new thread")):
            client = SecretsClient("http://localhost:1", Bearer("t"), attempts=1)
            with self.assertRaises(secrets.NetworkError) as caught:
                client.get_secret("db")
        self.assertEqual(caught.exception.code, "connection_failed")

    # Break: look numbers up in the thread too.
    def test_an_address_needs_no_look_up(self):
        body = json.dumps(SECRET).encode()
        with dripping(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body, b"") as (port, _):
            none = mock.Mock(Thread=mock.Mock(side_effect=AssertionError))
            with mock.patch.object(connection, "threading", none):
                client = SecretsClient(f"http://127.0.0.1:{port}", Bearer("t"), attempts=1)
                self.assertEqual(client.get_secret("db").value, "hunter2")

    @contextmanager
    def looked_up(self, names):
        """What a name stands for; numbers stand for themselves."""
        look_up = socket.getaddrinfo

        def instead(host, port, *more, flags=0, **others):
            return look_up(host, port, *more, flags=flags, **others) if flags else names()

        with mock.patch("socket.getaddrinfo", instead):
            yield

    # Break: give each address all that is left, or the whole time, such as with `socket.create_connection`.
    def test_all_addresses_of_a_host_have_one_time_and_each_of_them_its_share(self):
        tried = []

        class Silent(socket.socket):
            def connect(self, _):
                tried.append(self.gettimeout())
                threading.Event().wait(self.gettimeout())
                raise socket.timeout

        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 1))] * 5
        with self.looked_up(lambda: found), mock.patch("socket.socket", Silent):
            client = SecretsClient("http://localhost:1", Bearer("t"), timeout=TIMEOUT)
            self.is_late(lambda: client.get_secret("db"))
        self.assertEqual(len(tried), len(found))
        self.assertLessEqual(sum(tried), TIMEOUT)

    # Break: `_reached` gives up at the first address.
    def test_the_next_address_is_tried(self):
        body = json.dumps(SECRET).encode()
        with dripping(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body, b"") as (port, _):
            with socket.socket() as closed:
                closed.bind(("127.0.0.1", 0))
                found = [
                    (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
                    for address in (closed.getsockname(), ("127.0.0.1", port))
                ]
                with self.looked_up(lambda: found):
                    client = SecretsClient("http://localhost:1", Bearer("t"), attempts=1)
                    self.assertEqual(client.get_secret("db").value, "hunter2")


if __name__ == "__main__":
    unittest.main()
