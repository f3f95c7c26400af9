use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{
    Encoding, Error, ErrorKind, Filter, Lease, MAX_MEMBERS, Page, Payload, Provider, Retry, Secret, SecretName,
    Selector,
};
use lockstep_testkit::{FakeTransport, Gate, ManualClock, Reply, TestEnv, TestFiles, TestRandom, TestSigner, call};
use serde_json::{Value, json};

use super::{MountKind, VaultAuth, VaultProvider, VaultSettings};
use crate::{Credential, Ports};

#[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store"))]
mod aws;
mod cluster;
mod elsewhere;
mod inline;
mod logins;
mod wrapping;

const MINUTE: Duration = Duration::from_mins(1);

struct World {
    provider: VaultProvider,
    transport: Arc<FakeTransport>,
    clock: Arc<ManualClock>,
    env: Arc<TestEnv>,
    files: Arc<TestFiles>,
}

impl World {
    fn new(auth: VaultAuth, transport: Arc<FakeTransport>) -> Self {
        Self::of(auth, transport, |_| ())
    }

    fn of(auth: VaultAuth, transport: Arc<FakeTransport>, change: impl FnOnce(&mut VaultSettings)) -> Self {
        let (clock, env) = (ManualClock::new(), TestEnv::of(&[("TOKEN", "t0ken"), ("SECRET_ID", "s3cret")]));
        let files = TestFiles::new();
        let ports = Ports {
            random: TestRandom::seeded(7),
            signer: Arc::new(TestSigner),
            exec: Arc::new(lockstep_core::NoExec),
            transport: transport.clone(),
            env: env.clone(),
            files: files.clone(),
            clock: clock.clone(),
        };
        let mounts = [("kv1", MountKind::Kv1), ("kv2", MountKind::Kv2), ("db", MountKind::Dynamic)];
        let mut settings = VaultSettings {
            addresses: vec!["https://vault.internal:8200".into()],
            inline: false,
            forward_stale: false,
            namespace: Some("team/prod".into()),
            auth,
            mounts: mounts.map(|(path, kind)| (path.to_owned(), kind)).into(),
            members: MAX_MEMBERS,
            environment: String::new(),
        };
        change(&mut settings);
        Self { provider: VaultProvider::new(settings, ports).unwrap(), transport, clock, env, files }
    }

    /// A world with a token that never ends; the script answers what follows the look-up.
    fn with_token(mut script: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        let transport = FakeTransport::by(move |request| {
            let target = request.uri().path_and_query().unwrap().as_str();
            if target == "/v1/auth/token/lookup-self" { token_is_good() } else { script(target) }
        });
        Self::new(VaultAuth::Token(Credential::Env("TOKEN".into()).into()), transport)
    }

    fn with_approle(script: impl FnMut(&http::Request<bytes::Bytes>) -> Reply + Send + 'static) -> Self {
        let auth = VaultAuth::AppRole {
            mount: "approle".into(),
            role_id: "role".into(),
            secret_id: Some(Credential::Env("SECRET_ID".into()).into()),
        };
        Self::new(auth, FakeTransport::by(script))
    }

    async fn get(&self, name: &str, selector: Selector) -> Result<Secret, Error> {
        let name = SecretName::parse(name).unwrap();
        self.provider.get(&call(&self.clock), &name, &selector).await
    }

    async fn current(&self, name: &str) -> Result<Secret, Error> {
        self.get(name, Selector::Current).await
    }

    fn sent(&self, target: &str) -> usize {
        self.transport.lines().iter().filter(|line| line.ends_with(target)).count()
    }
}

fn token_is_good() -> Reply {
    Reply::json(200, &json!({ "data": { "ttl": 0, "renewable": false } }))
}

fn forbidden() -> Reply {
    Reply::json(403, &json!({ "errors": ["permission denied"] }))
}

fn login(token: &str, seconds: u64) -> Reply {
    Reply::json(200, &json!({ "auth": { "client_token": token, "lease_duration": seconds, "renewable": true } }))
}

fn version(data: &Value, number: u64, deletion: &str, destroyed: bool) -> Value {
    let metadata = json!({ "created_time": "2026-01-01T00:00:00Z", "deletion_time": deletion, "destroyed": destroyed,
        "version": number, "custom_metadata": null });
    json!({ "lease_id": "", "lease_duration": 0, "data": { "data": data, "metadata": metadata } })
}

fn kv2(value: &str) -> Reply {
    Reply::json(200, &version(&json!({ "a": value }), 3, "", false))
}

