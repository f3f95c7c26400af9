//! Logging in at OpenBao, the product itself, by each method that it has, and by what only it has: logins within a request.

#![cfg(feature = "vault")]
#![expect(clippy::unwrap_used, reason = "what the tests are set up by may panic like the tests themselves")]

mod vault;

#[path = "vault_logins/certificate.rs"]
mod certificate;
#[path = "vault_logins/inline.rs"]
mod inline;
#[path = "vault_logins/wrapping.rs"]
mod wrapping;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lockstep_core::{
    Clock as _, ErrorKind, Provider, Result, Retry, Secret, SecretName, SecretValue, Selector, SignatureAlgorithm,
    Signer as _,
};
use lockstep_native::{RingSigner, SystemClock};
use lockstep_providers::Credential;
use lockstep_providers::vault::{VaultAuth, VaultProvider};
use lockstep_testkit::contract;
use lockstep_testkit::fake::Served;
use lockstep_testkit::servers::{self, unique};
use lockstep_testkit::{RSA_KEY, require, rsa_public_key};
use serde_json::{Value, json};

use self::vault::{Bao, Kv};

const FILE: &str = "/run/credential";

fn file() -> Credential {
    Credential::File(Path::new(FILE).into())
}

/// A method, ready to log in.
struct Login {
    auth: VaultAuth,
    /// Where it is mounted.
    mount: String,
    /// What the logins post to.
    path: String,
    /// What its server needs as long as it is used.
    _reviewer: Option<Served>,
}

impl Bao {
    /// A policy that lets do everything below a mount.
    async fn policy(&self, mount: &str) -> String {
        let policy = unique("policy");
        let text = format!("path \"{mount}/*\" {{ capabilities = [\"read\", \"list\"] }}");
        self.admin("POST", &format!("sys/policies/acl/{policy}"), json!({ "policy": text })).await;
        policy
    }

    async fn method(&self, kind: &str) -> String {
        let mount = unique(kind);
        self.admin("POST", &format!("sys/auth/{mount}"), json!({ "type": kind })).await;
        mount
    }

    async fn approle(&self, policy: &str) -> Login {
        let mount = self.method("approle").await;
        let role = format!("auth/{mount}/role/app");
        let settings = json!({ "token_ttl": "60s", "token_max_ttl": "1h", "token_policies": policy });
        self.admin("POST", &role, settings).await;
        let role_id = self.admin("GET", &format!("{role}/role-id"), Value::Null).await["data"]["role_id"].take();
        let secret_id = self.admin("POST", &format!("{role}/secret-id"), json!({})).await["data"]["secret_id"].take();
        self.files.write(FILE, secret_id.as_str().unwrap());
        let auth = VaultAuth::AppRole {
            mount: mount.clone(),
            role_id: role_id.as_str().unwrap().to_owned(),
            secret_id: Some(file().into()),
        };
        Login { auth, path: format!("auth/{mount}/login"), mount, _reviewer: None }
    }

    async fn userpass(&self, policy: &str) -> Login {
        let mount = self.method("userpass").await;
        let user =
            json!({ "password": "pa\"ss\\word", "token_policies": policy, "token_ttl": "60s", "token_max_ttl": "1h" });
        self.admin("POST", &format!("auth/{mount}/users/app"), user).await;
        self.files.write(FILE, "pa\"ss\\word\n");
        let auth = VaultAuth::Userpass { mount: mount.clone(), username: "app".into(), password: file() };
        Login { auth, path: format!("auth/{mount}/login/app"), mount, _reviewer: None }
    }

    async fn jwt(&self, policy: &str) -> Login {
        let mount = self.method("jwt").await;
        self.admin("POST", &format!("auth/{mount}/config"), json!({ "jwt_validation_pubkeys": [rsa_public_key()] }))
            .await;
        let role = json!({ "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "bound_subject": "app",
            "token_policies": policy, "token_ttl": "60s", "token_max_ttl": "1h" });
        self.admin("POST", &format!("auth/{mount}/role/app"), role).await;
        self.files.write(FILE, token(&claims("app", 600)).await);
        let auth = VaultAuth::Jwt { mount: mount.clone(), role: Some("app".into()), jwt: file() };
        Login { auth, path: format!("auth/{mount}/login"), mount, _reviewer: None }
    }

