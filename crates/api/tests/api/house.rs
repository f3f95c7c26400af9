//! One assembled [`Api`] over a provider in memory, and everything it left behind: provider calls and audit records.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};
use lockstep_api::{
    Api, ApiLimits, ApiParts, AwsSurface, EventSource, Events, KvVersion, PrometheusMetrics, Row, Spelling, VaultMount,
    VaultSurface,
};
use lockstep_auth::{Callers, LocalToken, TokenOrigin};
use lockstep_core::{
    Action, Alias, AuditHits, AuditRecord, AuditSink, Authorizer, CacheSettings, Call, CanonicalId, Capabilities,
    Decision, Error, ErrorKind, Filter, FreshnessSettings, FrontDoor, Hops, Journal, Metadata, MetricsSink, Mount,
    Operation, Pace, Page, Paged, Payload, Peer, Principal, Provider, Resolver, ResolverParts, Resource, Result,
    Rotation, Scope, ScopeParts, Secret, SecretName, Selector, TraceParent, UnixMillis, Version, VersionInfo,
    VersionState,
};
use lockstep_testkit::{ManualClock, TestEnv, TestFiles, TestRandom, TokioSpawn};

pub(crate) const TOKEN: &str = "the-local-token";
pub(crate) const ID: &str = "0cd9f0b6-1111-2222-3333-444455556666";

pub(crate) fn alias(text: &str) -> Alias {
    Alias::parse(text).unwrap()
}

pub(crate) fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

/// What the shelf answers for one name.
pub(crate) type Answerer = Box<dyn Fn(&Selector) -> Result<Secret> + Send + Sync>;

/// What the shelf tells of a secret whose value is gone: its metadata, and its versions with their states.
pub(crate) type Teller = Box<dyn Fn(CanonicalId) -> (Metadata, Vec<(u64, VersionState)>) + Send + Sync>;

/// A provider in memory that counts its calls.
pub(crate) struct Shelf {
    scope: Scope,
    pub(crate) secrets: Mutex<BTreeMap<String, Answerer>>,
    pub(crate) calls: AtomicUsize,
    /// Request id, trace and hops of the last read.
    pub(crate) seen: Mutex<(String, TraceParent, Hops)>,
    /// What a read waits for.
    pub(crate) gate: Mutex<Option<Arc<tokio::sync::Semaphore>>>,
    pub(crate) told: Mutex<Option<Teller>>,
}

impl Shelf {
    fn new(kind: &str) -> Arc<Self> {
        let scope = Scope::new(ScopeParts { provider: kind.to_owned(), ..ScopeParts::default() });
        Arc::new(Self {
            scope,
            secrets: Mutex::default(),
            calls: AtomicUsize::new(0),
            seen: Mutex::default(),
            gate: Mutex::default(),
            told: Mutex::default(),
        })
    }

    /// Puts a secret made by `dress` on the shelf.
    pub(crate) fn put(
        &self,
        text: &str,
        payload: fn() -> Payload,
        dress: impl Fn(&mut Secret) + Send + Sync + 'static,
    ) {
        let (id, owned) = (CanonicalId { scope: self.scope.clone(), name: name(text) }, text.to_owned());
        self.put_with(text, move |_| {
            let mut secret = Secret::new(id.clone(), name(&owned), payload());
            dress(&mut secret);
            Ok(secret)
        });
    }

    pub(crate) fn put_with(&self, text: &str, answer: impl Fn(&Selector) -> Result<Secret> + Send + Sync + 'static) {
        self.secrets.lock().unwrap().insert(text.to_owned(), Box::new(answer));
    }

    pub(crate) fn fail(&self, text: &str, error: Error) {
        self.put_with(text, move |_| Err(error.clone()));
    }
}

