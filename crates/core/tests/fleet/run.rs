//! One run of a fleet: who is in it, what happens to it, and what it comes to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockstep_core::{
    Action, Alias, Ask, AuditHits, AuditRecord, AuditSink, Authorizer, CacheFound, CacheSettings, CacheStatus, Call,
    Change, ChangeKind, ChangedName, Decision, ErrorKind, FreshnessSettings, Journal as _, Meter, MetricsSink, Mount,
    OnOutage, Operation, Payload, Principal, Resolver, ResolverParts, Resource, Result, SecretName, Source, Ttl,
    UnixMillis, Upstream, UpstreamSettings,
};

use crate::engine::{Engine, Host, Micros, Offsets, SECOND, Shown, WORLD};
use crate::journal::{Reached, Shared};
use crate::oracle::{BOUND, Given, Oracle, SETTLE, TTL};
use crate::provider::{Remote, Store, scope};

const END: Micros = 150 * SECOND;
const NAMES: usize = 3;

/// A rule that is taken away from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    /// The journal never says that something is missing.
    Gap,
    /// Another life of the journal is taken for the same one.
    Epoch,
    /// What happened before the first contact is not told.
    FirstContact,
    /// Nothing is expected for longer than a millisecond.
    Expectations,
    /// Checks lie as far apart as if the bound were four times as long.
    CheckInterval,
    /// The wall clock says what the monotonic clock says.
    EitherClock,
    /// The cursor moves when the journal answers, whether or not the answer arrives.
    CursorAfterApply,
}

impl Switch {
    pub(crate) const ALL: [Self; 7] = [
        Self::Gap,
        Self::Epoch,
        Self::FirstContact,
        Self::Expectations,
        Self::CheckInterval,
        Self::EitherClock,
        Self::CursorAfterApply,
    ];
}

/// What runs came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    served: u64,
    failed: u64,
    marked: u64,
    /// Fetched while the journal was out.
    unvouched: u64,
    instances: u64,
    pub(crate) rotations: u64,
    /// Rotations, once for each instance.
    seen: u64,
    /// Unmarked answers that were superseded.
    pub(crate) superseded: u64,
    calls: u64,
    journal_reads: u64,
    /// Of the superseded answers, in thousandths of the bound.
    staleness: Vec<u64>,
}

impl Report {
    pub(crate) fn add(&mut self, other: Self) {
        self.served += other.served;
        self.failed += other.failed;
        self.marked += other.marked;
        self.unvouched += other.unvouched;
        self.instances += other.instances;
        self.rotations += other.rotations;
        self.seen += other.seen;
        self.superseded += other.superseded;
        self.calls += other.calls;
        self.journal_reads += other.journal_reads;
        self.staleness.extend(other.staleness);
    }
    pub(crate) fn print(&mut self) {
        self.staleness.sort_unstable();
        let at = |part: usize| self.staleness.get((self.staleness.len().max(1) - 1) * part / 100).copied().unwrap_or(0);
        println!(
            "{} instances, {} rotations, {} served, {} marked, {} fetched with the journal out, {} failed",
            self.instances, self.rotations, self.served, self.marked, self.unvouched, self.failed
        );
        println!(
            "staleness of the {} superseded answers, 1/1000 of the bound: p50 {} p99 {} max {}",
            self.superseded,
            at(50),
            at(99),
            at(100)
        );
        println!(
            "provider calls per rotation and instance, cold starts and TTLs among them, in 1/1000: {}",
            self.calls * 1000 / self.seen.max(1)
        );
        println!("journal reads per served request, in 1/1000: {}", self.journal_reads * 1000 / self.served.max(1));
    }
}

struct Quiet;

impl Authorizer for Quiet {
    fn decide(&self, _who: &Principal, _action: Action, _resource: Resource<'_>) -> Decision {
        Decision::new(true, "fleet")
    }
}
impl AuditSink for Quiet {
    fn write(&self, _record: &AuditRecord) -> Result<()> {
        Ok(())
    }
    fn is_ready(&self) -> bool {
        true
    }
    fn lost(&self) -> u64 {
        0
    }
}
impl Meter for Quiet {
    fn access(&self, _operation: Operation, _outcome: std::result::Result<(), ErrorKind>, _took: Duration) {}
    fn cache(&self, _found: CacheFound) {}
    fn call(&self, _operation: Operation, _outcome: std::result::Result<(), ErrorKind>, _took: Duration) {}
    fn breaker(&self, _open: bool) {}
    fn cache_size(&self, _entries: usize, _bytes: usize) {}
}
impl MetricsSink for Quiet {
    fn meter(&self, _alias: &Alias) -> Arc<dyn Meter> {
        Arc::new(Self)
    }
}

struct Fleet {
    engine: Arc<Engine>,
    store: Arc<Store>,
    journal: Arc<Shared>,
    oracle: Oracle,
    off: Option<Switch>,
    trace: bool,
    report: Mutex<Report>,
    broken: Mutex<Option<String>>,
}