#[tokio::test]
async fn text_is_unescaped_and_everything_else_keeps_its_spelling() {
    let world = World::with_token(|_| {
        let body = r#"{"data":{"data":{"t":"a\u00e9\n","n":1.50,"big":12345678901234567890123,"e":1e400,"z":null,"o":{"x" :1}},
            "metadata":{"version":3,"created_time":"2026-01-01T00:00:00Z","deletion_time":"","destroyed":false}}}"#;
        Reply::new(200, body)
    });
    let Payload::Fields(fields) = world.current("kv2/a").await.unwrap().payload else { panic!("fields") };
    for (key, text, encoding) in [
        ("t", "aé\n", Encoding::Text),
        ("n", "1.50", Encoding::Json),
        ("big", "12345678901234567890123", Encoding::Json),
        ("e", "1e400", Encoding::Json),
        ("z", "null", Encoding::Json),
        ("o", r#"{"x" :1}"#, Encoding::Json),
    ] {
        assert_eq!(fields[key].value.expose_text(), Some(text));
        assert_eq!(fields[key].encoding, encoding, "{key}");
    }
}

#[tokio::test]
async fn requests_carry_token_namespace_and_an_encoded_path() {
    let world = World::with_token(|_| kv2("x"));
    world.current("/kv2/a b/é@1?x=y#z").await.unwrap();
    let request = world.transport.requests().pop().unwrap();
    assert_eq!(request.uri().path_and_query().unwrap(), "/v1/kv2/data/a%20b/%C3%A9%401%3Fx%3Dy%23z");
    assert_eq!(request.headers()["x-vault-token"], "t0ken");
    assert!(request.headers()["x-vault-token"].is_sensitive());
    assert_eq!(request.headers()["x-vault-namespace"], "team/prod");
    assert_eq!(request.headers()["x-vault-request"], "true");
}

#[tokio::test]
async fn deleted_destroyed_missing_and_the_missing_version_are_told_apart() {
    let gone = |deletion: &str, destroyed| Reply::json(404, &version(&Value::Null, 2, deletion, destroyed));
    let world = World::with_token(move |target| match target {
        "/v1/kv2/data/deleted" => gone("2025-12-31T00:00:00Z", false),
        "/v1/kv2/data/destroyed" => gone("", true),
        "/v1/kv2/data/there" => kv2("x"),
        "/v1/kv2/data/wrong" => Reply::json(404, &json!({ "errors": ["no handler for route \"x\""] })),
        "/v1/kv2/data/odd" => gone("", false),
        _ => Reply::json(404, &json!({ "errors": [] })),
    });
    let id = |number: &str| Selector::Id(number.into());
    for (name, selector, expected) in [
        ("kv2/deleted", Selector::Current, ErrorKind::Deleted),
        ("kv2/destroyed", Selector::Current, ErrorKind::Destroyed),
        ("kv2/none", Selector::Current, ErrorKind::NotFound),
        ("kv2/none", id("2"), ErrorKind::NotFound),
        ("kv2/there", id("9"), ErrorKind::VersionNotFound),
        ("kv2/deleted", id("9"), ErrorKind::VersionNotFound),
        ("kv2/there", id("0"), ErrorKind::VersionNotFound),
        ("kv2/there", id("99999999999999999999"), ErrorKind::VersionNotFound),
        ("kv2/there", Selector::Label("blue".into()), ErrorKind::Unsupported),
        ("kv1/there", Selector::Previous, ErrorKind::Unsupported),
        ("db/creds/x", id("1"), ErrorKind::Unsupported),
        ("kv2/odd", Selector::Current, ErrorKind::Malformed),
        ("kv2/wrong", Selector::Current, ErrorKind::Config),
    ] {
        assert_eq!(world.get(name, selector.clone()).await.unwrap_err().kind(), expected, "{name} {selector:?}");
    }
}

#[tokio::test]
async fn a_deletion_ahead_ends_a_value_early_and_a_ttl_of_kv1_advises() {
    let world = World::with_token(|target| match target {
        "/v1/kv2/data/a" => Reply::json(200, &version(&json!({}), 1, "2026-01-01T00:10:00Z", false)),
        "/v1/kv1/plain" => Reply::json(200, &json!({ "lease_duration": 2_764_800, "data": { "a": "b" } })),
        _ => Reply::json(200, &json!({ "lease_duration": 30, "data": { "a": "b", "ttl": "30s" } })),
    });
    let start = lockstep_testkit::clock::START;
    assert_eq!(world.current("kv2/a").await.unwrap().expires, Some(start.plus(MINUTE * 10)));
    assert_eq!(world.current("kv1/plain").await.unwrap().expires, None);
    assert_eq!(world.current("kv1/ttl").await.unwrap().expires, Some(start.plus(Duration::from_secs(30))));
}

