//! What the provider sends and how it reads what comes back. The real server is in `tests/kubernetes_apiserver.rs`.

mod elsewhere;
mod logins;
mod watching;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockstep_core::{
    Encoding, Error, ErrorKind, Filter, MAX_MEMBERS, Page, Paged, Payload, Provider, Result, Retry, Secret, SecretName,
    Selector, TlsProfile, Transport, Transports,
};
use lockstep_testkit::{FakeTransport, ManualClock, Reply, TestEnv, TestExec, TestFiles, TestRandom, TestSigner, call};
use serde_json::{Value, json};

use super::{KubernetesAuth, KubernetesProvider, KubernetesSettings};
use crate::{Credential, Ports};

/// One transport for whoever asks; it remembers the profiles.
struct Built {
    transport: Arc<FakeTransport>,
    profiles: Mutex<Vec<TlsProfile>>,
}

impl Transports for Built {
    fn build(&self, profile: &TlsProfile) -> Result<Arc<dyn Transport>> {
        self.profiles.lock().unwrap().push(profile.clone());
        Ok(self.transport.clone())
    }
}

struct World {
    transport: Arc<FakeTransport>,
    built: Arc<Built>,
    clock: Arc<ManualClock>,
    env: Arc<TestEnv>,
    files: Arc<TestFiles>,
    exec: Arc<TestExec>,
}

impl World {
    fn new(transport: Arc<FakeTransport>) -> Self {
        let built = Arc::new(Built { transport: transport.clone(), profiles: Mutex::default() });
        let files = TestFiles::new();
        files.write("/token", "t0ken\n");
        let exec = TestExec::by(|_| Err(Error::new(ErrorKind::Config, "nothing is to be run")));
        Self { transport, built, clock: ManualClock::new(), env: TestEnv::of(&[]), files, exec }
    }

    fn by(script: impl FnMut(&http::Request<bytes::Bytes>) -> Reply + Send + 'static) -> Self {
        Self::new(FakeTransport::by(script))
    }

    fn ports(&self) -> Ports {
        Ports {
            random: TestRandom::seeded(7),
            signer: Arc::new(TestSigner),
            exec: self.exec.clone(),
            transport: self.transport.clone(),
            env: self.env.clone(),
            files: self.files.clone(),
            clock: self.clock.clone(),
        }
    }

    fn make(&self, settings: KubernetesSettings) -> Result<KubernetesProvider> {
        KubernetesProvider::new(settings, self.ports(), self.built.clone())
    }

    fn with(&self, auth: Option<KubernetesAuth>) -> KubernetesProvider {
        self.make(KubernetesSettings { auth, namespace: None, ..settings() }).unwrap()
    }

    /// With a token, in the namespace `team`.
    fn provider(&self) -> KubernetesProvider {
        self.make(settings()).unwrap()
    }

    async fn current(&self, provider: &KubernetesProvider, name: &str) -> Result<Secret> {
        provider.get(&call(&self.clock), &SecretName::parse(name).unwrap(), &Selector::Current).await
    }

    async fn list(
        &self,
        prefix: &str,
        tags: &[(&str, Option<&str>)],
        page: Page,
    ) -> Result<Paged<lockstep_core::Metadata>> {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect();
        self.provider().list(&call(&self.clock), prefix, &Filter { tags }, page).await
    }

    /// The token that each request showed.
    fn tokens(&self) -> Vec<String> {
        let token = |request: &http::Request<_>| {
            let value = request.headers().get("authorization")?;
            assert!(value.is_sensitive());
            Some(value.to_str().unwrap().to_owned())
        };
        self.transport.requests().iter().map(|request| token(request).unwrap_or_default()).collect()
    }
}

fn settings() -> KubernetesSettings {
    let token = Credential::File(std::path::Path::new("/token").into());
    KubernetesSettings {
        auth: Some(KubernetesAuth::Token { address: "https://k8s.internal:6443/".into(), token }),
        namespace: Some("team".into()),
        tls: TlsProfile::default(),
        insecure: false,
        watch: true,
        watch_names: Vec::new(),
        members: MAX_MEMBERS,
        environment: String::new(),
    }
}

