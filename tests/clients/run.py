"""Makes the calls of tests/conformance/calls.json through the Python client, and says what came of each.

Standard input: {"baseUrl", "credential", "calls", "ca"}; standard output: the outcomes.
"""

import json
import re
import ssl
import sys
import traceback

from lockstep_secrets import Bearer, SecretsClient, SecretsError


def snake(name):
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)


def made(client, call):
    what = call["call"]
    options = {snake(name): value for name, value in call.get("options", {}).items()}
    arguments = [call[name] for name in ("path", "key", "text") if name in call]
    if what == "listPages":
        pages = [client.list_page(*arguments, **options)]
        while pages[-1].next_token is not None:
            pages.append(client.list_page(*arguments, next_token=pages[-1].next_token, **options))
        names = sorted(one.name for page in pages for one in page.secrets)
        return {"names": names, "isBounded": all(len(page.secrets) <= options["max_results"] for page in pages)}, pages
    found = getattr(client, snake(what))(*arguments, **options)
    if what == "getSecret":
        value = {
            "value": found.value,
            "encoding": found.encoding,
            "version": found.version,
            "name": found.metadata.name,
            "hasTime": found.created_at is not None,
            "bytes": found.bytes().hex(),
        }
        return value, [found]
    if what == "listSecrets":
        return {"names": sorted(one.name for one in found)}, [found]
    if what == "describeSecret":
        return {"name": found.name, "tags": dict(found.tags)}, [found]
    if what == "rotateSecret":
        return {"triggered": found.triggered}, [found]
    return found, []


def outcome(client, call):
    try:
        value, held = made(client, call)
        return {"value": value}, [repr(one) for one in held]
    except SecretsError as error:
        told = {
            "kind": type(error).__name__,
            "code": error.code,
            "status": error.status,
            "requestId": error.request_id is not None,
        }
        if hasattr(error, "failures"):
            told["failures"] = [vars(one) for one in error.failures]
        chain = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        return {"error": told}, [repr(error), chain, repr(vars(error))]


def main():
    told = json.load(sys.stdin)
    tls = ssl.create_default_context(cafile=told["ca"]) if told.get("ca") else None
    client = SecretsClient(told["baseUrl"], Bearer(lambda: told["credential"]), tls=tls)
    found = []
    for call in told["calls"]:
        one, shown = outcome(client, call)
        for text in [*shown, repr(client), repr(vars(client))]:
            if "canary" in text or "NBTkFSWQ" in text or told["credential"] in text:
                raise AssertionError(f"a value or a credential is printed: {call['sentence']}")
        found.append(one)
    json.dump(found, sys.stdout)


main()