fn leased() -> Reply {
    let data = json!({ "username": "u", "password": "c4n4ry" });
    Reply::json(200, &json!({ "lease_id": "db/creds/app/1", "renewable": true, "lease_duration": 3600, "data": data }))
}

#[tokio::test]
async fn a_dynamic_secret_has_its_lease() {
    let world = World::with_token(|_| leased());
    let secret = world.current("db/creds/app").await.unwrap();
    assert!(!format!("{secret:?}").contains("c4n4ry") && !format!("{secret:?}").contains("app/1"), "{secret:?}");
    assert_eq!(secret.expires, None, "renewals move the end, so it stands in the lease alone");
    let lease = secret.lease.unwrap();
    assert_eq!((lease.duration, lease.renewable), (MINUTE * 60, true));
    assert_eq!(lease.id.expose(), b"db/creds/app/1");
}

/// Break: the `retry(Retry::Never)` of `VaultProvider::credential`.
#[tokio::test]
async fn a_dynamic_secret_is_never_sent_twice_whatever_comes_of_it() {
    let failures: [fn() -> Reply; 8] = [
        || Reply::json(500, &json!({ "errors": ["c4n4ry"] })),
        || Reply::new(503, "").header("retry-after", "1"),
        || Reply::new(429, ""),
        || Reply::new(412, ""),
        || Reply::new(200, "{ cut"),
        || Reply::Fail(Error::new(ErrorKind::Network, "the connection broke")),
        || Reply::Fail(Error::new(ErrorKind::Timeout, "no answer")),
        forbidden,
    ];
    for failure in failures {
        let world = World::with_token(move |_| failure());
        let error = world.current("db/creds/app").await.unwrap_err();
        assert_eq!(error.retry_hint(), Retry::Never, "{error:?}");
        assert_eq!(world.sent("/v1/db/creds/app"), 1, "{error:?}");
    }
}

#[tokio::test]
async fn what_fails_before_a_dynamic_secret_is_sent_may_be_tried_again() {
    let world = World::with_approle(|_| Reply::new(503, ""));
    let error = world.current("db/creds/app").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unavailable, Retry::After(None)));
    assert_eq!(world.sent("/v1/db/creds/app"), 0);
}

#[tokio::test]
async fn static_credentials_end_with_their_rotation_and_may_be_read_again() {
    let world = World::with_token(|target| match target {
        "/v1/db/static-creds/ok" => Reply::json(200, &json!({ "data": { "password": "x", "ttl": 90 } })),
        _ => Reply::new(500, ""),
    });
    let secret = world.current("db/static-creds/ok").await.unwrap();
    assert_eq!(secret.expires, Some(lockstep_testkit::clock::START.plus(Duration::from_secs(90))));
    assert!(secret.lease.is_none());
    let error = world.current("db/static-creds/down").await.unwrap_err();
    assert_eq!(error.retry_hint(), Retry::After(None));
}

