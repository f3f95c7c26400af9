use std::time::Duration;

use futures_util::future::{join, join_all};
use lockstep_core::{ErrorKind, Operation, Retry};
use lockstep_testkit::fake::gcp::{AUDIENCE, Google, IMPERSONATED};
use lockstep_testkit::{FakeTransport, Gate, Reply};
use serde_json::{Value, json};

use super::super::{GcpAuth, GcpSettings, GcpSource, GcpTokenType};
use super::{KEY_FILE, MINUTE, World, file, machine, with_key};

const SUBJECT: &str = "/run/subject";
const CREDENTIALS: &str = "/run/credentials.json";
const IMPERSONATION: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/\
                             secrets@acme-prod.iam.gserviceaccount.com:generateAccessToken";

fn federated() -> GcpSettings {
    let source =
        GcpSource::WorkloadIdentity { audience: AUDIENCE.into(), token: file(SUBJECT), token_type: GcpTokenType::Jwt };
    GcpSettings { auth: GcpAuth { source, impersonate: None }, ..machine() }
}

/// Logs in with whatever the machine has.
fn default() -> GcpSettings {
    GcpSettings { auth: GcpAuth::default(), ..machine() }
}

fn impersonating(mut settings: GcpSettings) -> GcpSettings {
    settings.auth.impersonate = Some(IMPERSONATED.into());
    settings
}

fn external() -> Value {
    json!({
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": { "file": SUBJECT },
    })
}

fn with(mut value: Value, member: &str, content: Value) -> Value {
    value[member] = content;
    value
}

/// A world in which every source of a login is at hand.
fn world() -> World {
    let world = World::new();
    world.files.write(SUBJECT, "subject-c4n4ry\n");
    world
}

fn name_file(world: &World, content: &Value) {
    world.files.write(CREDENTIALS, content.to_string());
    world.env.set("GOOGLE_APPLICATION_CREDENTIALS", CREDENTIALS);
}

