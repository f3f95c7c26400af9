//! What stands behind Lockstep in the proofs: configurations of one provider each, and what a server answers to it.
//!
//! Nothing here asserts anything.

use lockstep_stories::{azure, gcp};
use lockstep_testkit::fake::Action;
use serde_json::{Value, json};

/// Variables of an AWS login.
pub(crate) const AWS_LOGIN: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIAPROOFS"), ("AWS_SECRET_ACCESS_KEY", "secret-key-of-the-proofs")];
/// The variable of a Vault login.
pub(crate) const VAULT_LOGIN: [(&str, &str); 1] = [("VAULT_TOKEN", "token-of-the-proofs")];

/// One attempt, no breaker: every failure is seen as it is.
pub(crate) const BARE: &str = "attempts = 1\nthrottled_attempts = 1\nbreaker_failures = 0\n";

/// `[providers.aws]`, and the keys of its upstream stack.
pub(crate) fn aws(kind: &str, url: &str, upstream: &str) -> String {
    format!(
        "[providers.aws]\ntype = \"aws-{kind}\"\nregion = \"eu-west-1\"\nendpoint = \"{url}\"\n\
         [providers.aws.upstream]\n{upstream}"
    )
}

/// `[providers.vault]` with KV v2 at `kv`, and the keys of its upstream stack.
pub(crate) fn vault(url: &str, upstream: &str) -> String {
    format!(
        "[providers.vault]\ntype = \"vault\"\naddress = \"{url}\"\nmounts = {{ kv = \"kv2\" }}\n\
         [providers.vault.upstream]\n{upstream}"
    )
}

/// What Vault says of the token.
pub(crate) fn vault_token() -> Action {
    Action::json(200, &json!({ "data": { "ttl": 0, "renewable": false } }))
}

/// A version of KV v2.
pub(crate) fn vault_value(value: &str) -> Action {
    Action::json(200, &kv2(&json!({ "value": value }), "", false))
}

/// The answer of KV v2 about one version.
pub(crate) fn kv2(data: &Value, deleted: &str, destroyed: bool) -> Value {
    let metadata = json!({
        "version": 1, "created_time": "2026-01-01T00:00:00Z", "deletion_time": deleted, "destroyed": destroyed,
    });
    json!({ "data": { "data": data, "metadata": metadata } })
}

/// One answer that fits every operation of Secrets Manager: each reads its own members.
pub(crate) fn aws_secret(name: &str, value: &str) -> Value {
    let (arn, version) =
        (format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-AbCdEf"), "8f14e45f-ceea-4e7d-9c2e-1");
    let one = json!({
        "ARN": arn, "Name": name, "VersionId": version, "SecretString": value, "VersionStages": ["AWSCURRENT"],
        "CreatedDate": 1_760_000_000.5,
    });
    let entry = json!({
        "ARN": arn, "Name": name, "VersionIdsToStages": { version: ["AWSCURRENT"] }, "RotationEnabled": true,
        "CreatedDate": 1_760_000_000.5,
    });
    let mut all = one.clone();
    all["SecretValues"] = json!([one]);
    all["SecretList"] = json!([entry]);
    all["Versions"] = json!([one]);
    all["VersionIdsToStages"] = entry["VersionIdsToStages"].clone();
    all["RotationEnabled"] = json!(true);
    all
}

/// The same for Parameter Store.
pub(crate) fn aws_parameter(name: &str, value: &str) -> Value {
    let one = json!({
        "ARN": format!("arn:aws:ssm:eu-west-1:123456789012:parameter/{}", name.trim_start_matches('/')),
        "Name": name, "Type": "SecureString", "Value": value, "Version": 1, "DataType": "text",
        "LastModifiedDate": 1_760_000_000.5,
    });
    json!({ "Parameter": one, "Parameters": [one] })
}

/// An error as AWS's JSON protocol has it.
pub(crate) fn aws_error(status: u16, code: &str, message: &str) -> Action {
    Action::json(status, &json!({ "__type": code, "message": message }))
}

/// A provider that logs in elsewhere, or asks another endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cloud {
    /// Azure Key Vault with a client secret, in `AZURE_CLIENT_SECRET`.
    Azure,
    /// GCP Secret Manager with the key in [`KEY_FILE`](lockstep_stories::KEY_FILE), for which tokens are fetched.
    Google,
    /// Kubernetes by a [`kubeconfig`].
    Kubernetes,
    /// Another endpoint, by the token in `TOKEN`.
    Endpoint,
}

impl Cloud {
    /// Its provider with one attempt, at this address.
    pub(crate) fn config(self, url: &str) -> String {
        let (alias, table) = match self {
            Self::Azure => ("azure", azure(url)),
            Self::Google => ("gcp", gcp(url)),
            Self::Kubernetes => {
                let auth = "auth = { method = \"kubeconfig\", path = \"kubeconfig\" }";
                ("k8s", format!("[providers.k8s]\ntype = \"kubernetes\"\n{auth}\n"))
            }
            Self::Endpoint => {
                let place = format!("address = \"{url}\"\ntoken = {{ env = \"TOKEN\" }}");
                ("region", format!("[providers.region]\ntype = \"lockstep\"\n{place}\n"))
            }
        };
        format!("{table}[providers.{alias}.upstream]\n{BARE}")
    }

    /// Where tokens are given; a route that nobody asks where there is none.
    pub(crate) fn login(self) -> &'static str {
        match self {
            Self::Azure => AZURE_LOGIN,
            Self::Google => "POST /token",
            Self::Kubernetes | Self::Endpoint => "POST /nowhere",
        }
    }
}

/// The token endpoint of the fake's tenant.
const AZURE_LOGIN: &str = "POST /72f988bf-86f1-41af-91ab-2d7cd011db47/oauth2/v2.0/token";

/// A kubeconfig with a token for this server, in the namespace `team`.
pub(crate) fn kubeconfig(server: &str) -> String {
    kubeconfig_with(server, "t0ken")
}

/// The same with this token.
pub(crate) fn kubeconfig_with(server: &str, token: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: main\nclusters:\n- name: c\n  cluster: {{ server: '{server}' }}\n\
         users:\n- name: u\n  user: {{ token: {token} }}\n\
         contexts:\n- name: main\n  context: {{ cluster: c, user: u, namespace: team }}\n"
    )
}

#[test]
fn the_login_of_azure_is_that_of_its_tenant() {
    assert!(Cloud::Azure.login().contains(lockstep_testkit::fake::azure::TENANT));
}
