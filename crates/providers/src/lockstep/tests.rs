use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{
    Call, Encoding, ErrorKind, Filter, Hops, MAX_MEMBERS, Page, Payload, Provider as _, Relay, Retry, Secret,
    SecretName, Selector, UnixMillis, VersionState,
};
use lockstep_testkit::{
    FakeTransport, ManualClock, Reply, TestEnv, TestFiles, TestRandom, TestSigner, assert_only, call, elsewhere_than,
};
use serde_json::{Value, json};

use super::status::TABLE;
use super::{LockstepProvider, LockstepSettings};
use crate::{Credential, Ports};

struct World {
    provider: LockstepProvider,
    transport: Arc<FakeTransport>,
    env: Arc<TestEnv>,
    clock: Arc<ManualClock>,
}

impl World {
    fn new(provider: Option<&str>, transport: Arc<FakeTransport>) -> Self {
        let (clock, env) = (ManualClock::new(), TestEnv::of(&[("TOKEN", "t0ken")]));
        let ports = Ports {
            transport: transport.clone(),
            env: env.clone(),
            files: TestFiles::new(),
            clock: clock.clone(),
            random: TestRandom::seeded(7),
            signer: Arc::new(TestSigner),
            exec: Arc::new(lockstep_core::NoExec),
        };
        let settings = LockstepSettings {
            address: "https://secrets.internal:2773".into(),
            token: Credential::Env("TOKEN".into()),
            provider: provider.map(str::to_owned),
            members: MAX_MEMBERS,
            environment: String::new(),
        };
        Self { provider: LockstepProvider::new(settings, ports).unwrap(), transport, env, clock }
    }

    fn answering(reply: impl Fn() -> Reply + Send + 'static) -> Self {
        Self::new(None, FakeTransport::by(move |_| reply()))
    }

    fn call(&self) -> Call {
        call(&self.clock)
    }

    async fn get(&self, name: &str) -> lockstep_core::Result<Secret> {
        self.provider.get(&self.call(), &self::name(name), &Selector::Current).await
    }
}

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn released() -> Value {
    json!({
        "name": "db/creds", "id": "db/creds", "provider": "vault", "value": "c4n4ry", "encoding": "utf-8",
        "version": "7", "order": 7, "labels": ["stable"], "created": "2026-05-01T10:00:00Z",
    })
}

#[tokio::test]
async fn a_released_secret_is_read_with_all_that_is_known_of_it() {
    let world = World::answering(|| {
        Reply::json(200, &released())
            .header("age", "240")
            .header("cache-status", "lockstep; hit")
            .header("etag", "\"t\"")
    });
    let secret = world.get("db/creds").await.unwrap();
    assert_eq!(secret.payload, Payload::text("c4n4ry"));
    assert_eq!(secret.version, Some(lockstep_core::Version::number(7)));
    assert_eq!((&*secret.labels[0], secret.created), ("stable", UnixMillis::from_rfc3339("2026-05-01T10:00:00Z")));
    assert_eq!(secret.relay, Relay { age: Duration::from_mins(4), stale: None });
    assert_eq!(secret.id.scope.parts().account, "vault", "two providers behind it never share an entry");
    assert!(!format!("{secret:?}").contains("c4n4ry"));

    let request = &world.transport.requests()[0];
    assert_eq!(request.uri(), "https://secrets.internal:2773/api/v1/secrets?name=db%2Fcreds");
    assert_eq!(request.headers()["authorization"], "Bearer t0ken");
    assert!(request.headers()["authorization"].is_sensitive());
}

/// Break: leave `stale` or `lease` out of `Released::secret` or `relay`.
#[tokio::test]
async fn bytes_stale_answers_and_leases_are_told_apart() {
    let mut binary = released();
    (binary["value"], binary["encoding"]) = (json!("AAEC/w=="), json!("base64"));
    let secret = World::answering(move || Reply::json(200, &binary)).get("db/creds").await.unwrap();
    let Payload::Whole(field) = &secret.payload else { panic!("{secret:?}") };
    assert_eq!((field.value.expose(), field.encoding), (&[0, 1, 2, 255][..], Encoding::Binary));

    for (status, expected) in [
        ("lockstep; hit; detail=stale-throttled", Some(ErrorKind::Throttled)),
        ("lockstep; hit; detail=stale-of_another_time", Some(ErrorKind::Unavailable)),
        ("lockstep; fwd=miss", None),
    ] {
        let world = World::answering(move || Reply::json(200, &released()).header("cache-status", status));
        assert_eq!(world.get("db/creds").await.unwrap().relay.stale, expected, "{status}");
    }

    let mut leased = released();
    leased["lease"] = json!({ "seconds": 60, "renewable": true });
    let world = World::answering(move || Reply::json(200, &leased).header("age", "20"));
    let secret = world.get("db/creds").await.unwrap();
    assert_eq!(secret.expires, Some(world.call().clock().wall().plus(Duration::from_secs(40))));
}

