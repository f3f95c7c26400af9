//! What `config check` says of a credential that is not where the configuration says: every provider, every login, every
//! source. One table, `credentials.txt`, compared whole; the new one is left in [`NEW`]. Read every message before you copy
//! it over.

use std::fmt::Write as _;

use super::{folder, lockstep, stderr, stdout};

/// Where the table that was found is left.
const NEW: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/credentials.txt");
/// What no message may hold.
const CANARY: &str = "c4n4ry";

/// Wrong sources of a credential, and how they are told.
const SOURCES: [(&str, &str); 9] = [
    ("a variable that is not set", r#"{ env = "GONE" }"#),
    ("a variable that is empty", r#"{ env = "EMPTY" }"#),
    ("a file that is not there", r#"{ file = "gone" }"#),
    ("a folder", r#"{ file = "folder" }"#),
    ("the credential itself", r#""c4n4ry""#),
    ("the credential under another name", r#"{ value = "c4n4ry" }"#),
    ("two sources", r#"{ env = "FULL", file = "full" }"#),
    ("no source", "{}"),
    ("a reference", r#"{ env = "${c4n4ry}" }"#),
];

/// A login: its name, and its provider's table with `CREDENTIAL` where the source stands.
const LOGINS: [(&str, &str); 14] = [
    (
        "vault, token",
        r#"type = "vault"
address = "https://vault.internal:8200"
auth = { method = "token", token = CREDENTIAL }"#,
    ),
    (
        "vault, token, wrapped",
        r#"type = "vault"
address = "https://vault.internal:8200"
auth = { method = "token", token = CREDENTIAL, wrapped = true }"#,
    ),
    (
        "vault, approle",
        r#"type = "vault"
address = "https://vault.internal:8200"
auth = { method = "approle", role_id = "r", secret_id = CREDENTIAL }"#,
    ),
    (
        "vault, kubernetes",
        r#"type = "vault"
address = "https://vault.internal:8200"
auth = { method = "kubernetes", role = "r", jwt = CREDENTIAL }"#,
    ),
    (
        "vault, jwt",
        r#"type = "vault"
address = "https://vault.internal:8200"
auth = { method = "jwt", jwt = CREDENTIAL }"#,
    ),
    (
        "vault, userpass",
        r#"type = "vault"
address = "https://vault.internal:8200"
auth = { method = "userpass", username = "u", password = CREDENTIAL }"#,
    ),
    (
        "azure, client-secret",
        r#"type = "azure-key-vault"
vault = "payments"
tenant = "contoso.onmicrosoft.com"
auth = { method = "client-secret", client_id = "app", client_secret = CREDENTIAL }"#,
    ),
    (
        "azure, client-certificate",
        r#"type = "azure-key-vault"
vault = "payments"
tenant = "contoso.onmicrosoft.com"
auth = { method = "client-certificate", client_id = "app", certificate = CREDENTIAL }"#,
    ),
    (
        "azure, workload-identity",
        r#"type = "azure-key-vault"
vault = "payments"
tenant = "contoso.onmicrosoft.com"
auth = { method = "workload-identity", client_id = "app", token = CREDENTIAL }"#,
    ),
    (
        "gcp, service-account",
        r#"type = "gcp-secret-manager"
project = "acme-prod"
auth = { method = "service-account", key = CREDENTIAL }"#,
    ),
    (
        "gcp, workload-identity",
        r#"type = "gcp-secret-manager"
project = "acme-prod"
auth = { method = "workload-identity", audience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/o", token = CREDENTIAL }"#,
    ),
    (
        "kubernetes, token",
        r#"type = "kubernetes"
address = "https://10.0.0.1:6443"
auth = { method = "token", token = CREDENTIAL }"#,
    ),
    (
        "another endpoint",
        r#"type = "lockstep"
address = "https://secrets.internal:2773"
token = CREDENTIAL"#,
    ),
    (
        "vault, the default",
        r#"type = "vault"
address = "https://vault.internal:8200"
# CREDENTIAL"#,
    ),
];

/// A case of its own: what it is, its table, and what it has in its environment and in `given`.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

const CASES: [Case; 24] = [
    (
        "aws, a profile that is in no file",
        r#"type = "aws-secrets-manager"
region = "eu-west-1"
profile = "gone""#,
        &[],
        "",
    ),
    (
        "aws, a key without its secret",
        r#"type = "aws-parameter-store"
region = "eu-west-1""#,
        &[("AWS_ACCESS_KEY_ID", "AKIAGONE")],
        "",
    ),
    (
        "cloudflare, bindings where there are none",
        r#"type = "cloudflare-secrets-store"
secrets = { a = "BINDING" }"#,
        &[],
        "",
    ),
    (
        "vault, cert without a certificate",
        r#"type = "vault"
address = "https://vault.internal:8200"
auth = { method = "cert" }"#,
        &[],
        "",
    ),
    (
        "vault, cert whose file is missing",
        r#"type = "vault"
address = "https://vault.internal:8200"
auth = { method = "cert" }
tls = { client_cert = "gone.pem", client_key = "gone.pem" }"#,
        &[],
        "",
    ),
    (
        "vault, a method that is not known",
        r#"type = "vault"
address = "https://vault.internal:8200"
auth = { method = "ldap", password = "c4n4ry" }"#,
        &[],
        "",
    ),
    (
        "vault, aws without credentials",
        r#"type = "vault"
address = "https://vault.internal:8200"
auth = { method = "aws", role = "r" }"#,
        &[],
        "",
    ),
    (
        "azure, a secret in the environment without a client",
        r#"type = "azure-key-vault"
vault = "payments""#,
        &[("AZURE_CLIENT_SECRET", CANARY)],
        "",
    ),
    (
        "azure, a secret and a client without a tenant",
        r#"type = "azure-key-vault"
vault = "payments""#,
        &[("AZURE_CLIENT_SECRET", CANARY), ("AZURE_CLIENT_ID", "app")],
        "",
    ),
    (
        "azure, a certificate in the environment that is not there",
        r#"type = "azure-key-vault"
vault = "payments""#,
        &[("AZURE_CLIENT_CERTIFICATE_PATH", "gone.pem"), ("AZURE_CLIENT_ID", "app"), ("AZURE_TENANT_ID", "t.example")],
        "",
    ),
    (
        "azure, a workload's token in the environment that is not there",
        r#"type = "azure-key-vault"
vault = "payments""#,
        &[("AZURE_FEDERATED_TOKEN_FILE", "gone"), ("AZURE_CLIENT_ID", "app"), ("AZURE_TENANT_ID", "t.example")],
        "",
    ),
    (
        "azure, workload-identity with no token anywhere",
        r#"type = "azure-key-vault"
vault = "payments"
tenant = "t.example"
auth = { method = "workload-identity", client_id = "app" }"#,
        &[],
        "",
    ),
    (
        "azure, client-secret with the variable alone, not set",
        r#"type = "azure-key-vault"
vault = "payments"
tenant = "t.example"
auth = { method = "client-secret", client_id = "app" }"#,
        &[],
        "",
    ),
    (
        "azure, an authority in the clear",
        r#"type = "azure-key-vault"
vault = "payments"
auth = { method = "managed-identity" }"#,
        &[("AZURE_AUTHORITY_HOST", "http://login.internal")],
        "",
    ),
    (
        "gcp, a key that is no JSON",
        r#"type = "gcp-secret-manager"
project = "acme-prod"
auth = { method = "service-account", key = { file = "given" } }"#,
        &[],
        "c4n4ry: not json",
    ),
    (
        "gcp, a key that lacks a member",
        r#"type = "gcp-secret-manager"
project = "acme-prod"
auth = { method = "service-account", key = { file = "given" } }"#,
        &[],
        r#"{"type":"service_account","private_key":"c4n4ry"}"#,
    ),
    (
        "gcp, a file for workload identity as a key",
        r#"type = "gcp-secret-manager"
project = "acme-prod"
auth = { method = "service-account", key = { file = "given" } }"#,
        &[],
        r#"{"type":"external_account","audience":"c4n4ry"}"#,
    ),
    (
        "gcp, a person's credentials by the variable",
        r#"type = "gcp-secret-manager"
project = "acme-prod""#,
        &[("GOOGLE_APPLICATION_CREDENTIALS", "given")],
        r#"{"type":"authorized_user","refresh_token":"c4n4ry"}"#,
    ),
    (
        "gcp, a credentials file that leads elsewhere",
        r#"type = "gcp-secret-manager"
project = "acme-prod""#,
        &[("GOOGLE_APPLICATION_CREDENTIALS", "given")],
        r#"{"type":"external_account","audience":"a","subject_token_type":"t","token_url":"https://c4n4ry.test/v1/token","credential_source":{"file":"x"}}"#,
    ),
    (
        "gcp, a credentials file of the variable that is not there yet",
        r#"type = "gcp-secret-manager"
project = "acme-prod""#,
        &[("GOOGLE_APPLICATION_CREDENTIALS", "gone.json")],
        "",
    ),
    (
        "kubernetes, a kubeconfig that is not there",
        r#"type = "kubernetes"
auth = { method = "kubeconfig", path = "gone" }"#,
        &[],
        "",
    ),
    ("kubernetes, no pod and no kubeconfig", r#"type = "kubernetes""#, &[], ""),
    (
        "kubernetes, a token without an address",
        r#"type = "kubernetes"
auth = { method = "token", token = { env = "FULL" } }"#,
        &[],
        "",
    ),
    (
        "another endpoint without a token",
        r#"type = "lockstep"
address = "https://secrets.internal:2773""#,
        &[],
        "",
    ),
];

fn told(table: &str, env: &[(&str, &str)], given: &str) -> String {
    let folder = folder(&format!("[audit]\nsink = \"none\"\n[providers.p]\n{table}\n"));
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    std::fs::write(folder.path().join("full"), CANARY).unwrap();
    if !given.is_empty() {
        std::fs::write(folder.path().join("given"), given).unwrap();
    }
    let mut all = vec![("EMPTY", ""), ("FULL", CANARY)];
    all.extend(env);
    let output = lockstep(folder.path(), &all).args(["config", "check"]).output().unwrap();
    let (said, printed) = (stderr(&output), stdout(&output));
    assert!(!said.contains(CANARY) && !printed.contains(CANARY), "{table}: {said}{printed}");
    let mut text = format!("  exit {}\n", output.status.code().unwrap());
    for line in said.lines().chain(printed.lines()) {
        // What comes next is always the same, and what has nothing to do with a login is told elsewhere.
        if !line.starts_with("next: ") && !line.starts_with("warning: ") {
            let _ = writeln!(text, "  {}", line.replace(folder.path().to_str().unwrap(), "HOME"));
        }
    }
    text
}

/// What `config check` says of each login with a source, the logins that are told the same in one block.
fn of_source(what: &str, source: &str) -> String {
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    for (login, table) in LOGINS {
        if table.contains("# CREDENTIAL") && what != SOURCES[0].0 {
            continue;
        }
        let told = told(&table.replace("CREDENTIAL", source), &[], "");
        // What differs from login to login is where the setting stands.
        let (before, after) = told.split_once(": `").unwrap_or((&told, ""));
        let (exit, place) = before.rsplit_once(' ').unwrap_or((before, ""));
        let (key, message) = after.split_once("`: ").unwrap_or(("", after));
        let (shown, place) = (format!("{exit} PLACE: `KEY`: {message}"), format!("  {login}: {place} `{key}`"));
        match blocks.iter_mut().find(|block| block.0 == shown) {
            Some(block) => block.1.push(place),
            None => blocks.push((shown, vec![place])),
        }
    }
    let mut text = String::new();
    for (shown, places) in blocks {
        let _ = writeln!(text, "{what}\n{shown}{}\n", places.join("\n"));
    }
    text
}

/// M1, too: what is wrong is told, and no credential with it.
///
/// Break: any message of a credential's source, or the check for missing ones at start.
#[test]
fn config_check_explains_a_wrong_credential_source_of_every_login_of_every_provider() {
    let mut found = String::new();
    for (what, source) in SOURCES {
        found.push_str(&of_source(what, source));
    }
    for (what, table, env, given) in CASES {
        let _ = writeln!(found, "{what}\n{}", told(table, env, given));
    }
    std::fs::write(NEW, &found).unwrap();
    for (found, expected) in found.split("\n\n").zip(include_str!("credentials.txt").split("\n\n")) {
        assert_eq!(found, expected, "the new table is {NEW}");
    }
    assert_eq!(found, include_str!("credentials.txt"), "the new table is {NEW}");
}