/// Runs one seed, with at most one rule off.
pub(crate) fn run(seed: u64, off: Option<Switch>, trace: bool) -> std::result::Result<Report, String> {
    let instances = if seed.is_multiple_of(100) { 200 } else { 8 + usize::try_from(seed % 5).unwrap() };
    let mut chance = crate::engine::Chance::new(seed ^ 0x5EED);
    let mut clocks = vec![Offsets::default()];
    clocks.extend((0..instances).map(|_| Offsets {
        skew: chance.below(SECOND),
        drift: chance.below(500),
        ..Offsets::default()
    }));
    let engine = Engine::new(seed, clocks);
    let store = Store::new(engine.clone(), NAMES);
    let fleet = Arc::new(Fleet {
        oracle: Oracle::new(store.clone()),
        journal: Shared::new(engine.clone()),
        engine: engine.clone(),
        store,
        off,
        trace,
        report: Mutex::default(),
        broken: Mutex::default(),
    });
    for owner in 1..=instances {
        engine.spawn(owner, fleet.clone().live(owner));
        engine.spawn(WORLD, fleet.clone().disturb(owner));
    }
    for name in 0..NAMES {
        engine.spawn(WORLD, fleet.clone().rotate(name));
    }
    engine.spawn(WORLD, fleet.clone().trouble());
    engine.run(END);
    if let Some(broken) = fleet.broken.lock().unwrap().take() {
        return Err(broken);
    }
    let mut report = std::mem::take(&mut *fleet.report.lock().unwrap());
    report.instances = instances as u64;
    report.seen = report.rotations * instances as u64;
    report.calls = fleet.store.calls.load(Ordering::Relaxed);
    report.journal_reads = fleet.journal.reads.load(Ordering::Relaxed);
    Ok(report)
}