/// Break: any header in `send`.
#[tokio::test]
async fn what_a_call_carries_travels_along() {
    let world = World::new(Some("aws"), FakeTransport::by(|_| Reply::json(200, &released())));
    let mut call = world.call();
    call.hops = Hops::parse("a1 b2").unwrap();
    call.skip_caches = true;
    call.trace.0 = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
    world.provider.get(&call, &name("x"), &Selector::Label("AWSPENDING".into())).await.unwrap();
    let request = &world.transport.requests()[0];
    assert_eq!(request.uri().query().unwrap(), "name=x&version=AWSPENDING&provider=aws");
    let header = |name| request.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("lockstep-hops"), "a1 b2");
    assert_eq!(header("cache-control"), "no-cache");
    assert!(header("traceparent").starts_with("00-4bf9"));
    assert_eq!(header("x-request-id"), call.request_id().to_string());
}

/// Break: leave `IF_NONE_MATCH` out, or answer what is held without the new `relay`.
#[tokio::test]
async fn what_is_held_is_asked_for_by_its_tag_and_answered_again_when_it_is_unchanged() {
    let world = World::new(
        None,
        FakeTransport::in_order([
            Reply::json(200, &released()).header("etag", "\"t1\"").header("age", "9"),
            Reply::new(304, "").header("etag", "\"t1\"").header("age", "3"),
            Reply::new(304, ""),
        ]),
    );
    let first = Arc::new(world.get("db/creds").await.unwrap());
    let mut call = world.call();
    call.held = Some(Arc::clone(&first));
    let second = world.provider.get(&call, &name("db/creds"), &Selector::Current).await.unwrap();
    assert_eq!(world.transport.requests()[1].headers()["if-none-match"], "\"t1\"");
    assert_eq!(second.relay.age, Duration::from_secs(3));
    let same = |secret: &Secret| (secret.version.clone(), secret.labels.clone(), secret.created);
    assert_eq!((second.payload == first.payload, same(&second)), (true, same(&first)));
    assert_eq!(second.attributes, first.attributes, "and can be asked for by its tag once more");

    let unasked = world.get("db/creds").await.unwrap_err();
    assert_eq!(unasked.kind(), ErrorKind::Unavailable, "nobody holds what this is about: {unasked}");
}

