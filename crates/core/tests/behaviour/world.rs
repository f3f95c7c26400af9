//! A resolver over a clock moved by hand and a provider that does what the test says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::{
    Action, Alias, Answer, Ask, AuditHits, AuditRecord, AuditSink, Authorizer, CacheFound, CacheSettings, Call,
    CanonicalId, Capabilities, Change, ChangeKind, ChangedName, Clock, Cursor, Decision, Error, ErrorKind, Feed,
    FreshnessSettings, Journal, Lease, MemoryJournal, Metadata, Meter, MetricsSink, Mount, OnOutage, Operation,
    Payload, Principal, Provider, Reach, Resolver, ResolverParts, Resource, Result, Route, Scope, ScopeParts, Secret,
    SecretName, SecretValue, Selector, Source, Template, UnixMillis, Upstream, UpstreamSettings, Version,
};
use lockstep_testkit::{ManualClock, TestRandom, TokioSpawn};
use tokio::sync::Semaphore;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_mins(1);
/// `max_staleness` of every world with a journal.
pub(crate) const BOUND: Duration = Duration::from_secs(10);

pub(crate) type Answering = Box<dyn FnMut(&SecretName, &Selector, usize) -> Result<Secret> + Send>;

/// A provider that answers what a closure says, counts its calls, and can be held.
pub(crate) struct Backend {
    scope: Scope,
    capabilities: Capabilities,
    answer: Mutex<Answering>,
    pub(crate) calls: AtomicUsize,
    pub(crate) batches: AtomicUsize,
    /// Values that were asked for.
    reads: AtomicUsize,
    tags: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    pub(crate) revoked: Mutex<Vec<String>>,
    pub(crate) renewed: AtomicUsize,
    /// The call of the last single read.
    pub(crate) asked_with: Mutex<Option<Call>>,
    gate: Semaphore,
    arrived: Semaphore,
    stalled: Mutex<Option<Arc<Semaphore>>>,
}

const OPEN: usize = Semaphore::MAX_PERMITS / 2;

impl Backend {
    pub(crate) fn new(
        provider: &str,
        answer: impl FnMut(&SecretName, &Selector, usize) -> Result<Secret> + Send + 'static,
    ) -> Arc<Self> {
        Self::capable(provider, Capabilities { versions: true, batch: true, ..Capabilities::default() }, answer)
    }

    pub(crate) fn capable(
        provider: &str,
        capabilities: Capabilities,
        answer: impl FnMut(&SecretName, &Selector, usize) -> Result<Secret> + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            scope: scope(provider),
            capabilities,
            answer: Mutex::new(Box::new(answer)),
            calls: AtomicUsize::new(0),
            batches: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            tags: Mutex::default(),
            revoked: Mutex::default(),
            renewed: AtomicUsize::new(0),
            asked_with: Mutex::default(),
            gate: Semaphore::new(OPEN),
            arrived: Semaphore::new(0),
            stalled: Mutex::default(),
        })
    }

    pub(crate) fn answers(&self, answer: impl FnMut(&SecretName, &Selector, usize) -> Result<Secret> + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    /// Calls from now on wait until `release`.
    pub(crate) fn hold(&self) {
        self.gate.forget_permits(OPEN);
    }

    /// The next call alone waits, until a permit is added to what this returns.
    pub(crate) fn stall_next(&self) -> Arc<Semaphore> {
        let stalled = Arc::new(Semaphore::new(0));
        *self.stalled.lock().unwrap() = Some(stalled.clone());
        stalled
    }

    async fn pass(&self) {
        let stalled = self.stalled.lock().unwrap().take();
        self.arrived.add_permits(1);
        match stalled {
            Some(stalled) => stalled.acquire().await.unwrap().forget(),
            None => self.gate.acquire().await.unwrap().forget(),
        }
    }

    pub(crate) fn release(&self, calls: usize) {
        self.gate.add_permits(calls);
    }

    /// Waits until so many more calls have arrived.
    pub(crate) async fn until_called(&self, times: u32) {
        self.arrived.acquire_many(times).await.unwrap().forget();
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    /// Tags a secret.
    pub(crate) fn tag(&self, name: &str, tags: BTreeMap<String, String>) {
        self.tags.lock().unwrap().insert(name.to_owned(), tags);
    }

    pub(crate) fn batches(&self) -> usize {
        self.batches.load(Ordering::SeqCst)
    }

    fn next(&self, name: &SecretName, selector: &Selector) -> Result<Secret> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        (self.answer.lock().unwrap())(name, selector, call)
    }
}

