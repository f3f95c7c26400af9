//! A real OpenBao server: KV v1 and v2, versions, what is gone and how, logins that are renewed, and a caller who would
//! rather have our token revoked.

use lockstep_stories::{Connection, CountingProxy, Lockstep, Response, Running, until};
use lockstep_testkit::servers::{OPENBAO_ROOT, unique};
use lockstep_testkit::{require, servers};
use serde_json::{Value, json};

/// The server as its administrator uses it.
pub(crate) struct Bao {
    pub(crate) url: String,
}

impl Bao {
    /// One call with the root token.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Response {
        let address = self.url.trim_start_matches("http://");
        let body = body.to_string();
        let mut connection = Connection::open(address.parse().unwrap()).unwrap();
        let head = format!(
            "{method} /v1/{path} HTTP/1.1\r\nhost: {address}\r\nx-vault-token: {OPENBAO_ROOT}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.send(head).unwrap();
        connection.receive().unwrap()
    }

    /// The same, which has to succeed.
    pub(crate) fn done(&self, method: &str, path: &str, body: &Value) -> Response {
        let answer = self.call(method, path, body);
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        answer
    }

    /// A new mount of this kind, once it takes requests: KV v2 answers 400 ("upgrading") for a moment after it was made.
    pub(crate) fn mount(&self, kind: &str, options: &Value) -> String {
        let path = unique(kind);
        self.done("POST", &format!("sys/mounts/{path}"), &json!({ "type": kind, "options": options }));
        let config = format!("{path}/config");
        until("a mount that takes requests", || (self.call("GET", &config, &json!({})).status != 400).then_some(()));
        path
    }
}

/// `lockstep serve` before this Vault.
pub(crate) fn serve(url: &str, more: &str, env: &[(&str, &str)]) -> Running {
    let config = format!(
        "[cache]\nttl = \"1h\"\nnegative_ttl = \"0\"\n[providers.vault]\ntype = \"vault\"\naddress = \"{url}\"\n{more}\n"
    );
    Lockstep::serve(config.as_str(), env)
}

const ROOT: [(&str, &str); 1] = [("VAULT_TOKEN", OPENBAO_ROOT)];

fn code(running: &Running, path: &str) -> (u16, String) {
    let answer = running.get(&format!("/api/v1/secrets/{path}"));
    (answer.status, answer.member("/code"))
}

// Break: the versions of `vault/kv.rs`, or what it makes of `deletion_time` and `destroyed`.
#[test]
fn kv_v2_versions_are_read_and_deleted_and_destroyed_are_told_apart() {
    let bao = Bao { url: require!(servers::openbao()) };
    let mount = bao.mount("kv", &json!({ "version": "2" }));
    for value in ["first", "second", "third", "fourth"] {
        bao.done("POST", &format!("{mount}/data/db/creds"), &json!({ "data": { "password": value } }));
    }
    bao.done("POST", &format!("{mount}/delete/db/creds"), &json!({ "versions": [1] }));
    bao.done("POST", &format!("{mount}/destroy/db/creds"), &json!({ "versions": [2] }));
    let running = serve(&bao.url, "", &ROOT);
    let name = format!("{mount}/db/creds");
    assert_eq!(running.value(&format!("{name}?key=password")), "fourth");
    assert_eq!(running.value(&format!("{name}?key=password&version=3")), "third");
    assert_eq!(running.value(&format!("{name}?key=password&version=previous")), "third");
    assert_eq!(code(&running, &format!("{name}?version=1")), (410, "deleted".to_owned()));
    assert_eq!(code(&running, &format!("{name}?version=2")), (410, "destroyed".to_owned()));
    assert_eq!(code(&running, &format!("{name}?version=9")), (404, "version_not_found".to_owned()));
    assert_eq!(code(&running, &format!("{mount}/db/other")), (404, "not_found".to_owned()));
    assert_eq!(code(&running, &format!("{name}?key=other")), (404, "version_not_found".to_owned()));
    // The newest one is deleted too: there is no current value, and no older one in its place.
    bao.done("POST", &format!("{mount}/delete/db/creds"), &json!({ "versions": [4] }));
    let fresh = running.get_with(&format!("/api/v1/secrets/{name}"), &[("cache-control", "no-cache")]);
    assert_eq!((fresh.status, fresh.member("/code")), (410, "deleted".to_owned()));
}

// Break: the detection of a mount's version in `vault/mounts.rs`.
#[test]
fn kv_v1_is_told_from_v2_without_being_told() {
    let bao = Bao { url: require!(servers::openbao()) };
    let mount = bao.mount("kv", &json!({ "version": "1" }));
    bao.done("POST", &format!("{mount}/db/creds"), &json!({ "user": "u", "password": "value", "ttl": "1h" }));
    let running = serve(&bao.url, "", &ROOT);
    assert_eq!(running.value(&format!("{mount}/db/creds?key=password")), "value");
    assert_eq!(code(&running, &format!("{mount}/db/other")), (404, "not_found".to_owned()));
    assert_eq!(code(&running, &format!("{mount}/db/creds?version=1")).0, 501);
}