/// Break: any source.
#[tokio::test]
async fn every_login_reads_and_asks_nobody_but_whom_it_must() {
    let key: Value = serde_json::from_str(&Google::key_file(None)).unwrap();
    let impersonated = json!({
        "type": "impersonated_service_account",
        "service_account_impersonation_url": IMPERSONATION,
        "source_credentials": key,
        "delegates": [],
    });
    let nested = json!({ "file": SUBJECT, "format": { "type": "json", "subject_token_field_name": "token" } });
    for (what, settings, credentials, asked) in [
        ("key", with_key(true), None, ""),
        ("key for a token", with_key(false), None, "oauth2"),
        ("metadata", machine(), None, "metadata"),
        ("workload identity", federated(), None, "sts"),
        ("nothing", default(), None, "metadata"),
        ("key by the variable", default(), Some(key.clone()), ""),
        ("pool by the variable", default(), Some(external()), "sts"),
        ("pool, token in JSON", default(), Some(with(external(), "credential_source", nested)), "sts"),
        (
            "pool that impersonates",
            default(),
            Some(with(external(), "service_account_impersonation_url", json!(IMPERSONATION))),
            "sts impersonate",
        ),
        ("impersonation by the variable", default(), Some(impersonated), "impersonate"),
        ("key that impersonates", impersonating(with_key(true)), None, "impersonate"),
        ("metadata that impersonates", impersonating(machine()), None, "metadata impersonate"),
        ("workload identity that impersonates", impersonating(federated()), None, "sts impersonate"),
    ] {
        let world = world();
        if what == "pool, token in JSON" {
            world.files.write(SUBJECT, r#"{"other":1,"token":"subject-c4n4ry"}"#);
        }
        if let Some(credentials) = credentials {
            name_file(&world, &credentials);
        }
        let provider = world.provider(&settings);
        for _ in 0..3 {
            world.current(&provider, "db").await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        }
        let routes = ["oauth2", "sts", "metadata", "impersonate"];
        let counted: Vec<_> = routes.into_iter().filter(|route| world.google.count(route) > 0).collect();
        assert_eq!(counted.join(" "), asked, "{what}");
        assert!(routes.iter().all(|route| world.google.count(route) <= 1), "{what}: a login is made once");
    }
}

/// Break: the flight of `LoginCache`, or ask it once per read.
#[tokio::test]
async fn a_thousand_reads_at_once_make_one_login_also_when_it_is_refused() {
    for refused in [false, true] {
        let world = world();
        if refused {
            world.google.trouble("impersonate", 403, "PERMISSION_DENIED", "");
        }
        let (gate, google) = (Gate::new(), world.google.clone());
        let held = gate.clone();
        let transport = FakeTransport::by(move |request| {
            let reply = Reply::Answer(google.answer(request));
            if request.uri().host() == Some("sts.googleapis.com") { reply.behind(&held) } else { reply }
        });
        let mut ports = world.ports();
        ports.transport = transport.clone();
        let provider = super::super::GcpSecretManager::new(&impersonating(federated()), ports).unwrap();
        // Every read has begun, and waits, when the gate opens: `join_all` has polled each of them once by then.
        let opened = async {
            transport.until_sent(1).await;
            tokio::task::yield_now().await;
            gate.open();
        };
        let (reads, ()) = join(join_all((0..1000).map(|_| world.current(&provider, "db"))), opened).await;
        assert_eq!(reads.iter().filter(|read| read.is_ok()).count(), if refused { 0 } else { 1000 });
        assert_eq!((world.google.count("sts"), world.google.count("impersonate")), (1, 1), "refused: {refused}");
        assert_eq!(world.google.count("access"), if refused { 0 } else { 1000 });
    }
}

/// Break: `AHEAD`, or the end that a source says.
#[tokio::test]
async fn a_token_is_renewed_before_its_end_and_never_served_after_it() {
    for (settings, route) in [
        (with_key(false), "oauth2"),
        (machine(), "metadata"),
        (federated(), "sts"),
        (impersonating(with_key(true)), "impersonate"),
    ] {
        let world = world();
        let provider = world.provider(&settings);
        world.current(&provider, "db").await.unwrap();
        world.clock.advance(MINUTE * 54);
        world.current(&provider, "db").await.unwrap();
        assert_eq!(world.google.count(route), 1, "{route}: more than five minutes are left");
        world.clock.advance(MINUTE * 2);
        world.current(&provider, "db").await.unwrap();
        assert_eq!(world.google.count(route), 2, "{route}: it is renewed ahead");
        world.clock.advance(MINUTE * 120);
        world.current(&provider, "db").await.unwrap();
        assert_eq!(world.google.count(route), 3, "{route}: it is over");
    }
    // A key signs for itself; the fake would refuse a token that is over.
    let world = world();
    let provider = world.provider(&with_key(true));
    for _ in 0..5 {
        world.current(&provider, "db").await.unwrap();
        world.clock.advance(MINUTE * 37);
    }
}

/// Break: `keep` of `LoginCache`, or the kind of a refused login.
#[tokio::test]
async fn a_refused_renewal_leaves_the_token_until_its_end_and_is_then_an_error_of_the_login() {
    for (settings, route, kind) in [
        (machine(), "metadata", ErrorKind::Unauthenticated),
        (impersonating(with_key(true)), "impersonate", ErrorKind::Unauthenticated),
    ] {
        let world = world();
        let provider = world.provider(&settings);
        world.current(&provider, "db").await.unwrap();
        world.clock.advance(MINUTE * 56);
        for _ in 0..2 {
            world.google.trouble(route, 404, "NOT_FOUND", "");
        }
        world.current(&provider, "db").await.unwrap();
        world.clock.advance(MINUTE * 10);
        let error = world.current(&provider, "db").await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (kind, Some(Operation::Login)), "{route}");
        assert_eq!(error.retry_hint(), Retry::Never);
        // Nothing was learned of the secret, and the next login works.
        world.current(&provider, "db").await.unwrap();
    }
}

/// Break: read the token or the key once.
#[tokio::test]
async fn a_token_file_and_a_key_file_that_were_rotated_are_read_again() {
    let world = world();
    let provider = world.provider(&federated());
    world.current(&provider, "db").await.unwrap();
    world.google.subject_token("second-c4n4ry");
    world.files.write(SUBJECT, "second-c4n4ry");
    world.clock.advance(MINUTE * 60);
    world.current(&provider, "db").await.unwrap();
    assert_eq!(world.files.reads(SUBJECT), 2);

    let provider = world.provider(&with_key(true));
    let before = world.files.reads(KEY_FILE);
    world.current(&provider, "db").await.unwrap();
    world.clock.advance(MINUTE * 60);
    world.current(&provider, "db").await.unwrap();
    assert_eq!(world.files.reads(KEY_FILE), before + 2);
}

/// Break: leave out the `refuse` of `Client::get`.
#[tokio::test]
async fn a_token_that_is_not_accepted_is_dropped_before_the_error_says_try_again() {
    let world = world();
    let provider = world.provider(&machine());
    world.current(&provider, "db").await.unwrap();
    world.google.revoke_all();
    let error = world.current(&provider, "db").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::OnceWithFreshCredentials));
    world.current(&provider, "db").await.unwrap();
    assert_eq!(world.google.count("metadata"), 2);
}

