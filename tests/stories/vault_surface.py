"""Reads with hvac, and prints what came of each step as one JSON object.

Arguments: the address, a token, a mount of KV version 2, one of version 1.
"""
import json
import sys

import hvac

address, token, v2, v1 = sys.argv[1:]
client = hvac.Client(url=address, token=token)
kv2, kv1 = client.secrets.kv.v2, client.secrets.kv.v1


def metadata(answer):
    found = answer["data"]["metadata"]
    return [answer["data"]["data"], found["version"], found["destroyed"], found["deletion_time"] != ""]


def versions(answer):
    data = answer["data"]
    states = {number: one["destroyed"] for number, one in data["versions"].items()}
    return [data["current_version"], data["oldest_version"], data["custom_metadata"], states]


steps = {
    "logged in": client.is_authenticated,
    "health": lambda: client.sys.read_health_status().status_code,
    "initialized": client.sys.is_initialized,
    "sealed": client.sys.is_sealed,
    "value": lambda: metadata(kv2.read_secret_version("app/db", mount_point=v2, raise_on_deleted_version=True)),
    "first version": lambda: metadata(
        kv2.read_secret_version("app/db", version=1, mount_point=v2, raise_on_deleted_version=True)
    ),
    "no such version": lambda: kv2.read_secret_version(
        "app/db", version=9, mount_point=v2, raise_on_deleted_version=True
    ),
    "missing": lambda: kv2.read_secret_version("none", mount_point=v2, raise_on_deleted_version=True),
    "deleted": lambda: kv2.read_secret_version("gone", mount_point=v2, raise_on_deleted_version=True),
    "deleted, told": lambda: metadata(
        kv2.read_secret_version("gone", mount_point=v2, raise_on_deleted_version=False)
    ),
    "metadata": lambda: versions(kv2.read_secret_metadata("app/db", mount_point=v2)),
    "own metadata": lambda: versions(kv2.read_secret_metadata("app/web/key", mount_point=v2)),
    "root": lambda: kv2.list_secrets("", mount_point=v2)["data"]["keys"],
    "folder": lambda: kv2.list_secrets("app", mount_point=v2)["data"]["keys"],
    "no folder": lambda: kv2.list_secrets("none", mount_point=v2),
    "value of version 1": lambda: kv1.read_secret("app/one", mount_point=v1)["data"],
    "missing in version 1": lambda: kv1.read_secret("none", mount_point=v1),
    "folder of version 1": lambda: kv1.list_secrets("app", mount_point=v1)["data"]["keys"],
    "plain read": lambda: client.read(f"{v2}/data/app/db")["data"]["data"],
    "plain list": lambda: client.list(f"{v2}/metadata/app")["data"]["keys"],
    "write": lambda: kv2.create_or_update_secret("written", {"a": "b"}, mount_point=v2) and "written",
}

said = {}
for name, step in steps.items():
    try:
        said[name] = step()
    except hvac.exceptions.VaultError as error:
        said[name] = type(error).__name__
print(json.dumps(said))