fn meta(name: &str, version: u64) -> Value {
    let (namespace, name) = name.split_once('/').unwrap_or(("team", name));
    // What `kubectl apply` leaves there.
    let copy = json!({ "kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"a\":\"c4n4ry\"}}" });
    json!({ "name": name, "namespace": namespace, "uid": format!("uid-{name}"), "resourceVersion": version.to_string(),
        "creationTimestamp": "2026-01-01T00:00:00Z", "labels": { "app": name }, "annotations": copy })
}

fn whole(name: &str, data: &Value) -> Reply {
    Reply::json(200, &json!({ "kind": "Secret", "metadata": meta(name, 5), "data": data, "type": "Opaque" }))
}

fn refused(status: u16, reason: &str) -> Reply {
    let body = json!({ "kind": "Status", "status": "Failure", "message": "secrets \"c4n4ry\"", "reason": reason, "code": status });
    Reply::json(status, &body)
}

#[tokio::test]
async fn values_are_text_where_they_are_utf_8_and_else_bytes() {
    let data = json!({ "text": "YcOpCg==", "bytes": "/wA=", "empty": "", "none": null });
    let world = World::by(move |_| whole("db", &data));
    let secret = world.current(&world.provider(), "db").await.unwrap();
    assert_eq!(secret.id.name.as_str(), "team/db");
    assert_eq!(secret.name.as_str(), "team/db");
    let version = secret.version.unwrap();
    assert_eq!((&*version.id, version.order), ("uid-db.5", None));
    let Payload::Fields(fields) = secret.payload else { panic!("fields") };
    for (key, bytes, encoding) in [
        ("text", &b"a\xc3\xa9\n"[..], Encoding::Text),
        ("bytes", &[255, 0], Encoding::Binary),
        ("empty", b"", Encoding::Text),
        ("none", b"", Encoding::Text),
    ] {
        assert_eq!((fields[key].value.expose(), fields[key].encoding), (bytes, encoding), "{key}");
    }
}

