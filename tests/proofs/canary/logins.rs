//! Providers that log in elsewhere, each credential a canary: what is shown, and what is given for it. Their broken
//! answers are those of the secret and those of the login.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep_stories::{KEY_FILE, Upstream};
use lockstep_testkit::RSA_KEY;
use lockstep_testkit::fake::Action;
use lockstep_testkit::fake::azure::TENANT;
use lockstep_testkit::fake::gcp::Google;
use serde_json::{Value, json};

use super::CANARY;
use super::behind::{Backend, Script, broken};
use crate::backends::{BARE, Cloud, kubeconfig_with, kv2, vault};

/// What is shown, and what is given for it: their characters change under every escape.
const SHOWN: &str = "sh0wn~Login+Cred/ential=Of\"TheProofs&9xQ";
const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJjYW5hcnkiOiJqd3Qtc2hvd24ifQ.c2lnbmF0dXJlLW9mLXRoZS1wcm9vZnM";
/// A token that looks like a word.
const HEX: &str = "7f3a9c51d0e84b26a1c7f9033e5d6b82c4a19f70";
const GIVEN: &str = "g1ven-Access.Token~OfThe/Proofs+Zr7w==";
const TIME: &str = "2026-01-01T00:00:00Z";

/// Azure, Google, Kubernetes and another endpoint.
pub(super) fn clouds() -> Vec<Backend> {
    vec![azure(), google(), kubernetes(), remote()]
}

fn token() -> Value {
    json!({ "access_token": GIVEN, "expires_in": 3599, "token_type": "Bearer" })
}