    /// With a reviewer that knows one service account, as an API server answers.
    async fn kubernetes(&self, policy: &str) -> Login {
        let mount = self.method("kubernetes").await;
        let reviewer = Served::tls(Arc::new(|request| {
            let review: Value = serde_json::from_slice(request.body()).unwrap_or_default();
            let is_known = review["spec"]["token"].as_str().is_some_and(|token| token.split('.').count() == 3);
            let user = json!({ "username": "system:serviceaccount:team:app", "uid": "u-1",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:team", "system:authenticated"] });
            let status = if is_known {
                json!({ "authenticated": true, "user": user, "audiences": review["spec"]["audiences"] })
            } else {
                json!({ "authenticated": false })
            };
            let answer = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status });
            let mut response = http::Response::new(bytes::Bytes::from(answer.to_string()));
            *response.status_mut() = http::StatusCode::CREATED;
            response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
            response
        }))
        .await;
        let config = json!({ "kubernetes_host": reviewer.url(), "kubernetes_ca_cert": reviewer.ca_pem(),
            "token_reviewer_jwt": token(&claims("reviewer", 600)).await, "disable_local_ca_jwt": true });
        self.admin("POST", &format!("auth/{mount}/config"), config).await;
        let role = json!({ "bound_service_account_names": "app", "bound_service_account_namespaces": "team",
            "token_policies": policy, "token_ttl": "60s", "token_max_ttl": "1h" });
        self.admin("POST", &format!("auth/{mount}/role/app"), role).await;
        self.files.write(FILE, token(&service_account("app")).await);
        let auth = VaultAuth::Kubernetes { mount: mount.clone(), role: "app".into(), jwt: file() };
        Login { auth, path: format!("auth/{mount}/login"), mount, _reviewer: Some(reviewer) }
    }

    /// Every method that this server has over plain HTTP.
    async fn login(&self, kind: &str, policy: &str) -> Login {
        match kind {
            "approle" => self.approle(policy).await,
            "userpass" => self.userpass(policy).await,
            "jwt" => self.jwt(policy).await,
            _ => self.kubernetes(policy).await,
        }
    }
}

const KINDS: [&str; 4] = ["approle", "userpass", "jwt", "kubernetes"];

fn now() -> u64 {
    SystemClock::new().wall().seconds()
}

fn claims(subject: &str, lifetime: u64) -> Value {
    json!({ "iss": "https://issuer.test", "aud": "vault", "sub": subject, "iat": now(), "exp": now() + lifetime })
}

fn service_account(name: &str) -> Value {
    let mut claims = claims(&format!("system:serviceaccount:team:{name}"), 600);
    claims["aud"] = json!(["vault"]);
    claims["kubernetes.io"] = json!({ "namespace": "team", "serviceaccount": { "name": name, "uid": "u-1" } });
    claims
}

/// A JWT with these claims, signed with the test key.
async fn token(claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let content = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(claims));
    let key = SecretValue::from(RSA_KEY);
    let signature = RingSigner.sign(&key, SignatureAlgorithm::Rs256, content.as_bytes()).await.unwrap();
    format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature))
}

async fn read(bao: &Bao, provider: &VaultProvider, name: &str) -> Result<Secret> {
    provider.get(&bao.call(), &SecretName::parse(name).unwrap(), &Selector::Current).await
}

/// A mount with one secret in it, and the policy to read it.
async fn one_secret(bao: &Bao) -> (String, String) {
    let mount = bao.mount("kv 2").await;
    bao.admin("POST", &format!("{mount}/data/a"), json!({ "data": { "a": "b" } })).await;
    let policy = bao.policy(&mount).await;
    (format!("{mount}/a"), policy)
}

async fn contract_with(kind: &str) {
    let mut kv = Kv::new(Bao::at(require!(servers::openbao())), true).await;
    let policy = kv.bao.policy(&kv.mount).await;
    let login = kv.bao.login(kind, &policy).await;
    kv.provider = kv.bao.provider(login.auth.clone());
    contract::run(&kv).await;
    assert_eq!(kv.bao.asked(&login.path), 1, "one login for all of it");
}

#[tokio::test]
async fn the_contract_is_kept_with_approle() {
    contract_with("approle").await;
}

#[tokio::test]
async fn the_contract_is_kept_with_userpass() {
    contract_with("userpass").await;
}

#[tokio::test]
async fn the_contract_is_kept_with_a_jwt() {
    contract_with("jwt").await;
}

#[tokio::test]
async fn the_contract_is_kept_with_a_service_account() {
    contract_with("kubernetes").await;
}

/// Break: the lock in `Login::token`, `is_due`, or the new login of `prolonged`.
#[tokio::test]
async fn each_login_is_shared_by_all_reads_renewed_and_made_again() {
    let url = require!(servers::openbao());
    for kind in KINDS {
        let bao = Bao::at(url.clone());
        let (name, policy) = one_secret(&bao).await;
        let login = bao.login(kind, &policy).await;
        let provider = bao.provider(login.auth.clone());
        let asked = || (bao.asked(&login.path), bao.asked("auth/token/renew-self"));
        // The thousand once: they ask the server about sockets, not about methods.
        let reads = if kind == "jwt" { 1000 } else { 50 };
        let many = (0..reads).map(|_| read(&bao, &provider, &name));
        // A thousand sockets at once would be about the machine, not about logins.
        let answers: Vec<_> = futures_util::StreamExt::collect(futures_util::StreamExt::buffer_unordered(
            futures_util::stream::iter(many),
            64,
        ))
        .await;
        assert!(answers.iter().all(Result::is_ok), "{kind}");
        assert_eq!(asked(), (1, 0), "{kind}: one login for all");

        bao.clock.advance(Duration::from_secs(41));
        read(&bao, &provider, &name).await.unwrap();
        assert_eq!(asked(), (1, 1), "{kind}: past two thirds it is renewed");

        // The server takes every token of the method back; the next renewal is refused.
        bao.admin("PUT", &format!("sys/leases/revoke-prefix/auth/{}", login.mount), json!({})).await;
        bao.clock.advance(Duration::from_secs(41));
        read(&bao, &provider, &name).await.unwrap();
        assert_eq!(asked(), (2, 2), "{kind}: a refused renewal is a new login");

        bao.admin("PUT", &format!("sys/leases/revoke-prefix/auth/{}", login.mount), json!({})).await;
        bao.clock.advance(Duration::from_secs(10));
        let error = read(&bao, &provider, &name).await.unwrap_err();
        let expected = (ErrorKind::Unauthenticated, Retry::OnceWithFreshCredentials);
        assert_eq!((error.kind(), error.retry_hint()), expected, "{kind}: the token is over before its time");
        read(&bao, &provider, &name).await.unwrap();
        assert_eq!(asked().0, 3, "{kind}");

        bao.clock.advance(Duration::from_mins(10));
        read(&bao, &provider, &name).await.unwrap();
        assert_eq!(asked().0, 4, "{kind}: past its end");

        assert_eq!(
            read(&bao, &provider, &format!("{}x/a", name.split('/').next().unwrap())).await.unwrap_err().kind(),
            ErrorKind::Denied
        );
    }
}