#[async_trait]
impl Provider for Shelf {
    fn scope(&self) -> &Scope {
        &self.scope
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            versions: true,
            labels: true,
            list: true,
            describe: true,
            rotate: true,
            ..Capabilities::default()
        }
    }
    fn selector(&self, text: &str) -> Result<Selector> {
        let is_id = text.starts_with(|c: char| c.is_ascii_digit());
        Ok(if is_id { Selector::Id(text.into()) } else { Selector::Label(text.into()) })
    }
    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let gate = self.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
        *self.seen.lock().unwrap() = (call.request_id().to_string(), call.trace.clone(), call.hops.clone());
        match self.secrets.lock().unwrap().get(name.as_str()) {
            Some(answer) => answer(selector),
            None => Err(Error::new(ErrorKind::NotFound, "there is no such secret; look at its name")),
        }
        .map_err(|error| error.during(Operation::Get).on(name).from_provider(&alias("aws")))
    }
    async fn describe(&self, call: &Call, name: &SecretName) -> Result<Metadata> {
        if let Some(tell) = &*self.told.lock().unwrap() {
            return Ok(tell(CanonicalId { scope: self.scope.clone(), name: name.clone() }).0);
        }
        let secret = self.get(call, name, &Selector::Current).await?;
        let mut metadata = Metadata::new(secret.id, secret.name);
        metadata.version = secret.version;
        metadata.created = secret.created;
        metadata.tags.insert("team".into(), "payments".into());
        Ok(metadata)
    }
    async fn versions(&self, call: &Call, name: &SecretName, page: Page) -> Result<Paged<VersionInfo>> {
        if let Some(tell) = &*self.told.lock().unwrap() {
            let (_, versions) = tell(CanonicalId { scope: self.scope.clone(), name: name.clone() });
            let info = |(number, state)| VersionInfo {
                version: Version::number(number),
                labels: Vec::new(),
                created: Some(UnixMillis(1_569_534_789_046)),
                state,
            };
            return Ok(Paged { items: versions.into_iter().map(info).collect(), next: None });
        }
        let secret = self.get(call, name, &Selector::Current).await?;
        let info = |version| VersionInfo {
            version,
            labels: secret.labels.clone(),
            created: secret.created,
            state: VersionState::Enabled,
        };
        Ok(Paged { items: secret.version.clone().into_iter().map(info).collect(), next: page.token })
    }
    async fn list(&self, _call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        let held = self.secrets.lock().unwrap();
        let names = held.keys().filter(|held| held.starts_with(prefix) && filter.tags.is_empty());
        let item =
            |text: &String| Metadata::new(CanonicalId { scope: self.scope.clone(), name: name(text) }, name(text));
        let next = page.limit.filter(|_| page.token.is_none()).map(|limit| limit.to_string());
        Ok(Paged { items: names.map(item).collect(), next })
    }
    async fn rotate(&self, call: &Call, name: &SecretName) -> Result<Rotation> {
        self.get(call, name, &Selector::Current).await?;
        Ok(Rotation { version: Some(Version::number(8)) })
    }
    async fn check(&self, _call: &Call) -> Result<()> {
        tokio::task::yield_now().await;
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.secrets.lock().unwrap().contains_key("down") {
            return Err(Error::new(ErrorKind::Unavailable, "down"));
        }
        Ok(())
    }
}

/// Audit records, kept.
#[derive(Default)]
pub(crate) struct Book(pub(crate) Mutex<Vec<AuditRecord>>);

impl AuditSink for Book {
    fn write(&self, record: &AuditRecord) -> Result<()> {
        self.0.lock().unwrap().push(record.clone());
        Ok(())
    }
    fn is_ready(&self) -> bool {
        true
    }
    fn lost(&self) -> u64 {
        0
    }
}

/// Allows everything but names that begin with `forbidden`.
struct Rules;

impl Authorizer for Rules {
    fn decide(&self, _who: &Principal, _action: Action, resource: Resource<'_>) -> Decision {
        Decision::new(!resource.name.starts_with("forbidden"), "rules")
    }
}

/// The assembled surface.
pub(crate) struct House {
    pub(crate) api: Arc<Api>,
    pub(crate) shelf: Arc<Shelf>,
    /// The provider of undecrypted parameters.
    pub(crate) sealed: Arc<Shelf>,
    pub(crate) book: Arc<Book>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) metrics: Arc<PrometheusMetrics>,
}

pub(crate) fn house() -> House {
    build(|_| {})
}

pub(crate) fn build(change: impl FnOnce(&mut ApiParts)) -> House {
    assemble(None, change)
}

/// A house whose resolver follows a journal.
pub(crate) fn journaled(journal: Arc<dyn Journal>) -> House {
    assemble(Some(FreshnessSettings::new(journal)), |_| {})
}

/// A house where notifications come in from these sources, with at most three requests of one address at once.
pub(crate) fn notified(journal: Arc<dyn Journal>, sources: Vec<EventSource>) -> House {
    let House { api, shelf, sealed, book, clock, metrics } =
        assemble(Some(FreshnessSettings::new(journal.clone())), |parts| parts.limits.address = Pace::new(1, 3));
    let api = Arc::into_inner(api).unwrap().with_events(Events::new(sources, journal));
    House { api: Arc::new(api), shelf, sealed, book, clock, metrics }
}