/// What a refusal of the token leads to: the next request logs in anew.
fn with_login(good: &Script, refused: &[(&'static str, Action)], login: &'static str, answer: &Value) -> Vec<Script> {
    let scripts = broken(answer, GIVEN).into_iter().map(|action| {
        let mut script = good.clone();
        script.extend(refused.iter().cloned());
        script.push((login, action));
        script
    });
    scripts.collect()
}

/// The routes of values, answering like this.
fn values(routes: &[&'static str], good: &Script, answer: &Value, carried: &str) -> Vec<Script> {
    let scripts = broken(answer, carried).into_iter().map(|action| {
        let mut script = good.clone();
        script.extend(routes.iter().map(|route| (*route, action.clone())));
        script
    });
    scripts.collect()
}

fn azure() -> Backend {
    let routes = ["GET /secrets/canary", "GET /secrets/canary/versions", "GET /secrets", "*"];
    let upstream = Upstream::start();
    let url = upstream.url();
    let config = Cloud::Azure.config(&url);
    let attributes = json!({ "enabled": true, "created": 1_760_000_000, "updated": 1_760_000_000 });
    let version = "0123456789abcdef0123456789abcdef";
    let one = json!({ "id": format!("{url}/secrets/canary/{version}"), "attributes": attributes, "value": CANARY });
    let listed = |id: &str| json!({ "value": [{ "id": format!("{url}/secrets/{id}"), "attributes": attributes }] });
    let challenge = format!("Bearer authorization=\"{url}/{TENANT}\", resource=\"https://vault.azure.net\"");
    let good = vec![
        ("*", Action::json(404, &json!({ "error": { "code": "SecretNotFound", "message": CANARY } }))),
        ("GET /secrets/canary", Action::json(200, &one)),
        ("GET /secrets/canary/versions", Action::json(200, &listed(&format!("canary/{version}")))),
        ("GET /secrets", Action::json(200, &listed("canary"))),
        (Cloud::Azure.login(), Action::json(200, &token())),
    ];
    let refused = Action::with_headers(401, &[("www-authenticate", &challenge)], CANARY);
    let mut bad = values(&routes, &good, &one, CANARY);
    let bad_logins = with_login(&good, &routes.map(|route| (route, refused.clone())), Cloud::Azure.login(), &token());
    // A challenge that holds what is not to be said, and leads elsewhere.
    let hostile = format!("Bearer authorization=\"https://{GIVEN}/x\", resource=\"{CANARY}\"").replace('é', "e");
    bad.push(routes.map(|route| (route, Action::with_headers(401, &[("www-authenticate", &hostile)], ""))).to_vec());
    Backend {
        env: vec![("AZURE_CLIENT_SECRET", SHOWN.to_owned()), ("AZURE_AUTHORITY_HOST", url)],
        credentials: vec![SHOWN.to_owned(), GIVEN.to_owned()],
        good,
        bad,
        bad_logins,
        upstream: Some(upstream),
        ..Backend::of("Azure Key Vault", "azure", "canary", config)
    }
}

fn google() -> Backend {
    let routes = [
        "GET /v1/projects/acme-prod/secrets/canary/versions/latest:access",
        "GET /v1/projects/acme-prod/secrets/canary",
        "GET /v1/projects/acme-prod/secrets/canary/versions",
        "GET /v1/projects/acme-prod/secrets",
        "*",
    ];
    let upstream = Upstream::start();
    let config = Cloud::Google.config(&upstream.url());
    let carried = STANDARD.encode(CANARY);
    let name = "projects/123456789012/secrets/canary";
    let one = json!({ "name": format!("{name}/versions/1"), "payload": { "data": carried } });
    let described = json!({ "name": name, "createTime": TIME, "labels": {} });
    let version = json!({ "name": format!("{name}/versions/1"), "createTime": TIME, "state": "ENABLED" });
    let good = vec![
        ("*", Action::json(404, &json!({ "error": { "code": 404, "message": CANARY, "status": "NOT_FOUND" } }))),
        (routes[0], Action::json(200, &one)),
        (routes[1], Action::json(200, &described)),
        (routes[2], Action::json(200, &json!({ "versions": [version] }))),
        (routes[3], Action::json(200, &json!({ "secrets": [described] }))),
        ("POST /token", Action::json(200, &token())),
    ];
    let refused =
        Action::json(401, &json!({ "error": { "code": 401, "message": GIVEN, "status": "UNAUTHENTICATED" } }));
    let bad = values(&routes, &good, &one, &carried);
    let bad_logins = with_login(&good, &routes.map(|route| (route, refused.clone())), "POST /token", &token());
    // Each line of the key is one.
    let key = RSA_KEY.lines().filter(|line| line.len() > 60).map(str::to_owned);
    Backend {
        files: vec![(KEY_FILE, Google::key_file(None))],
        credentials: key.chain([GIVEN.to_owned()]).collect(),
        good,
        bad,
        bad_logins,
        upstream: Some(upstream),
        ..Backend::of("GCP Secret Manager", "gcp", "canary", config)
    }
}

fn kubernetes() -> Backend {
    let routes = ["GET /api/v1/namespaces/team/secrets/canary", "GET /api/v1/namespaces/team/secrets", "*"];
    let upstream = Upstream::start();
    let config = Cloud::Kubernetes.config("");
    let kubeconfig = kubeconfig_with(&upstream.url(), JWT);
    let carried = STANDARD.encode(CANARY);
    let copy = json!({ "kubectl.kubernetes.io/last-applied-configuration": json!({ "a": CANARY }).to_string() });
    let metadata = json!({
        "name": "canary", "namespace": "team", "uid": "uid-1", "resourceVersion": "7", "creationTimestamp": TIME,
        "labels": { "app": "x" }, "annotations": copy,
    });
    let one = json!({ "kind": "Secret", "metadata": metadata, "data": { "value": carried }, "type": "Opaque" });
    let list = json!({ "metadata": { "resourceVersion": "9" }, "items": [{ "metadata": metadata }] });
    let good = vec![
        ("*", Action::json(201, &json!({ "status": { "allowed": true } }))),
        (routes[0], Action::json(200, &one)),
        (routes[1], Action::json(200, &list)),
    ];
    let bad = values(&routes, &good, &one, &carried);
    Backend {
        files: vec![("kubeconfig", kubeconfig)],
        credentials: vec![JWT.to_owned()],
        good,
        bad,
        upstream: Some(upstream),
        ..Backend::of("Kubernetes", "k8s", "canary", config)
    }
}

fn remote() -> Backend {
    let upstream = Upstream::start();
    let config = Cloud::Endpoint.config(&upstream.url());
    let released = json!({
        "name": "canary", "id": "canary", "provider": "aws", "value": CANARY, "encoding": "utf-8", "version": "1",
        "order": 1, "labels": ["stable"], "created": TIME,
    });
    let known =
        json!({ "name": "canary", "id": "canary", "provider": "aws", "version": "1", "order": 1, "created": TIME });
    let version = json!({ "version": "1", "order": 1, "labels": [], "created": TIME, "state": "enabled" });
    let missing = json!({ "code": "not_found", "status": 404, "title": CANARY, "detail": CANARY });
    // One answer for every route: each reads its own members.
    let mut all = released.clone();
    all["secrets"] = json!([known]);
    all["versions"] = json!([version]);
    let batch = json!({ "results": [{ "secret": released }, { "error": missing }] });
    let good = vec![("*", Action::json(200, &all)), ("POST /api/v1/secrets:batch", Action::json(200, &batch))];
    let mut bad = values(&["*", "POST /api/v1/secrets:batch"], &Vec::new(), &all, CANARY);
    bad.extend(values(&["POST /api/v1/secrets:batch"], &good, &batch, CANARY));
    // What it was shown itself.
    let echo = json!({ "code": HEX, "title": HEX, "detail": HEX, "type": HEX, "request_id": HEX });
    let batch = Action::json(200, &json!({ "results": [{ "error": echo }, { "error": echo }] }));
    for status in [400, 401, 403, 404, 409, 412, 429, 500, 503, 508] {
        bad.push(vec![("*", Action::json(status, &echo)), ("POST /api/v1/secrets:batch", batch.clone())]);
    }
    Backend {
        env: vec![("TOKEN", HEX.to_owned())],
        credentials: vec![HEX.to_owned()],
        good,
        bad,
        upstream: Some(upstream),
        ..Backend::of("another endpoint", "region", "canary", config)
    }
}

/// A login of Vault: its name, its `auth`, and where it is posted.
type Method = (&'static str, String, &'static str);

fn methods() -> Vec<Method> {
    let wrapped = r#"{ env = "SHOWN" }, wrapped = true"#;
    vec![
        (
            "userpass",
            r#"{ method = "userpass", username = "app", password = { env = "SHOWN" } }"#.to_owned(),
            "POST /v1/auth/userpass/login/app",
        ),
        (
            "userpass within each request",
            r#"{ method = "userpass", username = "app", password = { env = "SHOWN" }, inline = true }"#.to_owned(),
            "",
        ),
        ("jwt", r#"{ method = "jwt", role = "r", jwt = { file = "jwt" } }"#.to_owned(), "POST /v1/auth/jwt/login"),
        (
            "kubernetes",
            r#"{ method = "kubernetes", role = "r", jwt = { file = "jwt" } }"#.to_owned(),
            "POST /v1/auth/kubernetes/login",
        ),
        (
            "approle",
            r#"{ method = "approle", role_id = "r", secret_id = { env = "SHOWN" } }"#.to_owned(),
            "POST /v1/auth/approle/login",
        ),
        (
            "approle, wrapped",
            format!(r#"{{ method = "approle", role_id = "r", secret_id = {wrapped} }}"#),
            "POST /v1/auth/approle/login",
        ),
        ("token, wrapped", format!(r#"{{ method = "token", token = {wrapped} }}"#), ""),
        ("aws", r#"{ method = "aws", role = "r", region = "eu-west-1" }"#.to_owned(), "POST /v1/auth/aws/login"),
    ]
}

/// What came out of a wrapping token.
const INSIDE: &str = "1ns1de-The.Wrapping~Token+OfProofs/8Kd";
const UNWRAP: &str = "POST /v1/sys/wrapping/unwrap";

/// A Vault by each of its logins.
pub(super) fn vault_logins() -> Vec<Backend> {
    methods().into_iter().map(by).collect()
}

/// The logins that open a wrapping token, each with an opening that fails: a process of its own each, since it is never
/// opened twice.
pub(super) fn openings() -> Vec<Backend> {
    let wrapped = |name: &'static str| methods().into_iter().find(|method| method.0 == name);
    let mut all = Vec::new();
    for name in ["approle, wrapped", "token, wrapped"] {
        for action in broken(&unwrapped(), INSIDE) {
            let mut backend = by(wrapped(name).unwrap());
            backend.good.push((UNWRAP, action));
            all.push(backend);
        }
    }
    all
}

fn unwrapped() -> Value {
    json!({
        "data": { "secret_id": INSIDE, "secret_id_accessor": "a" },
        "auth": { "client_token": INSIDE, "lease_duration": 3600, "renewable": false },
    })
}

fn by((name, auth, login): Method) -> Backend {
    let routes = ["GET /v1/kv/data/canary", "*"];
    let upstream = Upstream::start();
    let config = vault(&upstream.url(), BARE).replace("mounts =", &format!("auth = {auth}\nmounts ="));
    let one = kv2(&json!({ "value": CANARY }), "", false);
    let mut all = json!({ "data": {
        "current_version": 1, "created_time": TIME, "updated_time": TIME, "custom_metadata": {}, "keys": ["canary"],
        "versions": { "1": { "created_time": TIME, "deletion_time": "", "destroyed": false } },
    } });
    all["data"]["data"] = one["data"]["data"].clone();
    let given = json!({ "auth": { "client_token": GIVEN, "lease_duration": 3600, "renewable": true } });
    let lookup = "GET /v1/auth/token/lookup-self";
    let mut good = vec![
        ("*", Action::json(200, &all)),
        (routes[0], Action::json(200, &one)),
        (lookup, crate::backends::vault_token()),
        (UNWRAP, Action::json(200, &unwrapped())),
    ];
    let bad = values(&routes, &good, &one, CANARY);
    let mut bad_logins = Vec::new();
    if !login.is_empty() {
        good.push((login, Action::json(200, &given)));
        let refused = Action::json(403, &json!({ "errors": [format!("permission denied {GIVEN}")] }));
        // The look-up says that the token is over: it is dropped.
        let all = ["*", routes[0], lookup].map(|route| (route, refused.clone()));
        bad_logins = with_login(&good, &all, login, &given);
    }
    Backend {
        env: vec![("SHOWN", SHOWN.to_owned())],
        files: vec![("jwt", JWT.to_owned())],
        credentials: [SHOWN, JWT, GIVEN, INSIDE].map(str::to_owned).to_vec(),
        good,
        bad,
        bad_logins,
        upstream: Some(upstream),
        ..Backend::of(name, "vault", "kv/canary", config)
    }
}
