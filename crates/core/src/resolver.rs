//! The [`Resolver`]: the one way from a caller to a value.
//!
//! [`Resolver::get`] is the access stack of one read, from the outside in: audit, metrics, plan, authorize, freshness,
//! cache, single flight. What happens between cache and provider is in `fetch`; what needs no cache (metadata, lists,
//! rotation) in `control`; many reads at once in `batch`.

mod batch;
mod changes;
mod control;
mod fetch;
mod report;
mod rights;
mod tags;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::changes::Told;
use self::fetch::{Found, Held};
pub use self::report::Reported;
use self::tags::KnownTags;
use crate::cache::{Cache, Entry, Outcome, Spelled};
use crate::freshness::{Freshness, Standing};
use crate::ledger::{Access, Ledger};
use crate::plan::{Candidate, Plan, Planner, Rules, classify};
use crate::template::named;
use crate::{
    Action, Alias, AuditHits, AuditRecord, AuditSink, Authorizer, CacheFound, CacheSettings, Call, Clock, Cursor,
    Error, ErrorKind, Fallback, FreshnessSettings, Metadata, Meter, MetricsSink, Moment, OnOutage, Operation,
    Principal, Provider, Random, Reach, RequestId, Result, Route, Secret, SecretName, SecretRef, Template, Timeline,
    Ttl, UnixMillis,
};

/// A provider under its alias, with its upstream stack around it.
pub struct Mount {
    /// The name in the configuration.
    pub alias: Alias,
    /// The name that rules know it by, where that is another: a second view of a provider that is written down once.
    pub ruled_as: Option<Alias>,
    /// The provider, wrapped in [`Upstream`](crate::Upstream).
    pub provider: Arc<dyn Provider>,
    /// Instead of [`CacheSettings::ttl`]; the drop-in variables of the AWS extension set it per service.
    pub ttl: Option<Ttl>,
    /// Whether somebody tells the journal of this provider's changes. If nobody does, a healthy journal says nothing
    /// about its values, and [`CacheSettings::ttl_with_journal`] is not for them.
    pub journaled: bool,
    /// Makes the names that the provider is asked for out of those that are asked for.
    pub template: Option<Template>,
    /// What it may be asked for.
    pub reach: Reach,
}

impl Mount {
    /// A provider that is asked for everything by its own names, and of whose changes nobody tells.
    pub fn new(alias: Alias, provider: Arc<dyn Provider>) -> Self {
        Self { alias, ruled_as: None, provider, ttl: None, journaled: false, template: None, reach: Reach::default() }
    }

    /// The provider that rules speak of.
    pub(crate) fn ruled(&self) -> &Alias {
        self.ruled_as.as_ref().unwrap_or(&self.alias)
    }

    /// The name that the provider is asked for.
    pub(crate) fn named<'a>(&self, asked: &'a SecretName) -> Result<Cow<'a, SecretName>> {
        let name = named(self.template.as_ref(), asked)?;
        Ok(self.provider.respelled(&name).map_or(name, Cow::Owned))
    }
}

/// What a [`Resolver`] is made of.
pub struct ResolverParts {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// For jitter and for this instance's place in the spread of refetches.
    pub random: Arc<dyn Random>,
    /// Who may do what.
    pub authorizer: Arc<dyn Authorizer>,
    /// Where audit records go.
    pub audit: Arc<dyn AuditSink>,
    /// How hits are audited.
    pub audit_hits: AuditHits,
    /// Where numbers go.
    pub metrics: Arc<dyn MetricsSink>,
    /// The providers.
    pub mounts: Vec<Mount>,
    /// The routes, first match first. A name without a route goes to the only provider, if there is one only.
    pub routes: Vec<Route>,
    /// The cache.
    pub cache: CacheSettings,
    /// The bound; without a journal there is none.
    pub freshness: Option<FreshnessSettings>,
}