/// Break: any row of `TABLE`.
#[tokio::test]
async fn each_problem_is_its_kind_and_every_row_has_a_case() {
    let cases = [
        ("bad_token", 403, ErrorKind::Unauthenticated),
        ("denied", 403, ErrorKind::Denied),
        ("provider_denied", 502, ErrorKind::Denied),
        ("provider_unauthenticated", 502, ErrorKind::Unauthenticated),
        ("not_found", 404, ErrorKind::NotFound),
        ("version_not_found", 404, ErrorKind::VersionNotFound),
        ("deleted", 410, ErrorKind::Deleted),
        ("destroyed", 410, ErrorKind::Destroyed),
        ("disabled", 409, ErrorKind::Disabled),
        ("decrypt", 502, ErrorKind::Decrypt),
        ("conflict", 409, ErrorKind::Conflict),
        ("rotation_in_progress", 409, ErrorKind::RotationInProgress),
        ("rotation_not_configured", 409, ErrorKind::RotationNotConfigured),
        ("quota_exceeded", 502, ErrorKind::QuotaExceeded),
        ("unsupported", 501, ErrorKind::Unsupported),
        ("invalid_name", 400, ErrorKind::InvalidName),
        ("invalid_reference", 400, ErrorKind::InvalidReference),
        ("invalid_parameter", 400, ErrorKind::InvalidName),
        ("invalid_target", 400, ErrorKind::InvalidName),
        ("too_large", 502, ErrorKind::TooLarge),
        ("circle", 508, ErrorKind::Config),
        ("config", 500, ErrorKind::Config),
        ("forwarded", 400, ErrorKind::Config),
        ("forbidden_host", 403, ErrorKind::Config),
        ("no_such_route", 404, ErrorKind::Config),
        ("method_not_allowed", 405, ErrorKind::Config),
        ("too_many_connections", 429, ErrorKind::Throttled),
        ("throttled", 503, ErrorKind::Throttled),
        ("unavailable", 503, ErrorKind::Unavailable),
        ("circuit_open", 503, ErrorKind::Unavailable),
        ("timeout", 504, ErrorKind::Timeout),
        ("network", 502, ErrorKind::Unavailable),
        ("tls", 502, ErrorKind::Unavailable),
        ("malformed", 502, ErrorKind::Unavailable),
        ("internal", 500, ErrorKind::Unavailable),
    ];
    for (code, status, kind) in cases {
        let body = json!({ "code": code, "detail": "c4n4ry", "request_id": "r-1" });
        let world = World::answering(move || Reply::json(status, &body).header("retry-after", "7"));
        let error = world.get("a").await.unwrap_err();
        assert_eq!((error.kind(), error.upstream_code()), (kind, Some(code)));
        assert!(!format!("{error} {error:?}").contains("c4n4ry"), "{error:?}");
        if matches!(kind, ErrorKind::Throttled | ErrorKind::Unavailable) {
            assert_eq!(error.retry_hint(), Retry::After(Some(Duration::from_secs(7))), "{code}");
        }
    }
    // What no endpoint says is not passed on, though it looks like a code.
    let world = World::answering(|| Reply::json(418, &json!({ "code": "c4n4ry", "request_id": "c4n4ry" })));
    let error = world.get("a").await.unwrap_err();
    assert_eq!((error.upstream_code(), error.upstream_request_id()), (Some(""), None));
    let rows: Vec<_> = TABLE.iter().map(|row| row.code).collect();
    println!("lockstep: {} rows, {} covered", rows.len(), cases.len());
    assert_eq!(rows, cases.map(|case| case.0));
}