#[async_trait]
impl Provider for Backend {
    fn scope(&self) -> &Scope {
        &self.scope
    }
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }
    fn selector(&self, text: &str) -> Result<Selector> {
        Ok(if text.bytes().all(|b| b.is_ascii_digit()) {
            Selector::Id(text.into())
        } else {
            Selector::Label(text.into())
        })
    }
    /// As Vault does, it takes no notice of a `/` before a name.
    fn respelled(&self, name: &SecretName) -> Option<SecretName> {
        SecretName::parse(name.as_str().strip_prefix('/')?).ok()
    }
    fn mints(&self, _name: &SecretName) -> bool {
        self.capabilities.leased
    }
    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        *self.asked_with.lock().unwrap() = Some(call.clone());
        self.reads.fetch_add(1, Ordering::SeqCst);
        // What a provider answers is what was true when the call arrived.
        let answer = self.next(name, selector);
        self.pass().await;
        answer
    }
    async fn get_many(&self, _call: &Call, wanted: &[(SecretName, Selector)]) -> Vec<Result<Secret>> {
        self.batches.fetch_add(1, Ordering::SeqCst);
        self.reads.fetch_add(wanted.len(), Ordering::SeqCst);
        let answers = wanted.iter().map(|(name, selector)| self.next(name, selector)).collect();
        self.pass().await;
        answers
    }
    async fn describe(&self, _call: &Call, name: &SecretName) -> Result<Metadata> {
        if !self.capabilities.describe {
            return Err(Error::unsupported("describe"));
        }
        let secret = self.next(name, &Selector::Current)?;
        let tags = self.tags.lock().unwrap().get(name.as_str()).cloned().unwrap_or_default();
        Ok(Metadata { tags, ..Metadata::new(secret.id, secret.name) })
    }
    async fn renew(&self, _call: &Call, lease: &Lease) -> Result<Lease> {
        self.renewed.fetch_add(1, Ordering::SeqCst);
        Ok(Lease { id: lease.id.duplicate(), duration: lease.duration, renewable: true })
    }
    async fn revoke(&self, _call: &Call, lease: &Lease) -> Result<()> {
        self.revoked.lock().unwrap().push(lease.id.expose_text().unwrap().to_owned());
        Ok(())
    }
    async fn check(&self, _call: &Call) -> Result<()> {
        Ok(())
    }
}

pub(crate) fn scope(provider: &str) -> Scope {
    Scope::new(ScopeParts {
        provider: provider.into(),
        account: "1".into(),
        region: "eu".into(),
        ..ScopeParts::default()
    })
}

pub(crate) fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

pub(crate) fn alias(text: &str) -> Alias {
    Alias::parse(text).unwrap()
}

/// A secret of `vault` named like this, with a counted version.
pub(crate) fn secret(of: &SecretName, version: u64) -> Secret {
    let id = CanonicalId { scope: scope("vault"), name: of.clone() };
    let mut secret = Secret::new(id, of.clone(), Payload::text(format!("value-{version}")));
    secret.version = Some(Version::number(version));
    secret
}

pub(crate) fn failing(kind: ErrorKind) -> Result<Secret> {
    Err(Error::new(kind, "as the test says"))
}