impl Fleet {
    fn tell(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>11} {}", self.engine.now(), what());
        }
    }
    fn host(&self, owner: usize) -> Arc<Host> {
        let shown = if self.off == Some(Switch::EitherClock) { Shown::Monotonic } else { Shown::Both };
        Arc::new(Host { engine: self.engine.clone(), owner, shown })
    }
    fn call(host: &Arc<Host>) -> Call {
        Call::new(host.clone(), host.clone(), "fleet", Duration::from_secs(20))
    }

    fn resolver(&self, owner: usize, strict: bool, answered: Arc<AtomicBool>) -> Resolver {
        let host = self.host(owner);
        let alias = Alias::parse("vault").unwrap();
        let remote = Arc::new(Remote(self.store.clone(), scope()));
        let upstream = Upstream::new(
            alias.clone(),
            remote,
            UpstreamSettings::default(),
            host.clone(),
            host.clone(),
            Arc::new(Quiet),
        );
        let journal = Reached { shared: self.journal.clone(), off: self.off, moved: Mutex::default(), answered };
        let wide = if self.off == Some(Switch::CheckInterval) { 4 } else { 1 };
        let settle = if self.off == Some(Switch::Expectations) { 1_000 } else { SETTLE };
        Resolver::new(ResolverParts {
            clock: host.clone(),
            random: host,
            authorizer: Arc::new(Quiet),
            audit: Arc::new(Quiet),
            audit_hits: AuditHits::Summary,
            metrics: Arc::new(Quiet),
            mounts: vec![Mount { journaled: true, ..Mount::new(alias, Arc::new(upstream)) }],
            routes: Vec::new(),
            cache: CacheSettings {
                ttl_with_journal: Ttl::new(Duration::from_micros(TTL)).unwrap(),
                ttl: Ttl::new(Duration::from_micros(TTL)).unwrap(),
                ..CacheSettings::default()
            },
            freshness: Some(FreshnessSettings {
                max_staleness: Duration::from_micros(BOUND * wide),
                on_outage: if strict { OnOutage::Fail } else { OnOutage::Serve },
                settle: Duration::from_micros(settle),
                ..FreshnessSettings::new(Arc::new(journal))
            }),
        })
        .unwrap()
    }

    /// An instance: it starts, reads, and now and then starts anew.
    async fn live(self: Arc<Self>, owner: usize) {
        let (engine, host, strict) = (&self.engine, self.host(owner), owner.is_multiple_of(2));
        let who = Principal::new("fleet");
        engine.pause(engine.below(60 * SECOND)).await;
        loop {
            let answered = Arc::new(AtomicBool::new(false));
            let resolver = self.resolver(owner, strict, answered.clone());
            let mut proven = [None; NAMES];
            for _ in 0..20 + engine.below(100) {
                engine.pause(engine.below(2 * SECOND)).await;
                let name = usize::try_from(engine.below(NAMES as u64)).unwrap();
                let asked = SecretName::parse(&format!("n{name}")).unwrap();
                let ask = Ask { alias: None, name: asked, selector: None, skip_cache: false };
                let asked_at = engine.now();
                self.tell(|| format!("i{owner} asks n{name}"));
                let answer = resolver.get(&Self::call(&host), &who, &ask).await;
                let Ok(answer) = answer else {
                    self.report.lock().unwrap().failed += 1;
                    continue;
                };
                let Payload::Whole(field) = &answer.secret.payload else { continue };
                let index: usize = field.value.expose_text().unwrap().parse().unwrap();
                let unvouched = answer.status == CacheStatus::Miss
                    && (!answered.load(Ordering::Relaxed) || self.journal.was_out_since(asked_at));
                let marked = matches!(answer.status, CacheStatus::Stale(_));
                self.tell(|| format!("i{owner} gives n{name} #{index} {:?}", answer.status));
                let given = Given { name, index, marked, proven: proven[name], strict, unvouched };
                let judged = self.oracle.judge(&given, engine.now());
                let mut report = self.report.lock().unwrap();
                report.served += 1;
                report.marked += u64::from(marked);
                report.unvouched += u64::from(unvouched);
                match judged {
                    Err(broken) => {
                        let whole = format!("{broken} by i{owner} at {} us, {:?}", engine.now(), answer.status);
                        self.broken.lock().unwrap().get_or_insert(whole);
                    }
                    Ok(Some(staleness)) if !marked && !unvouched => {
                        report.superseded += 1;
                        report.staleness.push(staleness * 1000 / BOUND);
                    }
                    Ok(_) => {}
                }
                if !marked && !unvouched {
                    proven[name] = proven[name].max(Some(index));
                }
            }
            self.tell(|| format!("i{owner} starts anew"));
        }
    }

    /// What happens to the clocks of one instance. A wall that is set back and a monotonic clock that stands still do
    /// not meet in one instance: that one of the clocks advances over a freeze is what core assumes.
    async fn disturb(self: Arc<Self>, owner: usize) {
        let engine = &self.engine;
        loop {
            engine.pause(5 * SECOND + engine.below(40 * SECOND)).await;
            self.tell(|| format!("i{owner} disturbed"));
            match owner % 3 {
                0 => engine.step_back(owner, engine.below(SECOND)),
                1 => engine.freeze(owner, engine.below(45 * SECOND), true, false),
                _ => engine.freeze(owner, engine.below(45 * SECOND), false, true),
            }
        }
    }

    /// What happens to one name, and who is told of it.
    async fn rotate(self: Arc<Self>, name: usize) {
        let engine = &self.engine;
        let mut version = 1;
        loop {
            engine.pause(4 * SECOND + engine.below(20 * SECOND)).await;
            version += 1;
            self.happens(name, Some(version));
            // Deleted for longer than everything takes to settle, then made anew: its versions begin again.
            if engine.below(8) == 0 {
                engine.pause(SETTLE + SECOND).await;
                self.happens(name, None);
                engine.pause(SETTLE + 10 * SECOND).await;
                version = 1;
                self.happens(name, Some(version));
            }
        }
    }

    fn happens(self: &Arc<Self>, name: usize, version: Option<u64>) {
        let index = self.store.push(name, version);
        self.report.lock().unwrap().rotations += 1;
        self.tell(|| format!("n{name} #{index} is version {version:?}"));
        let change = Change {
            id: format!("{name}-{index}").into(),
            source: Source { provider: "vault".into(), account: "1".into(), region: "eu".into() },
            name: ChangedName::One(format!("n{name}").into()),
            label: None,
            version: version.map(|version| version.to_string().into()),
            kind: if version.is_some() { ChangeKind::Updated } else { ChangeKind::Deleted },
            at: UnixMillis(self.engine.wall(WORLD)),
        };
        // Lost, told once, or told again later; late enough to overtake each other.
        let copies = [0, 1, 1, 1, 1, 1, 1, 2, 2, 2][usize::try_from(self.engine.below(10)).unwrap()];
        for _ in 0..copies {
            let (this, change) = (self.clone(), change.clone());
            self.engine.spawn(WORLD, async move {
                let slow = if this.engine.below(5) == 0 { 8 * SECOND } else { SECOND };
                this.engine.pause(this.engine.below(slow)).await;
                let call = Self::call(&this.host(WORLD));
                this.journal.life().1.append(&call, &[change]).await.unwrap();
                this.oracle.appended(name, index, this.engine.now());
                this.tell(|| format!("n{name} #{index} is in the journal"));
            });
        }
    }

    /// Outages, and other lives of the journal.
    async fn trouble(self: Arc<Self>) {
        let engine = &self.engine;
        loop {
            engine.pause(10 * SECOND + engine.below(30 * SECOND)).await;
            let what = engine.below(3);
            self.tell(|| {
                format!("trouble: {}", ["journal out", "provider out", "another epoch"][usize::try_from(what).unwrap()])
            });
            let which = match what {
                0 => &self.journal.out,
                1 => &self.store.out,
                _ => {
                    self.journal.restart(&Self::call(&self.host(WORLD))).await;
                    continue;
                }
            };
            which.store(true, Ordering::Relaxed);
            engine.pause(engine.below(15 * SECOND)).await;
            which.store(false, Ordering::Relaxed);
            if what == 0 {
                self.journal.back.store(engine.now(), Ordering::Relaxed);
            }
        }
    }
}
