"""Asks the fake with Microsoft's own clients, and prints what they saw as JSON. Whatever they don't accept ends this."""

import json
import sys
from datetime import datetime, timedelta, timezone

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
import msal
from azure.core.credentials import AccessToken
from azure.identity import CertificateCredential, ClientSecretCredential, WorkloadIdentityCredential
from azure.keyvault.secrets import SecretClient

asked = json.loads(sys.argv[1])
url, tenant, client_id = asked["url"], asked["tenant"], asked["client_id"]
common = dict(authority=url, disable_instance_discovery=True)


def vault(credential, **more):
    return SecretClient(vault_url=url, credential=credential, verify_challenge_resource=False, **more)


def by_secret(text):
    return ClientSecretCredential(tenant, client_id, text, **common)


def refused(kind, work):
    try:
        work()
    except kind as error:
        inner = getattr(getattr(error, "error", None), "innererror", None) or {}
        return {"status": getattr(error, "status_code", None), "inner": inner.get("code")}
    raise SystemExit(f"{kind.__name__} was expected")


credential = by_secret(asked["client_secret"])
client = vault(credential)
seen = {}

first = client.set_secret("Db-Creds", "one", tags={"team": "a"}, content_type="text/plain")
expires = datetime.now(timezone.utc) + timedelta(hours=1)
second = client.set_secret("db-creds", "two é \"\n", expires_on=expires)
current = client.get_secret("db-creds")
seen["current"] = [current.name, current.value, current.properties.version]
seen["first"] = client.get_secret("db-creds", first.properties.version).value
assert first.properties.tags == {"team": "a"} and first.properties.content_type == "text/plain"
assert current.properties.expires_on == expires.replace(microsecond=0)
assert current.properties.enabled and current.properties.recovery_level

for number in range(60):
    client.set_secret(f"listed-{number:03}", "x")
seen["listed"] = sorted(item.name for item in client.list_properties_of_secrets())
pages = list(client.list_properties_of_secrets(max_page_size=7).by_page())
seen["pages"] = [len(list(page)) for page in pages]
versions = list(client.list_properties_of_secret_versions("db-creds"))
versions.sort(key=lambda version: version.created_on, reverse=True)
seen["versions"] = [version.version for version in versions]

client.update_secret_properties("db-creds", second.properties.version, enabled=False)
seen["disabled"] = refused(HttpResponseError, lambda: client.get_secret("db-creds"))
off = [version.version for version in client.list_properties_of_secret_versions("db-creds") if not version.enabled]
assert off == [second.properties.version], off
client.update_secret_properties("db-creds", enabled=True)
assert client.get_secret("db-creds").value == current.value

client.set_secret("gone", "x")
deleted = client.begin_delete_secret("gone").result()
assert deleted.recovery_id and deleted.scheduled_purge_date > deleted.deleted_date
seen["deleted"] = [item.name for item in client.list_deleted_secrets()]
refused(ResourceNotFoundError, lambda: client.get_secret("gone"))
seen["taken"] = refused(ResourceExistsError, lambda: client.set_secret("gone", "y"))
client.begin_recover_deleted_secret("gone").wait()
assert client.get_secret("gone").value == "x"
client.set_secret("purged", "x")
client.begin_delete_secret("purged").wait()
client.purge_deleted_secret("purged")
refused(ResourceNotFoundError, lambda: client.get_deleted_secret("purged"))
client.begin_delete_secret("gone").wait()

seen["versions of none"] = len(list(client.list_properties_of_secret_versions("never-was")))
seen["missing"] = refused(ResourceNotFoundError, lambda: client.get_secret("never-was"))
refused(ResourceNotFoundError, lambda: client.get_secret("db-creds", "0" * 32))
for version in ("7.4", "7.6", "2025-07-01"):
    assert vault(credential, api_version=version).get_secret("db-creds").value == current.value, version



class Modern:
    """The certificate as MSAL itself uses it (PS256, SHA-256); azure-identity still makes RS256 with SHA-1."""

    def get_token(self, *scopes, claims=None, **_):
        pem = open(asked["certificate"]).read()
        app = msal.ConfidentialClientApplication(
            client_id,
            authority=f"{url}/{tenant}",
            instance_discovery=False,
            client_credential={"private_key": pem, "public_certificate": pem},
            client_capabilities=["CP1"],
            verify=asked["ca"],
        )
        given = app.acquire_token_for_client(list(scopes), claims_challenge=claims)
        if "access_token" not in given:
            raise SystemExit(f"MSAL was refused: {given}")
        return AccessToken(given["access_token"], 2**31)


logins = {
    "certificate, PS256": Modern(),
    "certificate": CertificateCredential(tenant, client_id, certificate_path=asked["certificate"], **common),
    "workload": WorkloadIdentityCredential(
        tenant_id=tenant, client_id=client_id, token_file_path=asked["token_file"], **common
    ),
}
for name, login in logins.items():
    assert vault(login).get_secret("db-creds").value == current.value, name
refused(ClientAuthenticationError, lambda: vault(by_secret("wrong")).get_secret("db-creds"))

json.dump(seen, sys.stdout)