#[tokio::test]
async fn requests_carry_the_token_and_ask_for_values_only_where_they_are_read() {
    let world = World::by(|request| {
        let accept = request.headers()["accept"].to_str().unwrap();
        match request.uri().query() {
            _ if request.method() == "POST" => Reply::json(201, &json!({ "status": { "allowed": false } })),
            Some(_) => Reply::json(200, &json!({ "metadata": { "resourceVersion": "9" }, "items": null })),
            None if accept == "application/json" => whole("prod/db", &Value::Null),
            None => Reply::json(200, &json!({ "kind": "PartialObjectMetadata", "metadata": meta("prod/db", 5) })),
        }
    });
    let provider = world.provider();
    world.current(&provider, "prod/db").await.unwrap();
    let name = SecretName::parse("prod/db").unwrap();
    let told = provider.describe(&call(&world.clock), &name).await.unwrap();
    assert_eq!((told.tags["app"].as_str(), &*told.version.unwrap().id), ("db", "uid-db.5"));
    assert!(told.created.is_some());
    world.list("", &[], Page::default()).await.unwrap();
    provider.check(&call(&world.clock)).await.unwrap();
    assert_eq!(
        world.transport.lines(),
        [
            "GET /api/v1/namespaces/prod/secrets/db",
            "GET /api/v1/namespaces/prod/secrets/db",
            "GET /api/v1/namespaces/team/secrets?limit=100",
            "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        ]
    );
    let accepted: Vec<_> =
        world.transport.requests().iter().map(|request| request.headers()["accept"].clone()).collect();
    assert!(accepted[1].to_str().unwrap().contains("as=PartialObjectMetadata;"), "{accepted:?}");
    assert!(accepted[2].to_str().unwrap().contains("as=PartialObjectMetadataList;"), "{accepted:?}");
    assert_eq!(world.tokens(), ["Bearer t0ken"; 4]);
}

/// Break: let `Selector::Previous` through in `get_inner`.
#[tokio::test]
async fn what_kubernetes_does_not_keep_is_unsupported() {
    let world = World::by(|_| panic!("nothing is to be asked"));
    let (provider, name) = (world.provider(), SecretName::parse("db").unwrap());
    for selector in [Selector::Previous, Selector::Id("1".into()), provider.selector("5").unwrap()] {
        let error = provider.get(&call(&world.clock), &name, &selector).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{selector:?}");
    }
}

/// M1. Break: quote an answer in `malformed` or `unexpected`, or derive `Debug` of the provider.
#[tokio::test]
async fn m1_hostile_answers_are_malformed_and_quoted_nowhere() {
    let with = |data: &str| format!(r#"{{"metadata":{},"data":{data}}}"#, meta("db", 5));
    let other = |change: fn(&mut Value)| {
        let mut meta = meta("db", 5);
        change(&mut meta);
        format!(r#"{{"metadata":{meta},"data":{{"a":"YzRuNHJ5"}}}}"#)
    };
    for body in [
        with(r#"{"a":"c4n4ry!"}"#),
        with(r#"{"a":"YzRu"#),
        with(r#"{"a":["c4n4ry"]}"#),
        with(r#"{"a":17}"#),
        with(r#""c4n4ry""#),
        with(r#"{"a":"\ud800c4n4ry"}"#),
        other(|meta| meta["name"] = json!("c4n4ry")),
        other(|meta| meta["namespace"] = json!("c4n4ry")),
        other(|meta| meta["uid"] = json!("")),
        other(|meta| meta["resourceVersion"] = json!("c4n4ry\r\nx")),
        r#"{"data":{"a":"YzRuNHJ5"}}"#.to_owned(),
        "<c4n4ry>".to_owned(),
        String::new(),
    ] {
        let answer = body.clone();
        let world = World::by(move |_| Reply::new(200, answer.clone()));
        let provider = world.provider();
        let error = world.current(&provider, "db").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{body}: {error}");
        let printed = format!("{error} {error:?} {provider:?}");
        assert!(!printed.contains("c4n4ry") && !printed.contains("YzRu") && !printed.contains("t0ken"), "{printed}");
    }
}

#[tokio::test]
async fn a_list_goes_on_by_token_and_tells_labels_and_no_annotation() {
    let world = World::by(|_| {
        let items = [meta("db-1", 5), meta("other", 6), meta("db-2", 7)].map(|meta| json!({ "metadata": meta }));
        Reply::json(200, &json!({ "metadata": { "resourceVersion": "9", "continue": "a/b=" }, "items": items }))
    });
    let page = Page { token: Some("x&y=+".into()), limit: Some(9999) };
    let listed = world.list("team/db-", &[("app", Some("db")), ("example.com/tier", None)], page).await.unwrap();
    assert_eq!(listed.next.as_deref(), Some("a/b="));
    let names: Vec<_> = listed.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["team/db-1", "team/db-2"]);
    assert!(!format!("{listed:?}").contains("c4n4ry"), "{listed:?}");
    let line = "GET /api/v1/namespaces/team/secrets?limit=500&labelSelector=app%3Ddb%2Cexample.com%2Ftier&continue=x%26y%3D%2B";
    assert_eq!(world.transport.lines(), [line]);
}

#[tokio::test]
async fn a_list_is_of_one_namespace_and_says_so() {
    let world = World::by(|_| Reply::json(200, &json!({ "metadata": {}, "items": [] })));
    for prefix in ["", "te", "team", "team/", "prod/x"] {
        world.list(prefix, &[], Page::default()).await.unwrap();
    }
    let asked = world.transport.lines();
    assert!(asked[..4].iter().all(|line| line.contains("/team/")) && asked[4].contains("/prod/"), "{asked:?}");
    assert_eq!(world.list("prod", &[], Page::default()).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(world.list("Prod/", &[], Page::default()).await.unwrap_err().kind(), ErrorKind::InvalidName);
    assert_eq!(world.transport.count(), 5);
    let strange = World::by(|_| {
        let items = [json!({ "metadata": meta("prod/db", 5) })];
        Reply::json(200, &json!({ "metadata": {}, "items": items }))
    });
    assert_eq!(strange.list("", &[], Page::default()).await.unwrap_err().kind(), ErrorKind::Malformed);
}

/// Break: the look at 400 in `list_inner`, or the row of 410.
#[tokio::test]
async fn a_page_token_that_is_old_or_none_says_to_begin_again() {
    for (status, reason, kind) in
        [(410, "Expired", ErrorKind::Conflict), (400, "BadRequest", ErrorKind::InvalidReference)]
    {
        let world = World::by(move |_| refused(status, reason));
        let page = Page { token: Some("t".into()), limit: None };
        let error = world.list("", &[], page).await.unwrap_err();
        assert_eq!((error.kind(), error.retry_hint()), (kind, Retry::Never));
        assert!(error.message().contains("begin again without"), "{error}");
    }
}

/// O7. Break: the retry of `Client::refused`.
#[tokio::test]
async fn o7_each_refusal_says_whether_and_when_to_try_again() {
    let seven = Some(Duration::from_secs(7));
    for (status, reason, retry) in [
        (401, "Unauthorized", Retry::OnceWithFreshCredentials),
        (403, "Forbidden", Retry::Never),
        (404, "NotFound", Retry::Never),
        (429, "TooManyRequests", Retry::After(seven)),
        (503, "ServiceUnavailable", Retry::After(seven)),
        (504, "Timeout", Retry::After(seven)),
    ] {
        let world = World::by(move |_| refused(status, reason).header("retry-after", "7"));
        let error = world.current(&world.provider(), "db").await.unwrap_err();
        assert_eq!(error.retry_hint(), retry, "{status}");
        assert!(!format!("{error:?}").contains("c4n4ry"));
    }
}

/// Break: the `login.refuse` in `Client::refused`, or `AGAIN`.
#[tokio::test]
async fn a_token_is_read_each_minute_and_at_once_when_it_was_refused() {
    let world = World::by(|request| match request.headers()["authorization"].to_str().unwrap() {
        "Bearer second" => refused(401, "Unauthorized"),
        _ => whole("db", &Value::Null),
    });
    let provider = world.provider();
    world.current(&provider, "db").await.unwrap();
    world.files.write("/token", "second");
    world.clock.advance(Duration::from_secs(59));
    world.current(&provider, "db").await.unwrap();
    assert_eq!(world.files.reads("/token"), 1);
    world.clock.advance(Duration::from_secs(1));
    let error = world.current(&provider, "db").await.unwrap_err();
    assert_eq!(error.retry_hint(), Retry::OnceWithFreshCredentials);
    world.files.write("/token", "third");
    world.current(&provider, "db").await.unwrap();
    assert_eq!(world.tokens(), ["Bearer t0ken", "Bearer t0ken", "Bearer second", "Bearer third"]);
    assert_eq!(world.built.profiles.lock().unwrap().len(), 1, "the way out keeps its connections");
}

/// Break: leave a part out of the scope in `KubernetesProvider::new`.
#[test]
fn secrets_of_two_clusters_namespaces_or_logins_are_never_taken_for_each_other() {
    let world = World::by(|_| panic!("nothing is to be asked"));
    let token = |address: &str, file: &str| {
        let token = Credential::File(std::path::Path::new(file).into());
        Some(KubernetesAuth::Token { address: address.into(), token })
    };
    let kubeconfig = |context: &str| {
        Some(KubernetesAuth::Kubeconfig { path: Some("/config".into()), context: Some(context.into()), exec: false })
    };
    let made = |auth: Option<KubernetesAuth>, namespace: &str, environment: &str| {
        let settings = KubernetesSettings {
            auth,
            namespace: Some(namespace.into()),
            environment: environment.into(),
            ..settings()
        };
        world.make(settings).unwrap().scope().clone()
    };
    let scopes = [
        made(token("https://a", "/token"), "team", ""),
        made(token("https://b", "/token"), "team", ""),
        made(token("https://a", "/other"), "team", ""),
        made(token("https://a", "/token"), "prod", ""),
        made(token("https://a", "/token"), "team", "production"),
        made(kubeconfig("one"), "team", ""),
        made(kubeconfig("two"), "team", ""),
        made(Some(KubernetesAuth::InCluster), "team", ""),
    ];
    let distinct: std::collections::BTreeSet<_> = scopes.iter().collect();
    assert_eq!(distinct.len(), scopes.len());
    assert_eq!(made(token("https://a/", "/token"), "team", ""), scopes[0]);
}

#[test]
fn what_can_be_no_setting_is_a_config_error_at_start() {
    let world = World::by(|_| panic!("nothing is to be asked"));
    let token = Credential::File(std::path::Path::new("/token").into());
    for settings in [
        KubernetesSettings { auth: Some(KubernetesAuth::Token { address: "k8s".into(), token }), ..settings() },
        KubernetesSettings { namespace: Some("Team".into()), ..settings() },
        KubernetesSettings { watch_names: vec!["a/b/c".into()], ..settings() },
        KubernetesSettings { watch_names: vec!["..".into()], ..settings() },
    ] {
        assert_eq!(world.make(settings).unwrap_err().kind(), ErrorKind::Config);
    }
}