/// What a caller asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ask {
    /// The provider asked for; without one, the routes decide.
    pub alias: Option<Alias>,
    /// The name.
    pub name: SecretName,
    /// Which version, as written; nothing is the current one.
    pub selector: Option<Box<str>>,
    /// Whether the cache is left out (`refreshNow`, `Cache-Control: no-cache`).
    pub skip_cache: bool,
}

impl From<&SecretRef> for Ask {
    /// Asks for the secret of a reference. Its key is for whoever reads the answer.
    fn from(reference: &SecretRef) -> Self {
        Self {
            alias: reference.alias.clone(),
            name: reference.name.clone(),
            selector: reference.selector.clone(),
            skip_cache: false,
        }
    }
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// From the cache, fresh.
    Hit,
    /// From the provider.
    Miss,
    /// From the cache, past its time, because the provider or the journal failed like this.
    Stale(ErrorKind),
}

/// What is known of a secret, and which provider said so.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// The provider that it came from.
    pub provider: Alias,
    /// What it said.
    pub metadata: Metadata,
}

/// A released secret.
#[derive(Clone)]
pub struct Answer {
    /// The secret.
    pub secret: Arc<Secret>,
    /// The provider that it came from.
    pub alias: Alias,
    /// Where the answer came from.
    pub status: CacheStatus,
    /// How long ago it was fetched.
    pub age: Duration,
    /// How long it is still fresh.
    pub fresh_for: Duration,
    /// How far this instance had come in the journal.
    pub cursor: Option<Cursor>,
    /// Where its release is counted.
    pub(crate) entry: Arc<Entry>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("secret", &self.secret)
            .field("alias", &self.alias)
            .field("status", &self.status)
            .field("age", &self.age)
            .field("fresh_for", &self.fresh_for)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

/// What to drop from the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invalidation {
    /// This secret, in every version and spelling.
    Name(SecretName),
    /// Every secret whose name begins like this, whole segments.
    Prefix(SecretName),
}

impl Invalidation {
    /// The same in the names of one provider.
    fn at(&self, mount: &Mount) -> Result<Self> {
        match (self, &mount.template) {
            (Self::Name(name), _) => Ok(Self::Name(mount.named(name)?.into_owned())),
            (Self::Prefix(prefix), None) => Ok(Self::Prefix(prefix.clone())),
            (Self::Prefix(prefix), Some(template)) => {
                Ok(Self::Prefix(SecretName::parse(&template.prefix(prefix.as_str()))?))
            }
        }
    }
}

/// The one way from a caller to a value. Cloning it shares it.
#[derive(Clone)]
pub struct Resolver(Arc<Inner>);

struct Inner {
    timeline: Arc<Timeline>,
    random: Arc<dyn Random>,
    authorizer: Arc<dyn Authorizer>,
    ledger: Ledger,
    /// A few: looking through them is cheaper than a hash.
    meters: Vec<(Alias, Arc<dyn Meter>)>,
    planner: Planner,
    settings: CacheSettings,
    cache: Cache,
    freshness: Option<Freshness>,
    tags: KnownTags,
}

impl Resolver {
    /// Assembles a resolver.
    ///
    /// # Errors
    /// `Config` when an alias stands twice, or a route names one that doesn't exist or has a bad pattern.
    pub fn new(parts: ResolverParts) -> Result<Self> {
        let timeline = Arc::new(Timeline::new(parts.clock));
        let meters =
            parts.mounts.iter().map(|mount| (mount.alias.clone(), parts.metrics.meter(&mount.alias))).collect();
        let freshness = parts.freshness.map(|settings| {
            Freshness::new(settings, parts.cache.single_flight, timeline.clone(), parts.random.clone())
        });
        Ok(Self(Arc::new(Inner {
            ledger: Ledger::new(parts.audit, parts.audit_hits),
            planner: Planner::new(parts.mounts, &parts.routes)?,
            cache: Cache::new(&parts.cache),
            tags: KnownTags::new(parts.cache.ttl, parts.cache.max_entries),
            settings: parts.cache,
            authorizer: parts.authorizer,
            random: parts.random,
            timeline,
            meters,
            freshness,
        })))
    }