pub(crate) fn leased(of: &SecretName, number: usize, duration: Duration, renewable: bool) -> Secret {
    let mut secret = secret(of, number as u64);
    secret.version = None;
    secret.lease = Some(Lease { id: SecretValue::from(format!("lease-{number}")), duration, renewable });
    secret
}

pub(crate) fn change(of: &str, version: Option<u64>, id: &str, at: UnixMillis) -> Change {
    Change {
        id: id.into(),
        source: Source { provider: "vault".into(), account: "1".into(), region: "eu".into() },
        name: ChangedName::One(of.into()),
        label: None,
        version: version.map(|version| version.to_string().into()),
        kind: ChangeKind::Updated,
        at,
    }
}

/// Allows everything but names under `forbidden/`, and nobody to invalidate what ends in `/kept`.
pub(crate) struct Rules;

impl Authorizer for Rules {
    fn decide(&self, _who: &Principal, action: Action, resource: Resource<'_>) -> Decision {
        if resource.name.starts_with("forbidden") {
            return Decision::new(false, "test: forbidden");
        }
        Decision::new(action != Action::Invalidate || !resource.name.ends_with("/kept"), "test")
    }
}

#[derive(Default)]
pub(crate) struct Records(pub(crate) Mutex<Vec<AuditRecord>>, pub(crate) AtomicBool);

impl AuditSink for Records {
    fn write(&self, record: &AuditRecord) -> Result<()> {
        if self.is_ready() {
            self.0.lock().unwrap().push(record.clone());
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unavailable, "the audit takes nothing more"))
    }

    fn is_ready(&self) -> bool {
        !self.1.load(Ordering::SeqCst)
    }

    fn lost(&self) -> u64 {
        0
    }
}

#[derive(Default)]
pub(crate) struct Numbers {
    pub(crate) found: Mutex<Vec<CacheFound>>,
    pub(crate) calls: Mutex<Vec<std::result::Result<(), ErrorKind>>>,
}

impl Meter for Numbers {
    fn access(&self, _operation: Operation, _outcome: std::result::Result<(), ErrorKind>, _took: Duration) {}
    fn cache(&self, found: CacheFound) {
        self.found.lock().unwrap().push(found);
    }
    fn call(&self, _operation: Operation, outcome: std::result::Result<(), ErrorKind>, _took: Duration) {
        self.calls.lock().unwrap().push(outcome);
    }
    fn breaker(&self, _open: bool) {}
    fn cache_size(&self, _entries: usize, _bytes: usize) {}
}

struct OneMeter(Arc<Numbers>);

impl MetricsSink for OneMeter {
    fn meter(&self, _alias: &Alias) -> Arc<dyn Meter> {
        self.0.clone()
    }
}

/// A journal that can be switched off and counts its reads.
pub(crate) struct TestJournal {
    inner: Mutex<Arc<MemoryJournal>>,
    down: AtomicBool,
    pub(crate) reads: AtomicUsize,
    epoch: std::sync::atomic::AtomicU64,
    stalled: Mutex<Option<Arc<Semaphore>>>,
}

impl TestJournal {
    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }
    /// The next read alone waits, until a permit is added to what this returns.
    pub(crate) fn stall_next(&self) -> Arc<Semaphore> {
        let stalled = Arc::new(Semaphore::new(0));
        *self.stalled.lock().unwrap() = Some(stalled.clone());
        stalled
    }
    /// The journal has lost all it held, and goes on in the same epoch: its head is behind every cursor.
    pub(crate) fn lose_all(&self) {
        *self.inner.lock().unwrap() = Arc::new(MemoryJournal::new(1, 64));
    }
    fn inner(&self) -> Arc<MemoryJournal> {
        self.inner.lock().unwrap().clone()
    }
    /// Another life of the journal: every cursor is a gap.
    pub(crate) fn restart(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Journal for TestJournal {
    async fn append(&self, call: &Call, changes: &[Change]) -> Result<Cursor> {
        self.inner().append(call, changes).await
    }
    async fn since(&self, call: &Call, cursor: Option<Cursor>, limit: usize) -> Result<Feed> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let stalled = self.stalled.lock().unwrap().take();
        if let Some(stalled) = stalled {
            stalled.acquire().await.unwrap().forget();
        }
        if self.down.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "the journal is down"));
        }
        let epoch = self.epoch.load(Ordering::SeqCst);
        let known = cursor.filter(|cursor| cursor.epoch == epoch).map(|cursor| Cursor { epoch: 1, ..cursor });
        let mut feed = self.inner().since(call, known, limit).await?;
        feed.gap |= cursor.is_some() && known.is_none();
        feed.head.epoch = epoch;
        Ok(feed)
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) resolver: Resolver,
    pub(crate) records: Arc<Records>,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) journal: Arc<TestJournal>,
    pub(crate) who: Principal,
}