/// Break: the header in either direction.
#[tokio::test]
async fn what_does_not_say_that_it_is_googles_metadata_server_gives_no_token() {
    let world = world();
    world.google.leave_out_flavor();
    let error = world.current(&world.provider(&machine()), "db").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(world.google.count("access"), 0);
    let request = world.transport.requests().pop().unwrap();
    assert_eq!(request.headers()["metadata-flavor"], "Google");
    assert_eq!(request.uri().host(), Some("metadata.google.internal"));

    world.env.set("GCE_METADATA_HOST", "127.0.0.1:8080");
    let _ = world.current(&world.provider(&machine()), "db").await;
    let request = world.transport.requests().pop().unwrap();
    assert_eq!(request.uri().authority().unwrap(), "127.0.0.1:8080");
    world.env.set("GCE_METADATA_HOST", "user@evil.example/x");
    let error = world.current(&world.provider(&machine()), "db").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_metadata_token_without_the_scope_says_so() {
    let world = world();
    world.google.metadata_scopes("https://www.googleapis.com/auth/devstorage.read_only");
    let error = world.current(&world.provider(&machine()), "db").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.message().contains("cloud-platform"), "{error}");
}

/// Break: what the identity of a scope is made of.
#[test]
fn two_identities_never_share_a_scope() {
    use lockstep_core::Provider as _;
    let world = world();
    let other = GcpSettings { universe_domain: Some("s3nsapis.fr".into()), ..machine() };
    let regional = GcpSettings { location: Some("europe-west3".into()), ..machine() };
    let settings = [
        machine(),
        GcpSettings { auth: GcpAuth::default(), ..machine() },
        with_key(true),
        federated(),
        impersonating(machine()),
        impersonating(federated()),
        other,
        regional,
        GcpSettings { project: "other".into(), ..machine() },
    ];
    let scopes: std::collections::BTreeSet<_> =
        settings.iter().map(|settings| world.provider(settings).scope().clone()).collect();
    assert_eq!(scopes.len(), settings.len());
}

/// Break: put a token, or what an endpoint answered, into an error or a `Debug`.
#[tokio::test]
async fn m1_no_token_key_or_answer_of_a_login_is_in_any_error() {
    for (settings, route) in [
        (with_key(false), "oauth2"),
        (machine(), "metadata"),
        (federated(), "sts"),
        (impersonating(machine()), "impersonate"),
        (machine(), "access"),
    ] {
        for status in [400, 401, 403, 404, 429, 500, 503] {
            let world = world();
            world.google.trouble(route, status, "c4n4ry", "c4n4ry");
            let provider = world.provider(&settings);
            let error = world.current(&provider, "db").await.unwrap_err();
            let mut shown = format!("{error} {error:?} {provider:?} {:?}", error.upstream_code());
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                shown = format!("{shown} {cause} {cause:?}");
                source = cause.source();
            }
            assert!(!shown.contains("c4n4ry") && !shown.contains("ya29") && !shown.contains("eyJ"), "{shown}");
            assert_ne!(error.kind(), ErrorKind::VersionNotFound);
            if route != "access" {
                assert_eq!(error.operation(), Some(Operation::Login), "{route} {status}");
                assert_ne!(error.kind(), ErrorKind::NotFound, "{route} {status}");
            }
        }
    }
}

/// A metadata server is beside the machine: a call does not wait longer than three seconds for it.
///
/// Break: `TIME` of the metadata login.
#[tokio::test]
async fn a_metadata_server_that_is_not_there_is_not_waited_for() {
    use lockstep_core::{Call, Error, Limits, Provider as _, SecretName, Selector, Transport};
    struct Nowhere(std::sync::Mutex<Vec<Duration>>);
    #[async_trait::async_trait]
    impl Transport for Nowhere {
        async fn send(
            &self,
            _: http::Request<bytes::Bytes>,
            limits: Limits,
        ) -> Result<http::Response<bytes::Bytes>, Error> {
            self.0.lock().unwrap().push(limits.time);
            Err(Error::new(ErrorKind::Network, "no route"))
        }
    }
    let world = world();
    let nowhere = std::sync::Arc::new(Nowhere(std::sync::Mutex::default()));
    let mut ports = world.ports();
    ports.transport = nowhere.clone();
    let provider = super::super::GcpSecretManager::new(&machine(), ports).unwrap();
    let call: Call = lockstep_testkit::call(&world.clock);
    let error = provider.get(&call, &SecretName::parse("db").unwrap(), &Selector::Current).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.message().contains("GOOGLE_APPLICATION_CREDENTIALS"), "{error}");
    assert_eq!(*nowhere.0.lock().unwrap(), [Duration::from_secs(3)]);
}