    /// Reads one secret.
    ///
    /// # Errors
    /// `Denied` without a provider is this instance's own refusal; with one, it is the provider's.
    pub async fn get(&self, call: &Call, who: &Principal, ask: &Ask) -> Result<Answer> {
        let span = call.access_span("secrets.get");
        let call = span.of(call);
        let result = match self.get_at_once(call.request_id(), who, ask, || call.clone()) {
            Some(answer) => Ok(answer),
            None => Box::pin(self.get_in_time(call, who, ask)).await,
        };
        span.answered(&result);
        result
    }

    /// Reads one secret if nothing has to be waited for: every candidate is allowed, the journal (if there is one) was
    /// checked recently, and the cache holds what the first candidate would answer. It goes through every layer that
    /// [`Resolver::get`] goes through. `None` says that nothing has happened yet, and nothing was counted or recorded:
    /// ask `get`.
    ///
    /// `call` is made only when something has to be done in the background.
    pub fn get_at_once(
        &self,
        id: &RequestId,
        who: &Principal,
        ask: &Ask,
        call: impl FnOnce() -> Call,
    ) -> Option<Answer> {
        let inner = &*self.0;
        if !inner.ledger.is_ready() {
            return None;
        }
        let access = self.access(id, who, Action::Get, ask.name.as_str(), ask.alias.as_ref());
        let now = access.started;
        let (mounts, rules) = inner.planner.mounts_for(ask.alias.as_ref(), &ask.name).ok()?;
        let (first, others) = mounts.split_first()?;
        let name = first.named(&ask.name).ok()?;
        let mut policy = inner.allow(who, Action::Get, first, name.as_str()).ok()?;
        for mount in others {
            policy = inner.allow(who, Action::Get, mount, mount.named(&ask.name).ok()?.as_str()).ok()?;
        }
        let standing = inner.standing_now(rules, now)?;
        let selector = classify(first, ask.selector.as_deref()).ok()?;
        let spelled = Spelled { alias: &first.alias, name: &name, selector: &selector };
        let Held::Usable(found) = self.held(spelled, ask.skip_cache, rules, &standing, now) else { return None };
        // It is the same question when the provider calls it what the caller calls it.
        let released = &found.entry.secret.name;
        if *released != *name {
            inner.allow(who, Action::Get, first, released.as_str()).ok()?;
        }
        if self.is_due_soon(&found.entry, &standing, now) {
            let candidate = Candidate { mount: first.clone(), spelling: spelled.into() };
            self.look_ahead(&call(), &candidate, rules, &found.entry, &standing, now);
        }
        let answer = inner.answer(first, &found, now);
        inner.ledger.released(&access, &answer, Some(policy)).ok()?;
        inner.count(Operation::Get, &access, Ok(&answer));
        Some(answer)
    }

    async fn get_in_time(&self, call: &Call, who: &Principal, ask: &Ask) -> Result<Answer> {
        let access = self.access(call.request_id(), who, Action::Get, ask.name.as_str(), ask.alias.as_ref());
        let learned = self.0.learn_plans(call, who, &[ask]).await;
        let (result, policy) = match self.0.plan_allowed(who, ask, &learned) {
            Err((error, policy)) => (Err(error), policy),
            Ok((plan, policy)) => self.read(call, who, ask, &plan, policy, None).await,
        };
        let result = self.0.ledger.release(&access, result, policy);
        self.0.count(Operation::Get, &access, result.as_ref());
        result
    }

    /// Reads what the plan says, candidate by candidate; the last word on rights is about the name that the provider
    /// answers with. `policy` allowed the plan; beside the answer stands the one that decided. `fetched` is what a batch has brought from the first candidate.
    async fn read(
        &self,
        call: &Call,
        who: &Principal,
        ask: &Ask,
        plan: &Plan,
        policy: Arc<str>,
        fetched: Option<Outcome>,
    ) -> (Result<Answer>, Option<Arc<str>>) {
        let found = self.chain(call, ask, plan, fetched).await;
        let (answer, mount) = match found.and_then(|answer| Ok((self.0.planner.mount(&answer.alias)?, answer))) {
            Ok((mount, answer)) => (answer, mount),
            Err(error) => return (Err(error), Some(policy)),
        };
        let released = &answer.secret.name;
        let learned = self.0.learn(call, who, Action::Get, [(mount, released.clone())]).await;
        match self.0.allow_learned(who, Action::Get, mount, released, &learned) {
            Ok(_) => (Ok(answer), Some(policy)),
            Err((error, by)) => (Err(error), by),
        }
    }