pub(crate) struct Build {
    pub(crate) mounts: Vec<(&'static str, Arc<Backend>)>,
    pub(crate) cache: CacheSettings,
    pub(crate) routes: Vec<Route>,
    /// Of the first mount alone.
    pub(crate) template: Option<Template>,
    pub(crate) reach: Reach,
    pub(crate) journaled: bool,
    pub(crate) on_outage: OnOutage,
    pub(crate) audit_hits: AuditHits,
    pub(crate) upstream: UpstreamSettings,
    pub(crate) authorizer: Arc<dyn Authorizer>,
}

impl Build {
    pub(crate) fn over(backend: &Arc<Backend>) -> Self {
        Self::chain(&[("vault", backend)])
    }

    /// Providers in this order for every name.
    pub(crate) fn chain(mounts: &[(&'static str, &Arc<Backend>)]) -> Self {
        let route = Route {
            pattern: "**".into(),
            providers: mounts.iter().map(|(text, _)| alias(text)).collect(),
            ttl: None,
            max_staleness: None,
            fallback: lockstep_core::Fallback::StaleFirst,
        };
        Self {
            mounts: mounts.iter().map(|(text, backend)| (*text, Arc::clone(backend))).collect(),
            cache: CacheSettings { jitter: false, refresh_ahead: Duration::ZERO, ..CacheSettings::default() },
            routes: vec![route],
            template: None,
            reach: Reach::default(),
            journaled: false,
            on_outage: OnOutage::Serve,
            audit_hits: AuditHits::Summary,
            upstream: UpstreamSettings { attempts: 1, throttled_attempts: 1, ..UpstreamSettings::default() },
            authorizer: Arc::new(Rules),
        }
    }

    pub(crate) fn journaled(mut self) -> Self {
        self.journaled = true;
        self
    }

    pub(crate) fn build(self) -> World {
        let clock = ManualClock::new();
        let (records, numbers) = (Arc::<Records>::default(), Arc::<Numbers>::default());
        let journal = Arc::new(TestJournal {
            inner: Mutex::new(Arc::new(MemoryJournal::new(1, 64))),
            down: false.into(),
            reads: AtomicUsize::new(0),
            epoch: 1.into(),
            stalled: Mutex::default(),
        });
        let random = TestRandom::seeded(7);
        let freshness = self.journaled.then(|| FreshnessSettings {
            max_staleness: BOUND,
            on_outage: self.on_outage,
            ..FreshnessSettings::new(journal.clone())
        });
        let mounts = self
            .mounts
            .into_iter()
            .enumerate()
            .map(|(at, (text, backend))| {
                let upstream = Upstream::new(
                    alias(text),
                    backend,
                    self.upstream.clone(),
                    clock.clone(),
                    random.clone(),
                    numbers.clone(),
                );
                Mount {
                    journaled: self.journaled,
                    template: self.template.clone().filter(|_| at == 0),
                    reach: self.reach.clone(),
                    ..Mount::new(alias(text), Arc::new(upstream))
                }
            })
            .collect();
        let resolver = Resolver::new(ResolverParts {
            clock: clock.clone(),
            random: random.clone(),
            authorizer: self.authorizer,
            audit: records.clone(),
            audit_hits: self.audit_hits,
            metrics: Arc::new(OneMeter(numbers.clone())),
            mounts,
            routes: self.routes,
            cache: self.cache,
            freshness,
        })
        .unwrap();
        World { clock, resolver, records, numbers, journal, who: Principal::new("tester") }
    }
}

impl World {
    pub(crate) fn call(&self) -> Call {
        Call::new(self.clock.clone(), Arc::new(TokioSpawn), "test", 30 * SECOND)
    }

    pub(crate) fn ask(text: &str) -> Ask {
        Ask { alias: None, name: name(text), selector: None, skip_cache: false }
    }

    pub(crate) async fn get(&self, text: &str) -> Result<Answer> {
        self.resolver.get(&self.call(), &self.who, &Self::ask(text)).await
    }

    pub(crate) async fn get_version(&self, text: &str, selector: &str) -> Result<Answer> {
        let ask = Ask { selector: Some(selector.into()), ..Self::ask(text) };
        self.resolver.get(&self.call(), &self.who, &ask).await
    }

    pub(crate) async fn append(&self, changes: &[Change]) {
        self.journal.append(&self.call(), changes).await.unwrap();
    }
}

/// The text of an answer.
pub(crate) fn value(answer: &Answer) -> String {
    match &answer.secret.payload {
        Payload::Whole(field) => field.value.expose_text().unwrap().to_owned(),
        Payload::Fields(_) => panic!("fields"),
    }
}

pub(crate) fn kind<T: std::fmt::Debug>(result: &Result<T>) -> ErrorKind {
    result.as_ref().unwrap_err().kind()
}

/// Versions that a closure can move: what the provider holds.
#[derive(Clone, Default)]
pub(crate) struct Versions(Arc<Mutex<BTreeMap<String, u64>>>);

impl Versions {
    pub(crate) fn of(entries: &[(&str, u64)]) -> Self {
        Self(Arc::new(Mutex::new(entries.iter().map(|(name, version)| ((*name).to_owned(), *version)).collect())))
    }
    pub(crate) fn set(&self, name: &str, version: u64) {
        self.0.lock().unwrap().insert(name.to_owned(), version);
    }
    pub(crate) fn remove(&self, name: &str) {
        self.0.lock().unwrap().remove(name);
    }
    pub(crate) fn backend(&self) -> Arc<Backend> {
        let versions = self.clone();
        Backend::new("vault", move |name, selector, _| versions.answer(name, selector))
    }
    pub(crate) fn answer(&self, name: &SecretName, selector: &Selector) -> Result<Secret> {
        let current = *self
            .0
            .lock()
            .unwrap()
            .get(name.as_str())
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such secret"))?;
        match selector {
            Selector::Current | Selector::Label(_) => Ok(secret(name, current)),
            Selector::Previous if current > 1 => Ok(secret(name, current - 1)),
            Selector::Id(id) if id.parse::<u64>().unwrap() <= current => Ok(secret(name, id.parse().unwrap())),
            _ => failing(ErrorKind::VersionNotFound),
        }
    }
}

/// The time on the wall, for Changes.
pub(crate) fn wall(world: &World) -> UnixMillis {
    world.clock.wall()
}

/// Reads `db` while time passes: what pauses for a lagging replica goes on.
pub(crate) async fn read(world: &Arc<World>) -> Result<Answer> {
    let reader = world.clone();
    done(world, tokio::spawn(async move { reader.get("db").await })).await
}

/// What a read under way comes to, while time passes.
pub(crate) async fn done(world: &Arc<World>, mut read: tokio::task::JoinHandle<Result<Answer>>) -> Result<Answer> {
    loop {
        tokio::select! {
            biased;
            result = &mut read => return result.unwrap(),
            () = tokio::task::yield_now() => world.clock.advance(SECOND / 100),
        }
    }
}
