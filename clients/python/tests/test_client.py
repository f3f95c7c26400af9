"""What the client does with an endpoint that misbehaves: a server made for each test answers from a list."""

import json
import threading
import traceback
import unittest
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import lockstep_secrets as secrets
from lockstep_secrets import ApiKey, Bearer, LocalToken, SecretsClient

TOKEN = "token-of-the-caller"
SECRET = {"name": "db", "provider": "aws", "value": "hunter2", "encoding": "utf-8", "version": "1", "labels": []}
HANG, CUT = "hang", "cut"


def answer(body, status=200, **headers):
    return status, {"content-type": "application/json", **headers}, json.dumps(body).encode()


def problem(status, code, **headers):
    body = {"title": "A title", "detail": "a detail", "code": code, "status": status, "request_id": "r-1"}
    return answer(body, status, **{"content-type": "application/problem+json", "x-request-id": "r-1", **headers})


@contextmanager
def against(*answers, credential=None, **options):
    """A client of a server that gives these answers, the last one again and again; and what the server saw."""
    seen, over = [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            seen.append((self.command, self.path, self.headers, body))
            now = answers[min(len(seen), len(answers)) - 1]
            if now == HANG:
                over.wait(30)
                return
            if now == CUT:
                self.connection.close()
                return
            status, headers, body = now
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        base = f"http://127.0.0.1:{server.server_address[1]}"
        yield SecretsClient(base, credential or Bearer(TOKEN), **options), seen
    finally:
        over.set()
        server.shutdown()
        server.server_close()


class Client(unittest.TestCase):
    def fails(self, call, kind, code):
        with self.assertRaises(secrets.SecretsError) as caught:
            call()
        self.assertEqual((type(caught.exception), caught.exception.code), (kind, code))
        return caught.exception

    # Break: `repeatable` of a read, or `_may_pass`.
    def test_what_may_be_asked_twice_is_asked_again_and_no_more_often_than_allowed(self):
        for bad in (problem(503, "unavailable"), problem(429, "rate_limited"), CUT):
            with against(bad, bad, answer(SECRET)) as (client, seen):
                self.assertEqual(client.get_secret("db").value, "hunter2")
                self.assertEqual(len(seen), 3)
            with against(bad, attempts=2) as (client, seen):
                self.assertRaises(secrets.SecretsError, client.get_secret, "db")
                self.assertEqual(len(seen), 2)

    # Break: `repeatable=False` of a rotation, or a status more in `_may_pass`.
    def test_a_rotation_and_what_another_try_cant_mend_is_asked_once(self):
        for bad in (problem(503, "unavailable"), CUT):
            with against(bad, answer({"name": "db"})) as (client, seen):
                self.assertRaises(secrets.SecretsError, client.rotate_secret, "db")
                self.assertEqual(len(seen), 1)
        for status, code, kind in (
            (404, "not_found", secrets.SecretNotFoundError),
            (403, "denied", secrets.AccessError),
            (401, "unauthenticated", secrets.AuthenticationError),
            (400, "invalid_name", secrets.ParseError),
            (409, "rotation_in_progress", secrets.RotationError),
            (502, "provider_denied", secrets.ProviderError),
            (504, "timeout", secrets.NetworkError),
            (418, "new_word", secrets.ProviderError),
            (500, "config", secrets.ConfigurationError),
        ):
            with against(problem(status, code), answer(SECRET)) as (client, seen):
                error = self.fails(lambda: client.get_secret("db"), kind, code)
                self.assertEqual((len(seen), error.status, error.request_id), (1, status, "r-1"))

    # Break: leave `retry_after` out of `send`.
    def test_retry_after_is_kept_and_one_longer_than_the_calls_time_ends_it(self):
        with against(problem(503, "throttled", **{"retry-after": "3600"})) as (client, seen):
            error = self.fails(lambda: client.get_secret("db"), secrets.ProviderError, "throttled")
            self.assertEqual((error.retry_after, len(seen)), (3600.0, 1))
        with against(problem(503, "throttled", **{"retry-after": "0"}), answer(SECRET)) as (client, _):
            self.assertEqual(client.get_secret("db").value, "hunter2")

    # Break: the connection's timeout.
    def test_a_call_ends_in_time(self):
        with against(HANG, timeout=0.2) as (client, _):
            self.fails(lambda: client.get_secret("db"), secrets.NetworkError, "timeout")

    # Break: leave `renews` out of `send`.
    def test_a_function_is_asked_for_another_token_after_a_refusal_once(self):
        given = []

        def token():
            given.append(1)
            return f"token-{len(given)}"

        with against(problem(401, "unauthenticated"), answer(SECRET), credential=Bearer(token)) as (client, seen):
            client.get_secret("db")
            self.assertEqual([one[2]["authorization"] for one in seen], ["Bearer token-1", "Bearer token-2"])
        with against(problem(401, "unauthenticated"), credential=Bearer(token)) as (client, seen):
            self.fails(lambda: client.get_secret("db"), secrets.AuthenticationError, "unauthenticated")
            self.assertEqual(len(seen), 2)

    def test_each_credential_goes_into_its_header(self):
        for credential, header, value in (
            (ApiKey("lks_app_x"), "authorization", "Bearer lks_app_x"),
            (LocalToken("local"), "x-aws-parameters-secrets-token", "local"),
        ):
            with against(answer(SECRET), credential=credential) as (client, seen):
                client.get_secret("db")
                self.assertEqual(seen[0][2][header], value)

    def test_a_redirect_is_not_followed(self):
        with against((307, {"location": "/elsewhere"}, b""), answer(SECRET)) as (client, seen):
            self.fails(lambda: client.get_secret("db"), secrets.ProviderError, "http_307")
            self.assertEqual(len(seen), 1)

    # Break: `repr=False` of the value; `raise` inside an `except` of `_judge`.
    def test_no_value_and_no_credential_is_printed(self):
        def quiet(thing):
            shown = repr(thing) + str(thing) + repr(vars(thing) if isinstance(thing, Exception) else "")
            if isinstance(thing, Exception):
                shown += "".join(traceback.format_exception(type(thing), thing, thing.__traceback__))
                while thing is not None:
                    shown += repr(vars(thing))
                    thing = thing.__cause__ or thing.__context__
            self.assertNotRegex(shown, "hunter2|token-of")

        with against(answer(SECRET)) as (client, _):
            quiet(client)
            quiet(client.get_secret("db"))
        for bad in (
            (200, {}, b'{"value":"hunter2"'),
            (200, {}, b'"hunter2"'),
            answer({**SECRET, "encoding": "hunter2"}),
            answer({**SECRET, "encoding": "base64"}),
            answer({**SECRET, "created": "hunter2"}),
            answer({"value": "hunter2"}),
            answer({"code": "hunter2", "detail": "hunter2"}, 500),
        ):
            with against(bad) as (client, _):
                with self.assertRaises(secrets.SecretsError) as caught:
                    client.get_secret("db")
                quiet(caught.exception)

        def failing():
            raise ValueError(TOKEN)

        for credential, code in ((Bearer(f"{TOKEN}\nhunter2"), "invalid_credential"), (Bearer(failing), "token_failed")):
            quiet(credential)
            with against(answer(SECRET), credential=credential) as (client, _):
                with self.assertRaises(secrets.SecretsError) as caught:
                    client.get_secret("db")
                self.assertEqual(caught.exception.code, code)
                self.assertNotRegex(str(caught.exception), "hunter2|token-of")
                self.assertIsNone(caught.exception.__context__)

    def test_what_is_not_forgotten_says_so(self):
        with against(problem(403, "denied")) as (client, seen):
            self.fails(lambda: client.invalidate_cache_prefix("db"), secrets.CacheError, "denied")
            self.assertEqual(json.loads(seen[0][3]), {"prefix": "db"})

    # Break: `BATCH`, or leave out the check of a batch's length.
    def test_references_are_asked_for_once_each_in_batches(self):
        results = [answer({"results": [{"secret": {**SECRET, "value": "v"}}] * count}) for count in (20, 20, 5)]
        many = " ".join(f"{{{{secret:n{at}}}}}" for at in range(45))
        with against(*results) as (client, seen):
            self.assertEqual(client.resolve_references(f"{many} {many}"), " ".join(["v"] * 90))
            self.assertEqual([len(json.loads(one[3])["secrets"]) for one in seen], [20, 20, 5])
        with against(answer({"results": []})) as (client, _):
            self.fails(lambda: client.resolve_references("{{secret:a}}"), secrets.ProviderError, "malformed")

    def test_a_client_is_set_up_rightly_or_not_at_all(self):
        for base in ("no address", "ftp://host", "http://host", "https://u:p@host", "https://host/?token=x", "https://"):
            self.assertRaises(secrets.ConfigurationError, SecretsClient, base, Bearer(TOKEN))
        for options in ({"timeout": 0}, {"attempts": 11}, {"timeout": float("nan")}):
            self.assertRaises(secrets.ConfigurationError, SecretsClient, "https://host", Bearer(TOKEN), **options)
        for base in ("https://host/base/", "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"):
            SecretsClient(base, Bearer(TOKEN))

    def test_two_ways_to_say_which_version_are_one_too_many(self):
        with against(answer(SECRET)) as (client, seen):
            call = lambda: client.get_secret("db", version="1", stage="AWSPREVIOUS")  # noqa: E731
            self.fails(call, secrets.ConfigurationError, "invalid_option")
            self.assertEqual(seen, [])


if __name__ == "__main__":
    unittest.main()