    /// Goes along the candidates. Only NotFound and a transient failure lead on to the next; if one could not be asked
    /// and none had it, that failure is the answer, never NotFound. The journal's failure is nobody's: it leads nowhere.
    async fn chain(&self, call: &Call, ask: &Ask, plan: &Plan, mut fetched: Option<Outcome>) -> Result<Answer> {
        let mut unanswered: Option<Error> = None;
        let mut missing: Option<Error> = None;
        let mut stale: Option<Answer> = None;
        for (at, candidate) in plan.candidates.iter().enumerate() {
            let left = u32::try_from(plan.candidates.len() - at).unwrap_or(u32::MAX);
            // Each candidate has its share of the time: a slow one leaves room for the next. The last has all of it.
            let share = (left > 1).then(|| call.within(call.remaining() / left));
            match self.candidate(share.as_ref().unwrap_or(call), ask, candidate, plan.rules, fetched.take()).await {
                Ok(found) => {
                    let mut answer = self.0.answer(&candidate.mount, &found, self.0.timeline.now());
                    if at > 0 {
                        answer.fresh_for = answer.fresh_for.min(self.0.settings.negative_ttl);
                    }
                    if !found.stands_in || plan.rules.fallback == Fallback::StaleFirst {
                        return Ok(answer);
                    }
                    stale.get_or_insert(answer);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => missing = missing.or(Some(error)),
                Err(error) if error.is_transient() && error.operation() != Some(Operation::Journal) => {
                    unanswered = unanswered.or(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        let nobody = || Error::new(ErrorKind::Internal, "the plan has no candidate");
        stale.ok_or_else(|| unanswered.or(missing).unwrap_or_else(nobody))
    }

    /// What it reads the time from.
    pub fn timeline(&self) -> &Arc<Timeline> {
        &self.0.timeline
    }

    /// Where a name would be looked for, in this order: each provider with the name that it would be asked for.
    ///
    /// # Errors
    /// What a plan fails with: an unknown alias, a name that no route or template fits.
    pub fn candidates(&self, alias: Option<&Alias>, name: &SecretName) -> Result<Vec<(Alias, SecretName)>> {
        let (mounts, _) = self.0.planner.mounts_for(alias, name)?;
        mounts.iter().map(|mount| Ok((mount.alias.clone(), mount.named(name)?.into_owned()))).collect()
    }

    /// Tells the resolver that it is at least this late, by a clock outside the process.
    pub fn at_least(&self, wall: UnixMillis) {
        self.0.timeline.at_least(wall);
    }

    /// Reads the journal if a check is due. Hosts call it at INVOKE and from their long poll.
    ///
    /// # Errors
    /// Whatever kept the journal from answering.
    pub async fn check_journal(&self, call: &Call) -> Result<()> {
        let Some(freshness) = &self.0.freshness else { return Ok(()) };
        match freshness.ensure(call, &self.0.cache, freshness.max_staleness()).await {
            Standing::Unconfirmed(error) => Err(error),
            Standing::Confirmed | Standing::Unjournaled => Ok(()),
        }
    }

    /// How long ago the journal was last read, if there is one and it ever was. What is served from the cache may lack what
    /// was appended since.
    pub fn journal_age(&self) -> Option<Duration> {
        self.0.freshness.as_ref()?.age(self.0.timeline.now())
    }

    /// Records what a front door did without asking for a secret: a request that it refused, a notification that it took in.
    /// The first of one principal, peer (its port aside), outcome and policy is written at once; those after it are counted
    /// until [`Resolver::flush_audit`].
    pub fn record_at_door(&self, record: AuditRecord) {
        self.0.ledger.refused(record);
    }

    /// How many audit records could not be written since the start.
    pub fn lost_audit(&self) -> u64 {
        self.0.ledger.lost()
    }

    /// Writes the counts of hits and refusals that were folded since the last time.
    pub fn flush_audit(&self) {
        self.0.ledger.flush();
    }

    /// Revokes every lease, best effort, drops everything cached and flushes the audit.
    pub async fn shutdown(&self, call: &Call) {
        self.0.cache.clear();
        self.0.revoke_evicted(call).await;
        self.0.ledger.flush();
    }

    fn access<'a>(
        &self,
        id: &'a RequestId,
        who: &'a Principal,
        action: Action,
        name: &'a str,
        alias: Option<&'a Alias>,
    ) -> Access<'a> {
        Access { id, who, action, name, alias, started: self.0.timeline.now() }
    }
}

/// An error and the policy that decided, if one did.
type Refused = (Error, Option<Arc<str>>);

impl Inner {
    async fn standing(&self, call: &Call, rules: Rules) -> Standing {
        match &self.freshness {
            None => Standing::Unjournaled,
            Some(freshness) => {
                let bound = rules.max_staleness.unwrap_or(freshness.max_staleness());
                freshness.ensure(call, &self.cache, bound).await
            }
        }
    }

    fn on_outage(&self) -> OnOutage {
        self.freshness.as_ref().map(Freshness::on_outage).unwrap_or_default()
    }

    /// The standing, when nobody has to be asked for it.
    fn standing_now(&self, rules: Rules, now: Moment) -> Option<Standing> {
        let Some(freshness) = &self.freshness else { return Some(Standing::Unjournaled) };
        let bound = rules.max_staleness.unwrap_or(freshness.max_staleness());
        freshness.is_recent(bound, now).then_some(Standing::Confirmed)
    }

    fn answer(&self, mount: &Mount, found: &Found, now: Moment) -> Answer {
        let journal_is_healthy = self.freshness.as_ref().is_some_and(|freshness| freshness.is_healthy(now));
        let age = now.since(found.entry.fetched).unwrap_or_default();
        // What another endpoint says of its age may be any number.
        let age = age.saturating_add(found.entry.secret.relay.age);
        Answer {
            alias: mount.alias.clone(),
            age,
            fresh_for: found.entry.left(now, journal_is_healthy),
            cursor: self.freshness.as_ref().and_then(Freshness::cursor),
            secret: found.entry.secret.clone(),
            status: found.status,
            entry: found.entry.clone(),
        }
    }

    /// Counts one access through the resolver.
    fn count(&self, operation: Operation, access: &Access<'_>, result: Result<&Answer, &Error>) {
        let alias = match result {
            Ok(answer) => Some(&answer.alias),
            Err(error) => error.provider().or(access.alias),
        };
        let Some(alias) = alias else { return };
        let Some((_, meter)) = self.meters.iter().find(|(of, _)| of == alias) else { return };
        if let Ok(answer) = result {
            meter.cache(match answer.status {
                CacheStatus::Hit => CacheFound::Hit,
                CacheStatus::Miss => CacheFound::Miss,
                CacheStatus::Stale(_) => CacheFound::Stale,
            });
        }
        let took = self.timeline.clock().monotonic().saturating_sub(access.started.monotonic);
        meter.access(operation, result.map(|_| ()).map_err(Error::kind), took);
    }

    /// Revokes the leases of entries that fell out of the cache, best effort.
    async fn revoke_evicted(&self, call: &Call) {
        for (alias, entry) in self.cache.take_evicted_leases() {
            if let (Ok(mount), Some(lease)) = (self.planner.mount(&alias), &entry.secret.lease)
                && let Err(error) = mount.provider.revoke(call, lease).await
            {
                tracing::warn!(provider = %alias, %error, "a lease was not revoked; it ends by itself");
            }
        }
    }
}