// Break: pass a caller's headers on to the provider.
#[test]
fn l9_a_callers_vault_headers_do_nothing_to_the_shared_token() {
    let bao = Bao { url: require!(servers::openbao()) };
    let mount = bao.mount("kv", &json!({ "version": "1" }));
    bao.done("POST", &format!("{mount}/creds"), &json!({ "password": "value" }));
    let policy = unique("reader");
    let rules = format!("path \"{mount}/*\" {{ capabilities = [\"read\"] }}");
    bao.done("PUT", &format!("sys/policies/acl/{policy}"), &json!({ "policy": rules }));
    let token = bao.done("POST", "auth/token/create", &json!({ "policies": [policy] })).member("/auth/client_token");
    let proxy = CountingProxy::to(&bao.url);
    let running = serve(&proxy.url(), &format!("mounts = {{ {mount} = \"kv1\" }}"), &[("VAULT_TOKEN", &token)]);
    let path = format!("/api/v1/secrets/{mount}/creds?key=password");
    let hostile = [
        ("x-vault-token-options", "revoke"),
        ("X-Vault-Token-Options", "revoke, else"),
        ("x-vault-namespace", "other"),
        ("x-vault-wrap-ttl", "60s"),
        ("x-vault-policy-override", "true"),
        ("cache-control", "no-cache"),
    ];
    for round in 0..3 {
        let answer = running.get_with(&path, &hostile);
        assert!(answer.status != 200 || answer.member("/value") == "value", "round {round}: {answer:?}");
        // The next read is a call of its own, with the same token.
        let next = running.get_with(&path, &[("cache-control", "no-cache")]);
        assert_eq!((next.status, next.member("/value")), (200, "value".to_owned()), "round {round}");
    }
    assert!(proxy.count(&token) > 0);
    for header in ["oken-options", "oken-Options", "wrap-ttl", "policy-override", "other"] {
        assert_eq!(proxy.count(header), 0, "{header}");
    }
    let lookup = bao.call("POST", "auth/token/lookup", &json!({ "token": token }));
    assert_eq!(lookup.status, 200, "the token is gone");
}

// Break: leave the renewal out of `vault/login.rs`, or the login after the token's end.
#[test]
fn an_approle_login_is_renewed_and_made_again_when_it_can_be_renewed_no_longer() {
    let bao = Bao { url: require!(servers::openbao()) };
    let mount = bao.mount("kv", &json!({ "version": "1" }));
    bao.done("POST", &format!("{mount}/creds"), &json!({ "password": "value" }));
    let policy = unique("reader");
    let rules = format!("path \"{mount}/*\" {{ capabilities = [\"read\"] }}");
    bao.done("PUT", &format!("sys/policies/acl/{policy}"), &json!({ "policy": rules }));
    let auth = unique("approle");
    bao.done("POST", &format!("sys/auth/{auth}"), &json!({ "type": "approle" }));
    let role = json!({ "token_policies": [policy], "token_ttl": "2s", "token_max_ttl": "5s" });
    bao.done("POST", &format!("auth/{auth}/role/app"), &role);
    let role_id = bao.done("GET", &format!("auth/{auth}/role/app/role-id"), &json!({})).member("/data/role_id");
    let secret_id = bao.done("POST", &format!("auth/{auth}/role/app/secret-id"), &json!({})).member("/data/secret_id");
    let proxy = CountingProxy::to(&bao.url);
    let more = format!(
        "mounts = {{ {mount} = \"kv1\" }}\nauth = {{ method = \"approle\", mount = \"{auth}\", role_id = \"{role_id}\", \
         secret_id = {{ env = \"SECRET_ID\" }} }}"
    );
    let running = serve(&proxy.url(), &more, &[("SECRET_ID", &secret_id)]);
    let read = || {
        let path = format!("/api/v1/secrets/{mount}/creds?key=password");
        let answer = running.get_with(&path, &[("cache-control", "no-cache")]);
        assert_eq!((answer.status, answer.member("/value")), (200, "value".to_owned()), "{}", running.said());
    };
    let login = format!("/v1/auth/{auth}/login");
    read();
    assert_eq!(proxy.count(&login), 1);
    // Nobody who reads on notices anything of it.
    until("a renewal", || {
        read();
        (proxy.count("/v1/auth/token/renew-self") > 0).then_some(())
    });
    until("a second login", || {
        read();
        (proxy.count(&login) > 1).then_some(())
    });
    assert!(!running.stop().stderr.contains(&secret_id));
}

// Break: take any 403 of the login for a transient error.
#[test]
fn a_login_that_is_refused_is_the_operators_to_mend_and_says_so() {
    let bao = Bao { url: require!(servers::openbao()) };
    let running = serve(&bao.url, "mounts = { secret = \"kv2\" }", &[("VAULT_TOKEN", "not-a-token-0a1b2c")]);
    let answer = running.get("/api/v1/secrets/secret/creds");
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(answer.member("/code").starts_with("provider_"), "{}", answer.text());
    assert!(!answer.text().contains("0a1b2c") && !running.stop().stderr.contains("0a1b2c"));
}