fn assemble(freshness: Option<FreshnessSettings>, change: impl FnOnce(&mut ApiParts)) -> House {
    let clock = ManualClock::new();
    let (shelf, sealed, book) = (Shelf::new("aws-secrets-manager"), Shelf::new("sealed"), Arc::new(Book::default()));
    shelf.put(
        "db/creds",
        || Payload::text(r#"{"user":"app","password":"hun\"ter2"}"#),
        |secret| {
            secret.id.name = name("arn:aws:secretsmanager:eu-west-1:123456789012:secret:db/creds-AbCdEf");
            secret.version = Some(Version::unordered(ID));
            secret.labels = vec!["AWSCURRENT".into()];
            secret.created = Some(UnixMillis(1_569_534_789_046));
        },
    );
    shelf.put("plain", || Payload::text("just text"), |_| {});
    shelf.put("bin", || Payload::binary(vec![0, 255, 1]), |secret| secret.version = Some(Version::number(3)));
    let metrics = Arc::new(PrometheusMetrics::new());
    let random = TestRandom::seeded(7);
    let mount =
        |text: &str, provider: &Arc<Shelf>| Mount { journaled: true, ..Mount::new(alias(text), provider.clone()) };
    let resolver = Resolver::new(ResolverParts {
        clock: clock.clone(),
        random: random.clone(),
        authorizer: Arc::new(Rules),
        audit: book.clone(),
        audit_hits: AuditHits::Full,
        metrics: metrics.clone() as Arc<dyn MetricsSink>,
        mounts: vec![mount("aws", &shelf), mount("ssm-raw", &sealed)],
        routes: vec![lockstep_core::Route {
            pattern: "**".into(),
            providers: vec![alias("aws")],
            ttl: None,
            max_staleness: None,
            fallback: lockstep_core::Fallback::default(),
        }],
        cache: CacheSettings { jitter: false, ..CacheSettings::default() },
        freshness,
    })
    .unwrap();
    let env = TestEnv::of(&[("AWS_TOKEN", TOKEN)]);
    let origin = TokenOrigin::Variable("AWS_TOKEN".to_owned());
    let mut parts = ApiParts {
        resolver: Arc::new(resolver),
        clock: clock.clone(),
        spawn: Arc::new(TokioSpawn),
        random: random.clone(),
        metrics: Some(metrics.clone()),
        trace: true,
        callers: Callers {
            token: Some(LocalToken::load(&[origin], &*env, &*TestFiles::new(), &*random).unwrap()),
            socket_users: vec![1000],
            ..Callers::default()
        },
        hide_denied: false,
        token_headers: ApiParts::default_token_headers(),
        local: true,
        forwarded_headers: Vec::new(),
        allowed_hosts: ApiParts::default_hosts(),
        limits: ApiLimits::default(),
        aws: Some(AwsSurface {
            secrets_manager: Some(alias("aws")),
            parameter_store: Some(alias("aws")),
            parameter_store_encrypted: Some(alias("ssm-raw")),
            ..AwsSurface::default()
        }),
    };
    change(&mut parts);
    let mounts = vec![
        VaultMount::new("secret", alias("aws"), KvVersion::Two, "").unwrap(),
        VaultMount::new("team/one", alias("aws"), KvVersion::One, "db/").unwrap(),
    ];
    let api = Api::new(parts).unwrap().with_vault(VaultSurface::new(mounts).unwrap());
    House { api: Arc::new(api), shelf, sealed, book, clock, metrics }
}

/// A request of somebody who does everything right.
pub(crate) fn request(method: Method, target: &str) -> Request<Bytes> {
    let mut request = bare(method, target);
    request.headers_mut().insert("x-aws-parameters-secrets-token", TOKEN.parse().unwrap());
    request
}

/// The same without a token.
pub(crate) fn bare(method: Method, target: &str) -> Request<Bytes> {
    Request::builder().method(method).uri(target).header("host", "127.0.0.1:2773").body(Bytes::new()).unwrap()
}

/// The same request with these headers more.
pub(crate) fn with(mut request: Request<Bytes>, headers: &[(&str, &str)]) -> Request<Bytes> {
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

/// What was answered.
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Said {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl House {
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Said {
        self.send_from(&Peer { address: Some("127.0.0.1:50000".into()), ..Peer::default() }, request).await
    }

    /// As a listener does it: what can be answered at once is.
    pub(crate) async fn send_from(&self, peer: &Peer, request: Request<Bytes>) -> Said {
        let (head, body) = request.into_parts();
        match self.api.at_once(peer, &head) {
            Some(answer) => said(answer),
            None => said(self.api.call(peer, Request::from_parts(head, body)).await),
        }
    }

    pub(crate) async fn get(&self, target: &str) -> Said {
        self.send(request(Method::GET, target)).await
    }

    pub(crate) async fn post(&self, target: &str, body: &str) -> Said {
        let mut request = request(Method::POST, target);
        request.headers_mut().insert("content-length", body.len().into());
        *request.body_mut() = Bytes::copy_from_slice(body.as_bytes());
        self.send(request).await
    }

    pub(crate) fn calls(&self) -> usize {
        self.shelf.calls.load(Ordering::SeqCst) + self.sealed.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn audit(&self) -> Vec<AuditRecord> {
        self.book.0.lock().unwrap().clone()
    }
}

pub(crate) fn said(response: Response<Bytes>) -> Said {
    let (parts, body) = response.into_parts();
    Said { status: parts.status.as_u16(), headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
}

/// A path of this row, about `db/creds` where it names a secret.
pub(crate) fn path_of(row: &Row) -> String {
    match row.path {
        Spelling::Exact("/secretsmanager/get") => "/secretsmanager/get?secretId=db/creds".to_owned(),
        Spelling::Exact(path) if path.starts_with("/systemsmanager") => {
            format!("{path}?name=db/creds&withDecryption=true")
        }
        Spelling::Exact(path) => path.to_owned(),
        Spelling::Rest(prefix) => format!("{prefix}db/creds"),
        Spelling::Prefix => "/v1/db/creds".to_owned(),
    }
}

/// A method that this row takes.
pub(crate) fn method_of(row: &Row) -> Method {
    if row.methods.allow(&Method::GET) { Method::GET } else { Method::POST }
}
