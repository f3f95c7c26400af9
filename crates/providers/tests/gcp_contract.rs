//! The `gcp-secret-manager` provider against the contract that every provider keeps: over our fake project, in process
//! and on a socket, global and regional, and over drongo, an imitation by other hands.

#![cfg(feature = "gcp-secret-manager")]
#![expect(clippy::unwrap_used, reason = "what the tests are set up by may panic like the tests themselves")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use lockstep_core::{
    Call, ErrorKind, Limits, MAX_MEMBERS, Payload, Provider, Result, Secret, SecretName, Selector, TlsProfile,
    Transport, Transports,
};
use lockstep_native::{HttpTransports, LocalFiles, OsRandom, RingSigner, SystemClock, TransportSettings};
use lockstep_providers::gcp::{GcpAuth, GcpSecretManager, GcpSettings, GcpSource};
use lockstep_providers::{Credential, Ports};
use lockstep_testkit::contract::{self, Harness, Shape};
use lockstep_testkit::fake::Served;
use lockstep_testkit::fake::gcp::{Google, NUMBER, PROJECT};
use lockstep_testkit::servers::{self, unique};
use lockstep_testkit::{ManualClock, TestEnv, TestFiles, call, require};
use serde_json::{Value, json};

/// Every section that a provider with versions, metadata and lists has.
const SECTIONS: [&str; 15] = [
    "current",
    "values",
    "many",
    "spellings",
    "missing",
    "deleted",
    "unsupported",
    "selectors",
    "check",
    "by id",
    "previous",
    "versions",
    "describe",
    "list",
    "list by prefix",
];

fn ports(transport: Arc<dyn Transport>, clock: &Arc<ManualClock>) -> Ports {
    Ports {
        transport,
        env: TestEnv::of(&[("KEY", &Google::key_file(None))]),
        files: TestFiles::new(),
        clock: clock.clone(),
        random: Arc::new(OsRandom::new()),
        signer: Arc::new(RingSigner),
        exec: Arc::new(lockstep_core::NoExec),
    }
}

/// The way out that is shipped.
fn sockets() -> Arc<dyn Transport> {
    let env = TestEnv::of(&[]);
    let settings = TransportSettings::default();
    let transports = HttpTransports::new(Arc::new(SystemClock::new()), Arc::new(LocalFiles), &*env, settings);
    transports.build(&TlsProfile::default()).unwrap()
}

fn settings(project: &str, endpoint: Option<String>) -> GcpSettings {
    let source = GcpSource::ServiceAccount { key: Credential::Env("KEY".into()), self_signed: true };
    GcpSettings { endpoint, auth: GcpAuth { source, impersonate: None }, ..GcpSettings::new(project) }
}

/// What every project is asked alike.
struct Names(String);

impl Names {
    fn name(&self, word: &str) -> SecretName {
        SecretName::parse(&format!("{}{word}", self.0)).unwrap()
    }
}

fn bytes(payload: &Payload) -> &[u8] {
    let Payload::Whole(field) = payload else { panic!("Secret Manager keeps whole values") };
    field.value.expose()
}

fn selectors() -> Vec<(&'static str, Selector)> {
    vec![
        ("7", Selector::Id("7".into())),
        ("latest", Selector::Current),
        ("blue", Selector::Label("blue".into())),
        ("a7", Selector::Label("a7".into())),
    ]
}

/// Our fake.
struct Fake {
    google: Arc<Google>,
    provider: GcpSecretManager,
    clock: Arc<ManualClock>,
    names: Names,
    location: Option<&'static str>,
}

impl Fake {
    fn new(location: Option<&'static str>) -> Self {
        let clock = ManualClock::new();
        let google = Google::new(clock.clone());
        if let Some(location) = location {
            google.at_location(location);
        }
        let settings = GcpSettings { location: location.map(str::to_owned), ..settings(PROJECT, None) };
        let provider = GcpSecretManager::new(&settings, ports(google.transport(), &clock)).unwrap();
        Self { google, provider, clock, names: Names(unique("c") + "-"), location }
    }

    async fn sections(&self) {
        let ran = contract::run(self).await;
        assert!(SECTIONS.iter().all(|section| ran.contains(section)), "{ran:?}");
    }
}

#[async_trait]
impl Harness for Fake {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn call(&self) -> Call {
        call(&self.clock)
    }

    fn name(&self, word: &str) -> SecretName {
        self.names.name(word)
    }

    fn prefix(&self) -> String {
        self.names.0.clone()
    }

    async fn put(&self, name: &SecretName, payload: &Payload) {
        self.google.put(name.as_str(), bytes(payload));
    }

    async fn delete(&self, name: &SecretName) -> ErrorKind {
        self.google.delete(name.as_str());
        ErrorKind::NotFound
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Text, Shape::Binary]
    }

    fn missing_version(&self) -> Selector {
        Selector::Id("999999".into())
    }

    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        selectors()
    }

    fn spellings(&self, secret: &Secret) -> Vec<SecretName> {
        let place = self.location.map_or_else(String::new, |location| format!("locations/{location}/"));
        let whole = |project: &str| format!("projects/{project}/{place}secrets/{}", secret.name);
        [PROJECT, NUMBER].iter().map(|project| SecretName::parse(&whole(project)).unwrap()).collect()
    }
}