#[tokio::test]
async fn a_lease_is_renewed_and_revoked_by_its_id() {
    let world = World::with_token(|target| match target {
        "/v1/sys/leases/renew" => {
            Reply::json(200, &json!({ "lease_id": "db/1", "lease_duration": 60, "renewable": false }))
        }
        _ => Reply::new(204, ""),
    });
    let lease = Lease { id: "db/1".into(), duration: MINUTE * 60, renewable: true };
    let renewed = world.provider.renew(&call(&world.clock), &lease).await.unwrap();
    assert_eq!((renewed.duration, renewed.renewable), (MINUTE, false));
    world.provider.revoke(&call(&world.clock), &lease).await.unwrap();
    let bodies: Vec<_> =
        world.transport.requests().iter().map(|request| String::from_utf8(request.body().to_vec()).unwrap()).collect();
    assert_eq!(bodies[1..], [r#"{"lease_id":"db/1","increment":3600}"#, r#"{"lease_id":"db/1"}"#]);
}

#[tokio::test]
async fn a_login_is_made_once_for_everybody_and_renewed_at_two_thirds() {
    let gate = Gate::new();
    let held = gate.clone();
    let world = World::with_approle(move |request| match request.uri().path() {
        "/v1/auth/approle/login" => login("t1", 600).behind(&held),
        "/v1/auth/token/renew-self" => login("t1", 600),
        _ => kv2("x"),
    });
    let many = futures_util::future::join_all((0..50).map(|_| world.current("kv2/a")));
    let (answers, ()) = tokio::join!(many, async {
        world.transport.until_sent(1).await;
        gate.open();
    });
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(world.sent("/login"), 1);
    let body = world.transport.requests()[0].body().clone();
    assert_eq!(&body[..], br#"{"role_id":"role","secret_id":"s3cret"}"#);

    world.clock.advance(Duration::from_secs(399));
    world.current("kv2/a").await.unwrap();
    assert_eq!(world.sent("/renew-self"), 0);
    world.clock.advance(Duration::from_secs(1));
    world.current("kv2/a").await.unwrap();
    world.current("kv2/a").await.unwrap();
    assert_eq!((world.sent("/renew-self"), world.sent("/login")), (1, 1));
    world.clock.advance(Duration::from_secs(601));
    world.current("kv2/a").await.unwrap();
    assert_eq!((world.sent("/renew-self"), world.sent("/login")), (1, 2), "past its end there is nothing to renew");
}

/// C6 for the login: break `Timeline` in `Login::new` by reading one clock alone.
#[tokio::test]
async fn c6_a_token_ends_when_the_wall_clock_says_so() {
    let world = World::with_approle(|request| match request.uri().path() {
        "/v1/auth/approle/login" => login("t1", 600),
        _ => kv2("x"),
    });
    world.current("kv2/a").await.unwrap();
    world.clock.advance_wall(MINUTE * 60);
    world.current("kv2/a").await.unwrap();
    assert_eq!(world.sent("/login"), 2);
}

#[tokio::test]
async fn a_renewal_that_fails_for_a_moment_leaves_the_token_in_use() {
    let world = World::with_approle(|request| match request.uri().path() {
        "/v1/auth/approle/login" => login("t1", 600),
        "/v1/auth/token/renew-self" => Reply::new(503, ""),
        _ => kv2("x"),
    });
    world.current("kv2/a").await.unwrap();
    world.clock.advance(Duration::from_secs(450));
    for _ in 0..5 {
        world.current("kv2/a").await.unwrap();
    }
    assert_eq!((world.sent("/renew-self"), world.sent("/login")), (1, 1), "and is not tried at every read");
}

#[tokio::test]
async fn followers_share_a_login_that_failed() {
    let gate = Gate::new();
    let held = gate.clone();
    let world = World::with_approle(move |_| {
        Reply::json(400, &json!({ "errors": ["c4n4ry invalid role or secret ID"] })).behind(&held)
    });
    let many = futures_util::future::join_all((0..50).map(|_| world.current("kv2/a")));
    let (answers, ()) = tokio::join!(many, async {
        world.transport.until_sent(1).await;
        gate.open();
    });
    for answer in answers {
        let error = answer.unwrap_err();
        assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never));
        assert_eq!(error.operation(), Some(lockstep_core::Operation::Login));
        assert!(!format!("{error} {error:?}").contains("c4n4ry"));
    }
    assert_eq!(world.sent("/login"), 1);
}

#[tokio::test]
async fn a_403_is_denied_when_the_token_is_good_and_a_new_login_when_it_is_over() {
    let world = World::with_approle({
        let mut logins = 0;
        move |request| {
            let token = request.headers().get("x-vault-token").map(|value| value.to_str().unwrap().to_owned());
            match (request.uri().path(), token.as_deref()) {
                ("/v1/auth/approle/login", _) => {
                    logins += 1;
                    login(&format!("t{logins}"), 3600)
                }
                ("/v1/auth/token/lookup-self" | "/v1/kv2/data/a", Some("t1")) | ("/v1/kv2/data/secret", _) => {
                    forbidden()
                }
                ("/v1/auth/token/lookup-self", _) => token_is_good(),
                _ => kv2("x"),
            }
        }
    });
    // Made a moment ago: the refusal is believed without asking.
    assert_eq!(world.current("kv2/secret").await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(world.sent("/lookup-self"), 0);
    world.clock.advance(MINUTE);
    let error = world.current("kv2/a").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::OnceWithFreshCredentials));
    world.current("kv2/a").await.unwrap();
    world.clock.advance(MINUTE);
    for _ in 0..3 {
        let error = world.current("kv2/secret").await.unwrap_err();
        assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Denied, Retry::Never));
    }
    assert_eq!((world.sent("/login"), world.sent("/lookup-self")), (2, 2), "one look-up for a burst of refusals");
}