/// M1. Break: any row of the methods' tables, or read the file once alone.
#[tokio::test]
async fn m1_a_wrong_credential_is_said_and_not_shown_and_a_rotated_file_is_read_at_the_next_login() {
    let url = require!(servers::openbao());
    for kind in KINDS {
        let bao = Bao::at(url.clone());
        let (name, policy) = one_secret(&bao).await;
        let login = bao.login(kind, &policy).await;
        let good = lockstep_core::Files::read(&*bao.files, Path::new(FILE), 1 << 16).unwrap().bytes;
        let provider = bao.provider(login.auth.clone());
        for bad in ["c4n4ry", "c4n4ry.c4n4ry.c4n4ry"] {
            bao.files.write(FILE, bad);
            let error = read(&bao, &provider, &name).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.retry_hint()),
                (ErrorKind::Unauthenticated, Retry::Never),
                "{kind}: {error:?}"
            );
            assert_eq!(error.operation(), Some(lockstep_core::Operation::Login), "{kind}");
            assert!(!format!("{error} {error:?} {provider:?}").contains("c4n4ry"), "{kind}: {error:?}");
        }
        bao.files.write(FILE, &good);
        read(&bao, &provider, &name).await.unwrap();
        // While the token is good, a wrong credential says nothing; once it is over, it does.
        bao.files.write(FILE, "c4n4ry");
        bao.clock.advance(Duration::from_secs(30));
        read(&bao, &provider, &name).await.unwrap();
        bao.clock.advance(Duration::from_mins(2));
        assert_eq!(read(&bao, &provider, &name).await.unwrap_err().kind(), ErrorKind::Unauthenticated, "{kind}");
        bao.files.write(FILE, &good);
        read(&bao, &provider, &name).await.unwrap();
    }
}

#[tokio::test]
async fn a_jwt_of_another_subject_or_past_its_end_and_another_service_account_are_refused() {
    let bao = Bao::at(require!(servers::openbao()));
    let (name, policy) = one_secret(&bao).await;
    let jwt = bao.jwt(&policy).await;
    let provider = bao.provider(jwt.auth.clone());
    let mut over = claims("app", 0);
    (over["iat"], over["exp"]) = (json!(now() - 7200), json!(now() - 3600));
    for bad in [claims("somebody", 600), over] {
        bao.files.write(FILE, token(&bad).await);
        assert_eq!(read(&bao, &provider, &name).await.unwrap_err().kind(), ErrorKind::Unauthenticated, "{bad}");
    }
    bao.files.write(FILE, token(&claims("app", 600)).await);
    read(&bao, &provider, &name).await.unwrap();

    let kubernetes = bao.kubernetes(&policy).await;
    let role = json!({ "bound_service_account_names": "other", "bound_service_account_namespaces": "team" });
    bao.admin("POST", &format!("auth/{}/role/app", kubernetes.mount), role).await;
    let provider = bao.provider(kubernetes.auth.clone());
    let error = read(&bao, &provider, &name).await.unwrap_err();
    assert_eq!((error.kind(), error.upstream_status()), (ErrorKind::Unauthenticated, Some(403)));
}

/// A mount that is not there, or is another method's. Break: the rows for 403 and `LOGIN`.
#[tokio::test]
async fn a_way_in_that_is_not_there_is_no_answer_about_a_secret() {
    let bao = Bao::at(require!(servers::openbao()));
    let (name, policy) = one_secret(&bao).await;
    let userpass = bao.userpass(&policy).await;
    for mount in ["nothing-here", &userpass.mount] {
        bao.files.write(FILE, token(&claims("app", 600)).await);
        let provider = bao.provider(VaultAuth::Jwt { mount: mount.into(), role: Some("app".into()), jwt: file() });
        let error = read(&bao, &provider, &name).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Config), "{mount}: {error:?}");
        assert!(error.message().contains("`mount`"), "{mount}: {error}");
    }
}