#[tokio::test]
async fn the_contract_holds_over_our_fake() {
    Fake::new(None).sections().await;
}

#[tokio::test]
async fn the_contract_holds_over_our_fake_for_regional_secrets() {
    Fake::new(Some("europe-west3")).sections().await;
}

#[tokio::test]
async fn the_contract_holds_over_our_fake_on_a_socket() {
    let mut fake = Fake::new(None);
    let served = Served::plain(fake.google.served()).await;
    let settings = settings(PROJECT, Some(served.url()));
    fake.provider = GcpSecretManager::new(&settings, ports(sockets(), &fake.clock)).unwrap();
    fake.sections().await;
}

/// drongo: no login, no checksum in answers, no regional secrets, no pages. It names projects by their id.
struct Drongo {
    url: String,
    admin: Arc<dyn Transport>,
    provider: GcpSecretManager,
    clock: Arc<ManualClock>,
    names: Names,
    project: String,
}

/// Cuts the lists of drongo into the pages that were asked for, newest versions first: it ignores both.
struct Paging(Arc<dyn Transport>);

#[async_trait]
impl Transport for Paging {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let number = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.map(|value| value.parse::<usize>().unwrap())
        };
        let mut response = self.0.send(request, limits).await?;
        let (Some(size), start) = (number("pageSize"), number("pageToken").unwrap_or(0)) else { return Ok(response) };
        let Ok(mut list) = serde_json::from_slice::<Value>(response.body()) else { return Ok(response) };
        for field in ["secrets", "versions"] {
            if let Some(items) = list[field].as_array_mut() {
                if field == "versions" {
                    items.reverse();
                }
                let total = items.len();
                let page: Vec<Value> = items.drain(..).skip(start).take(size).collect();
                let end = start + page.len();
                *items = page;
                if end < total {
                    list["nextPageToken"] = json!(end.to_string());
                }
            }
        }
        *response.body_mut() = Bytes::from(list.to_string());
        Ok(response)
    }
}

impl Drongo {
    fn new(url: String) -> Self {
        let (clock, project) = (ManualClock::new(), unique("project"));
        let settings = settings(&project, Some(url.clone()));
        let ports = ports(Arc::new(Paging(sockets())), &clock);
        let provider = GcpSecretManager::new(&settings, ports).unwrap();
        Self { url, admin: sockets(), provider, clock, names: Names(unique("c") + "-"), project }
    }

    /// As an operator would.
    async fn admin(&self, method: &str, below: &str, body: Value) -> u16 {
        let uri = format!("{}/v1/projects/{}/secrets{below}", self.url, self.project);
        let request = Request::builder().method(method).uri(uri).header("content-type", "application/json");
        let request = request.body(Bytes::from(body.to_string())).unwrap();
        let limits = Limits { time: Duration::from_secs(20), response_bytes: 1 << 20, members: MAX_MEMBERS };
        self.admin.send(request, limits).await.unwrap().status().as_u16()
    }
}

#[async_trait]
impl Harness for Drongo {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn call(&self) -> Call {
        call(&self.clock)
    }

    fn name(&self, word: &str) -> SecretName {
        self.names.name(word)
    }

    fn prefix(&self) -> String {
        self.names.0.clone()
    }

    async fn put(&self, name: &SecretName, payload: &Payload) {
        let made =
            self.admin("POST", &format!("?secretId={name}"), json!({ "replication": { "automatic": {} } })).await;
        assert!([200, 409].contains(&made), "{made}");
        let body = json!({ "payload": { "data": STANDARD.encode(bytes(payload)) } });
        assert_eq!(self.admin("POST", &format!("/{name}:addVersion"), body).await, 200);
    }

    async fn delete(&self, name: &SecretName) -> ErrorKind {
        assert_eq!(self.admin("DELETE", &format!("/{name}"), json!({})).await, 200);
        ErrorKind::NotFound
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Text, Shape::Binary]
    }

    fn missing_version(&self) -> Selector {
        Selector::Id("999999".into())
    }

    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        selectors()
    }

    fn spellings(&self, secret: &Secret) -> Vec<SecretName> {
        vec![SecretName::parse(&format!("projects/{}/secrets/{}", self.project, secret.name)).unwrap()]
    }
}

#[tokio::test]
async fn the_contract_holds_over_drongo() {
    let drongo = Drongo::new(require!(servers::drongo()));
    let ran = contract::run(&drongo).await;
    assert!(SECTIONS.iter().all(|section| ran.contains(section)), "{ran:?}");
}

#[tokio::test]
async fn drongos_states_are_told_apart() {
    let drongo = Drongo::new(require!(servers::drongo()));
    let name = drongo.name("states");
    for text in ["c4n4ry one", "c4n4ry two", "c4n4ry three"] {
        drongo.put(&name, &Payload::text(text)).await;
    }
    for (version, verb) in [("2", "disable"), ("1", "destroy")] {
        assert_eq!(drongo.admin("POST", &format!("/{name}/versions/{version}:{verb}"), json!({})).await, 200);
    }
    for (version, kind) in [("1", ErrorKind::Destroyed), ("2", ErrorKind::Disabled), ("9", ErrorKind::VersionNotFound)]
    {
        let error = drongo.provider.get(&drongo.call(), &name, &Selector::Id(version.into())).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{version}");
    }
}