/// Break: `of_login` in `Login::refused`; the secret would be remembered as missing.
#[tokio::test]
async fn a_look_up_that_finds_nothing_is_no_secret_that_is_not_there() {
    let world = World::with_approle(|request| match request.uri().path() {
        "/v1/auth/approle/login" => login("t1", 3600),
        "/v1/auth/token/lookup-self" => Reply::json(404, &json!({ "errors": [] })),
        _ => forbidden(),
    });
    assert_eq!(world.current("kv2/a").await.unwrap_err().kind(), ErrorKind::Denied);
    world.clock.advance(MINUTE);
    let error = world.current("kv2/a").await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unauthenticated, Some(lockstep_core::Operation::Login)));
    assert_eq!(world.sent("/lookup-self"), 1);
}

/// Break: the arm for `TooLarge` in `of_login` of the life-cycle; a chain would end at a page of 5 MiB.
#[tokio::test]
async fn what_is_too_large_for_a_login_is_no_answer_about_a_secret() {
    let world = World::with_approle(|_| Reply::new(200, vec![b' '; 5 << 20]));
    let error = world.current("kv2/a").await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Malformed, Some(lockstep_core::Operation::Login)));
}

#[tokio::test]
async fn a_token_is_read_again_once_the_server_refuses_it() {
    let auth = VaultAuth::Token(Credential::Env("TOKEN".into()).into());
    let world = World::new(
        auth,
        FakeTransport::by(|request| match request.headers()["x-vault-token"].to_str().unwrap() {
            "t0ken" => forbidden(),
            _ if request.uri().path().ends_with("lookup-self") => token_is_good(),
            _ => kv2("x"),
        }),
    );
    let error = world.current("kv2/a").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never));
    world.env.set("TOKEN", "better");
    world.current("kv2/a").await.unwrap();
}

