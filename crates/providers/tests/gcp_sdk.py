"""Google's client against the fake project: `gcp_sdk.py PART JSON`; see gcp_sdk.rs."""

import json
import sys

import google.auth.transport.requests
from google.api_core import exceptions
from google.auth import compute_engine, identity_pool
from google.auth.exceptions import RefreshError
from google.cloud import secretmanager
from google.oauth2 import credentials, service_account

part, known = sys.argv[1], json.loads(sys.argv[2])
url, project = known["url"], known["project"]
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
NUMBER = "123456789012"


def client(creds):
    return secretmanager.SecretManagerServiceClient(
        credentials=creds, transport="rest", client_options={"api_endpoint": url}
    )


def crc32c(data):
    total = 0xFFFFFFFF
    for byte in data:
        total ^= byte
        for _ in range(8):
            total = (total >> 1) ^ (0x82F63B78 if total & 1 else 0)
    return total ^ 0xFFFFFFFF


def refused(kind, call, **request):
    try:
        call(request=request, retry=None)
    except kind as error:
        return error
    raise AssertionError(f"{call} {request} is not refused as {kind}")


def write_and_read(parent):
    sm = client(credentials.Credentials(known["token"]))
    secret = {"labels": {"team": "blue"}}
    if "/locations/" not in parent:
        secret["replication"] = {"automatic": {}}
    made = sm.create_secret(parent=parent, secret_id="db", secret=secret)
    home = parent.replace(project, NUMBER)
    assert made.name == f"{home}/secrets/db", made.name
    assert made.create_time.year >= 2025
    refused(exceptions.Conflict, sm.create_secret, parent=parent, secret_id="db", secret=secret)

    name = f"{parent}/secrets/db"
    values = [b"one", bytes(range(256)), b""]
    for number, data in enumerate(values, 1):
        payload = {"data": data, "data_crc32c": crc32c(data)}
        version = sm.add_secret_version(parent=name, payload=payload)
        assert version.name == f"{home}/secrets/db/versions/{number}", version.name
        assert version.state == secretmanager.SecretVersion.State.ENABLED
    wrong = {"data": b"x", "data_crc32c": 1}
    refused(exceptions.BadRequest, sm.add_secret_version, parent=name, payload=wrong)
    refused(exceptions.BadRequest, sm.add_secret_version, parent=name, payload={"data": b"x" * 65537})

    def read(version):
        answer = sm.access_secret_version(name=f"{name}/versions/{version}")
        assert answer.payload.data_crc32c == crc32c(answer.payload.data)
        return answer.name.rsplit("/", 1)[1], answer.payload.data

    for number, data in enumerate(values, 1):
        assert read(number) == (str(number), data), number
    assert read("latest") == ("3", b"")
    refused(exceptions.NotFound, sm.access_secret_version, name=f"{name}/versions/4")
    refused(exceptions.NotFound, sm.access_secret_version, name=f"{name}/versions/blue")

    changed = sm.update_secret(
        secret={"name": name, "version_aliases": {"blue": 1}}, update_mask={"paths": ["version_aliases"]}
    )
    assert dict(changed.version_aliases) == {"blue": 1}, changed
    assert read("blue") == ("1", b"one")
    assert dict(sm.get_secret(name=name).labels) == {"team": "blue"}

    pager = sm.list_secret_versions(request={"parent": name, "page_size": 2})
    assert [entry.name.rsplit("/", 1)[1] for entry in pager] == ["3", "2", "1"], "newest first, over two pages"
    assert sm.get_secret_version(name=f"{name}/versions/latest").name.endswith("/3")

    assert sm.disable_secret_version(name=f"{name}/versions/3").state.name == "DISABLED"
    error = refused(exceptions.BadRequest, sm.access_secret_version, name=f"{name}/versions/latest")
    assert "DISABLED" in error.message
    enabled = sm.list_secret_versions(request={"parent": name, "filter": "state:ENABLED"})
    assert [entry.name.rsplit("/", 1)[1] for entry in enabled] == ["2", "1"]
    assert sm.enable_secret_version(name=f"{name}/versions/3").state.name == "ENABLED"
    destroyed = sm.destroy_secret_version(name=f"{name}/versions/2")
    assert destroyed.state.name == "DESTROYED" and destroyed.destroy_time
    error = refused(exceptions.BadRequest, sm.access_secret_version, name=f"{name}/versions/2")
    assert "DESTROYED" in error.message

    for number in range(3):
        extra = {key: value for key, value in secret.items() if key == "replication"}
        sm.create_secret(parent=parent, secret_id=f"app-{number}", secret=extra)
    listed = [entry.name.rsplit("/", 1)[1] for entry in sm.list_secrets(request={"parent": parent, "page_size": 1})]
    assert listed == ["app-0", "app-1", "app-2", "db"], listed
    by_label = sm.list_secrets(request={"parent": parent, "filter": "labels.team=blue"})
    assert [entry.name.rsplit("/", 1)[1] for entry in by_label] == ["db"]

    sm.delete_secret(name=name)
    refused(exceptions.NotFound, sm.access_secret_version, name=f"{name}/versions/latest")
    other = "projects/other" + parent.removeprefix(f"projects/{project}") + "/secrets/db"
    error = refused(exceptions.Forbidden, sm.get_secret, name=other)
    assert error.reason == "IAM_PERMISSION_DENIED", error


def logins():
    name = f"projects/{project}/secrets/db/versions/latest"

    def reads(creds):
        assert client(creds).access_secret_version(name=name).payload.data == b"one"

    # A 401 makes the library log in again, which a bare token can't.
    refused(RefreshError, client(credentials.Credentials("no")).access_secret_version, name=name)
    # Signed by its bearer, with a scope: the client asks for that by itself.
    keyed = service_account.Credentials.from_service_account_info(known["key"], scopes=[SCOPE])
    reads(keyed)
    # Exchanged at the token endpoint.
    request = google.auth.transport.requests.Request()
    info = dict(known["key"], token_uri=f"{url}/token")
    granted = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])
    granted.refresh(request)
    assert granted.token.startswith("ya29."), "a token of Google's, not one of ours"
    reads(credentials.Credentials(granted.token))

    pool = {
        "type": "external_account",
        "audience": known["audience"],
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{url}/v1/token",
        "credential_source": {"file": known["subject"]},
    }
    reads(identity_pool.Credentials.from_info(pool, scopes=[SCOPE]))
    pool["service_account_impersonation_url"] = (
        f"{url}/v1/projects/-/serviceAccounts/{known['impersonated']}:generateAccessToken"
    )
    reads(identity_pool.Credentials.from_info(pool, scopes=[SCOPE]))
    reads(compute_engine.Credentials())


{
    "client": lambda: write_and_read(f"projects/{project}"),
    "regional": lambda: write_and_read(f"projects/{project}/locations/europe-west3"),
    "logins": logins,
}[part]()
print("all parts hold")