#[tokio::test]
async fn a_batch_is_asked_for_in_parts_and_each_result_is_its_own() {
    let transport = FakeTransport::by(|request| {
        let asked: Value = serde_json::from_slice(request.body()).unwrap();
        let result = |item: &Value| match item["name"].as_str().unwrap() {
            "gone" => json!({ "name": "gone", "error": { "code": "not_found" } }),
            "old" => json!({ "name": "old", "secret": { "cache": "stale", "name": "old", "id": "old", "provider": "p",
                "value": "v", "encoding": "utf-8" } }),
            other => json!({ "name": other, "secret": { "name": other, "id": other, "provider": "p", "value": other,
                "encoding": "utf-8" } }),
        };
        let results: Vec<_> = asked["secrets"].as_array().unwrap().iter().map(result).collect();
        Reply::json(200, &json!({ "results": results }))
    });
    let world = World::new(None, transport);
    let mut wanted: Vec<_> = (0..23).map(|n| (name(&format!("n{n}")), Selector::Current)).collect();
    wanted[3].0 = name("gone");
    wanted[21].0 = name("old");
    let results = world.provider.get_many(&world.call(), &wanted).await;
    assert_eq!(world.transport.count(), 2);
    assert_eq!(results.len(), 23);
    assert_eq!(results[3].as_ref().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(results[21].as_ref().unwrap().relay.stale, Some(ErrorKind::Unavailable));
    assert_eq!(results[22].as_ref().unwrap().payload, Payload::text("n22"));
}

#[tokio::test]
async fn names_facts_and_versions_are_read_and_pages_go_on() {
    let transport = FakeTransport::by(|request| match request.uri().path() {
        "/api/v1/secrets" => Reply::json(
            200,
            &json!({ "secrets": [{ "name": "a", "id": "a", "provider": "p", "tags": { "team": "x" }, "rotation_enabled": true }],
                "next": "p2" }),
        ),
        "/api/v1/metadata" => {
            Reply::json(200, &json!({ "name": "a", "id": "a", "provider": "p", "deleted": "2026-05-01T10:00:00Z" }))
        }
        "/api/v1/versions" => Reply::json(
            200,
            &json!({ "versions": [{ "version": "2", "order": 2, "labels": [], "state": "disabled" }] }),
        ),
        "/api/v1/rotate" => Reply::json(200, &json!({ "name": "a", "version": "3", "order": 3 })),
        other => panic!("{other}"),
    });
    let world = World::new(None, transport);
    let (call, a) = (world.call(), name("a"));
    let filter = Filter { tags: vec![("team".into(), Some("x y".into())), ("env".into(), None)] };
    let page = Page { token: Some("p1".into()), limit: Some(5) };
    let listed = world.provider.list(&call, "a/", &filter, page).await.unwrap();
    assert_eq!((listed.items[0].tags["team"].as_str(), listed.next.as_deref()), ("x", Some("p2")));
    assert!(world.provider.describe(&call, &a).await.unwrap().deleted.is_some());
    let versions = world.provider.versions(&call, &a, Page::default()).await.unwrap();
    assert_eq!((versions.items[0].state, versions.next), (VersionState::Disabled, None));
    assert_eq!(world.provider.rotate(&call, &a).await.unwrap().version.unwrap().order, Some(3));
    world.provider.check(&call).await.unwrap();
    assert_eq!(
        world.transport.lines(),
        [
            "GET /api/v1/secrets?prefix=a%2F&tag=team%3Dx%20y&tag=env&page=p1&limit=5",
            "GET /api/v1/metadata?name=a",
            "GET /api/v1/versions?name=a",
            "POST /api/v1/rotate?name=a",
            "GET /api/v1/secrets?limit=1",
        ]
    );
}

/// Break: let any of the parsers through in `Released::secret`, or quote the answer.
#[tokio::test]
async fn m1_an_answer_that_is_none_is_malformed_and_not_quoted() {
    let wrong = |key: &str, value: Value| {
        let mut body = released();
        body[key] = value;
        body.to_string()
    };
    for body in [
        "c4n4ry".to_owned(),
        "{\"name\":\"c4n4ry\"}".to_owned(),
        wrong("value", json!(["c4n4ry"])),
        wrong("encoding", json!("c4n4ry")),
        wrong("created", json!("c4n4ry")),
        wrong("name", json!("c4n4ry/../x")),
    ] {
        let error = World::answering(move || Reply::new(200, body.clone())).get("a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
        assert!(!format!("{error} {error:?}").contains("c4n4ry"), "{error:?}");
    }
    let world = World::answering(|| Reply::json(200, &released()).header("age", "soon"));
    assert_eq!(world.get("a").await.unwrap_err().kind(), ErrorKind::Malformed);
}

#[tokio::test]
async fn the_token_is_read_anew_and_never_shown() {
    let world = World::answering(|| Reply::json(200, &released()));
    world.get("a").await.unwrap();
    world.env.set("TOKEN", "an0ther");
    world.get("a").await.unwrap();
    assert_eq!(world.transport.requests()[1].headers()["authorization"], "Bearer an0ther");
    world.env.unset("TOKEN");
    let error = world.get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.message().contains("the variable TOKEN"), "{error}");
    assert!(!format!("{:?}", world.provider).contains("t0ken"));
}

/// Break: follow a `Location`.
#[tokio::test]
async fn o1_an_address_that_an_answer_names_is_never_followed_elsewhere() {
    const ENDPOINT: &str = "https://secrets.internal:2773";
    for to in elsewhere_than(ENDPOINT) {
        for status in [301, 302, 303, 307, 308] {
            let location = format!("{to}/api/v1/secrets/db/creds");
            let world = World::answering(move || Reply::new(status, "").header("location", &location));
            let here = world.call();
            assert!(world.get("db/creds").await.is_err(), "{status} {to}");
            let wanted = [(name("a"), Selector::Current), (name("b"), Selector::Current)];
            assert!(world.provider.get_many(&here, &wanted).await.iter().all(Result::is_err), "{status} {to}");
            let filter = Filter::default();
            assert!(world.provider.list(&here, "", &filter, Page::default()).await.is_err(), "{status} {to}");
            assert!(world.provider.describe(&here, &name("a")).await.is_err(), "{status} {to}");
            assert!(world.provider.rotate(&here, &name("a")).await.is_err(), "{status} {to}");
            assert_only(&world.transport, &[ENDPOINT]);
        }
    }
}