#[tokio::test]
async fn a_mount_is_asked_for_once_and_a_hidden_one_says_what_to_do() {
    let world = World::with_token(|target| match target {
        "/v1/sys/internal/ui/mounts/team/kv/a" => {
            Reply::json(200, &json!({ "data": { "path": "team/kv/", "type": "kv", "options": { "version": "2" } } }))
        }
        "/v1/sys/internal/ui/mounts/sys/seal" => {
            Reply::json(200, &json!({ "data": { "path": "sys/", "type": "system", "options": null } }))
        }
        "/v1/team/kv/data/a" => kv2("x"),
        _ => forbidden(),
    });
    for _ in 0..3 {
        let secret = world.current("team/kv/a").await.unwrap();
        assert_eq!(secret.id.name.as_str(), "team/kv/a");
    }
    assert_eq!(world.sent("/mounts/team/kv/a"), 1);
    let error = world.current("hidden/a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("`mounts`"), "{error}");
    assert_eq!(world.current("sys/seal").await.unwrap_err().kind(), ErrorKind::InvalidName);
    assert_eq!(world.sent("/v1/sys/seal"), 0, "the server itself is never read");
}

/// `auth/token/lookup-self` answers with the token itself. Break: the check at the top of `VaultProvider::place`.
#[tokio::test]
async fn l9_our_own_token_is_no_secret_that_a_caller_can_read() {
    let world = World::with_token(|_| {
        Reply::json(200, &json!({ "data": { "path": "auth/token/", "type": "token", "id": "canary-token" } }))
    });
    for name in ["auth/token/lookup-self", "/auth/token/lookup-self", "sys/internal/ui/mounts", "auth/approle/role/r"] {
        assert_eq!(world.current(name).await.unwrap_err().kind(), ErrorKind::InvalidName, "{name}");
    }
    assert_eq!(world.transport.count(), 0, "nobody was asked");
}

/// M2. Break: hand the transport's bytes on as they are in `Http::send`.
#[tokio::test]
async fn m2_what_the_server_answered_is_wiped_by_its_last_reader() {
    let world = World::with_token(|_| kv2("x"));
    let http = super::http::Http {
        cluster: super::cluster::Cluster::new(&["https://vault.internal:8200".into()], world.clock.clone()).unwrap(),
        index: super::index::Index::default(),
        forward_stale: false,
        namespace: None,
        members: MAX_MEMBERS,
        transport: world.transport.clone(),
    };
    let answer = http.send(&call(&world.clock), &super::http::Ask::get("kv2/data/a")).await.unwrap();
    assert!(answer.into_body().try_into_mut().is_err(), "the bytes belong to what wipes them");
}

/// O2: break `error_of` by following the `Location`.
#[tokio::test]
async fn o2_a_redirect_is_an_error_and_is_not_followed() {
    let world = World::with_token(|_| Reply::new(307, "").header("location", "https://evil.test/v1/kv2/data/a"));
    assert_eq!(world.current("kv2/a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(world.transport.count(), 2);
}

/// T3: break the type of `lease_duration` in `Auth` or of `ttl` in `LookupData` by making it signed.
#[tokio::test]
async fn t3_a_negative_or_absurd_time_never_becomes_a_token_without_end() {
    for duration in ["-1", "1e99", "18446744073709551616", "\"10y\"", "null"] {
        let body = format!(r#"{{"auth":{{"client_token":"t","lease_duration":{duration},"renewable":true}}}}"#);
        let world = World::with_approle(move |_| Reply::new(200, body.clone()));
        assert_eq!(world.current("kv2/a").await.unwrap_err().kind(), ErrorKind::Malformed, "{duration}");
    }
}

/// M1: break `Debug` of the provider by deriving it down to the token, or `malformed` by quoting the answer.
#[tokio::test]
async fn m1_malformed_answers_and_debug_show_no_value() {
    for body in [
        r#"{"data":{"data":{"a":"c4n4ry"}}}"#,
        r#"{"data":{"data":"c4n4ry","metadata":{}}}"#,
        r#"{"data":["c4n4ry"]}"#,
        r#"{"data":"c4n4ry"#,
        "c4n4ry",
        r#"{"data":{"data":{"a":"\ud800c4n4ry"},"metadata":{"version":1,"created_time":"","deletion_time":"","destroyed":false}}}"#,
    ] {
        for status in [200, 404, 500] {
            let world = World::with_token(move |_| Reply::new(status, body));
            let error = world.current("kv2/a").await.unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let printed = format!("{error} {error:?} {source:?} {:?}", world.provider);
            assert!(!printed.contains("c4n4ry") && !printed.contains("t0ken"), "{printed}");
        }
    }
}

#[tokio::test]
async fn a_list_goes_through_all_visible_mounts_in_order() {
    let folders = BTreeMap::from([
        ("/v1/kv1/?list=true", json!(["b", "a/"])),
        ("/v1/kv1/a/?list=true", json!(["x"])),
        ("/v1/kv2/metadata/?list=true", json!(["c", "bad\u{7f}name"])),
    ]);
    let world = World::with_token(move |target| {
        if target == "/v1/sys/internal/ui/mounts" {
            let mounts = json!({ "kv2/": { "type": "kv", "options": { "version": "2" } },
                "kv1/": { "type": "kv", "options": null }, "db/": { "type": "database", "options": null },
                "sys/": { "type": "system", "options": null } });
            return Reply::json(200, &json!({ "data": { "secret": mounts, "auth": {} } }));
        }
        match folders.get(target) {
            Some(keys) => Reply::json(200, &json!({ "data": { "keys": keys } })),
            None => Reply::json(404, &json!({ "errors": [] })),
        }
    });
    let (mut names, mut token) = (Vec::new(), None);
    loop {
        let page = Page { token: token.take(), limit: Some(1) };
        let part = world.provider.list(&call(&world.clock), "", &Filter::default(), page).await.unwrap();
        names.extend(part.items.into_iter().map(|item| item.name.as_str().to_owned()));
        token = part.next;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(names, ["kv1/a/x", "kv1/b", "kv2/c"]);
}

/// Break: `of_login` in `Login::token`.
#[tokio::test]
async fn a_way_to_log_in_that_is_not_there_is_no_secret_that_is_not_there() {
    let nothing_there = FakeTransport::by(|_| Reply::json(404, &json!({ "errors": [] })));
    let world = World::new(VaultAuth::Token(Credential::Env("TOKEN".into()).into()), nothing_there);
    let error = world.current("kv2/a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.message().contains("namespace"));
}

/// Break: `respelled`.
#[tokio::test]
async fn t1_a_slash_before_the_mount_makes_no_other_name() {
    let provider = World::with_token(|_| forbidden()).provider;
    for (name, other) in [("/kv2/a", Some("kv2/a")), ("kv2/a", None)] {
        let respelled = provider.respelled(&SecretName::parse(name).unwrap());
        assert_eq!(respelled.as_ref().map(SecretName::as_str), other);
    }
}
