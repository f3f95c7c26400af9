//! Between cache and provider: what may be served as it is, what has to be fetched, who fetches it, and what becomes of
//! the answer.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::{Ask, CacheStatus, Resolver};
use crate::cache::{self, Entry, Leader, LeaseState, Miss, Outcome, Role, Spelled, Spelling};
use crate::freshness::{Expected, Freshness, Standing, Verdict};
use crate::plan::{Candidate, Rules};
use crate::target::Target;
use crate::{Call, Error, ErrorKind, Moment, OnOutage, Relay, Result, Secret, Selector, Ttl};

/// How often an answer from before a Change is asked for again before that is the answer.
const LAG_ATTEMPTS: u32 = 3;
/// The first pause between those; it doubles.
const LAG_PAUSE: Duration = Duration::from_millis(50);
/// How long a name is known to lag. It is asked for again after that, and not by every reader for all of `settle`: a
/// replica that has not caught up after `LAG_ATTEMPTS` needs about this long, and a value waits no longer for it.
const LAG_MEMORY: Duration = Duration::from_secs(1);
/// The time that background work may take: nobody waits for it.
const DETACHED_TIME: Duration = Duration::from_secs(30);

/// An entry and how it was come by.
pub(super) struct Found {
    pub entry: Arc<Entry>,
    pub status: CacheStatus,
    /// Whether it stands in because its provider could not be asked.
    pub stands_in: bool,
}

/// What is to be done with what the cache holds.
pub(super) enum Held {
    /// Serve it.
    Usable(Found),
    /// Fetch; this may stand in if the provider can't be asked.
    StandIn(Arc<Entry>),
    /// Fetch.
    Nothing,
    /// Neither: this is the answer.
    Refused(Error),
}

impl Resolver {
    /// Answers from one candidate: from the cache if it may, else from the provider (`fetched` is what a batch has
    /// brought), else with what may stand in.
    pub(super) async fn candidate(
        &self,
        call: &Call,
        ask: &Ask,
        candidate: &Candidate,
        rules: Rules,
        fetched: Option<Outcome>,
    ) -> Result<Found> {
        let outcome = if let Some(outcome) = fetched {
            outcome.map(Found::fetched)
        } else {
            let standing = self.0.standing(call, rules).await;
            let now = self.0.timeline.now();
            match self.held((&candidate.spelling).into(), ask.skip_cache, rules, &standing, now) {
                Held::Usable(found) => {
                    if self.is_due_soon(&found.entry, &standing, now) {
                        self.look_ahead(call, candidate, rules, &found.entry, &standing, now);
                    }
                    return Ok(found);
                }
                Held::Refused(error) => return Err(error),
                Held::StandIn(_) | Held::Nothing => self.fetch(call, candidate, rules, ask.skip_cache).await,
            }
        };
        let error = match outcome {
            Err(error) if error.is_transient() => error,
            answered => return answered,
        };
        // Looked for now, not before the fetch: that took its time, and what was held may be gone or superseded.
        let standing = self.0.standing(call, rules).await;
        match self.held((&candidate.spelling).into(), ask.skip_cache, rules, &standing, self.0.timeline.now()) {
            Held::StandIn(entry) | Held::Usable(Found { entry, .. }) => {
                Ok(Found { entry, status: CacheStatus::Stale(error.kind()), stands_in: true })
            }
            Held::Refused(_) | Held::Nothing => Err(error),
        }
    }

    /// What the cache holds under a spelling, and what may be done with it.
    pub(super) fn held(
        &self,
        spelled: Spelled<'_>,
        skip_cache: bool,
        rules: Rules,
        standing: &Standing,
        now: Moment,
    ) -> Held {
        let inner = &*self.0;
        let Some(entry) = inner.cache.get(spelled) else {
            return match inner.cache.miss(spelled) {
                Some(miss) if !skip_cache && !now.is_past(miss.at, miss.lasts) => Held::Refused(miss.error.clone()),
                _ => Held::Nothing,
            };
        };
        let healthy = standing.is_confirmed();
        let on_outage = inner.on_outage();
        let max_staleness = rules.max_staleness.or(inner.freshness.as_ref().map(Freshness::max_staleness));
        let due = entry.is_due(now, max_staleness.unwrap_or_default());
        let expired = entry.is_expired(now, healthy);
        // A lease is never refreshed: asking for it once more would make another one.
        let skipped = skip_cache && entry.lease.is_none();
        match standing {
            Standing::Unconfirmed(error) if on_outage == OnOutage::Fail && !skipped => Held::Refused(error.clone()),
            _ if !due && !expired && !skipped => {
                let status = match standing {
                    Standing::Unconfirmed(error) => CacheStatus::Stale(error.kind()),
                    Standing::Confirmed | Standing::Unjournaled => {
                        entry.secret.relay.stale.map_or(CacheStatus::Hit, CacheStatus::Stale)
                    }
                };
                Held::Usable(Found { entry, status, stands_in: false })
            }
            _ if !entry.may_stand_in(now, healthy) => Held::Nothing,
            // What nobody can vouch for does not stand in where the bound is kept always.
            standing if on_outage == OnOutage::Fail && (due || matches!(standing, Standing::Unconfirmed(_))) => {
                Held::Nothing
            }
            _ => Held::StandIn(entry),
        }
    }

    /// Whether nothing in the cache answers for this spelling.
    pub(super) fn must_fetch(&self, spelling: &Spelling, rules: Rules, standing: &Standing) -> bool {
        let now = self.0.timeline.now();
        matches!(self.held(spelling.into(), false, rules, standing, now), Held::StandIn(_) | Held::Nothing)
            && self.lag(spelling).is_none()
    }

    /// The answer of a replica that was found to lag a moment ago, whatever else is held.
    fn lag(&self, spelling: &Spelling) -> Option<Error> {
        let miss = self.0.cache.miss(spelling.into()).filter(|miss| miss.error.is_transient())?;
        (!self.0.timeline.now().is_past(miss.at, miss.lasts)).then(|| miss.error.clone())
    }

    /// Whether something should happen before the entry ends. Cheap, and nothing is claimed yet.
    pub(super) fn is_due_soon(&self, entry: &Entry, standing: &Standing, now: Moment) -> bool {
        entry.lease.is_some() || (self.0.settings.single_flight && entry.wants_refresh(now, standing.is_confirmed()))
    }

    /// Starts what should happen before the entry ends: one background refresh, or one renewal of its lease.
    pub(super) fn look_ahead(
        &self,
        call: &Call,
        candidate: &Candidate,
        rules: Rules,
        entry: &Arc<Entry>,
        standing: &Standing,
        now: Moment,
    ) {
        if entry.claim_renewal(now) {
            let (this, candidate, entry, detached) =
                (self.clone(), candidate.clone(), entry.clone(), call.detached(DETACHED_TIME));
            call.spawn(async move { this.renew(&detached, &candidate, &entry).await });
        } else if self.0.settings.single_flight && entry.claim_refresh(now, standing.is_confirmed()) {
            let Role::Leader(leader) = self.0.cache.flights.join(&candidate.spelling) else { return };
            self.fetch_detached(call, candidate, rules, leader);
        }
    }

    async fn renew(&self, call: &Call, candidate: &Candidate, entry: &Entry) {
        let Some(lease) = &entry.secret.lease else { return };
        let granted = self.0.timeline.now();
        let outcome = candidate.mount.provider.renew(call, lease).await;
        if let Err(error) = &outcome {
            tracing::warn!(name = %candidate.spelling.name, %error, "a lease was not renewed; it is served until it ends");
        }
        entry.renewed(granted, &outcome);
    }

    /// Fetches, or waits for whoever does.
    async fn fetch(&self, call: &Call, candidate: &Candidate, rules: Rules, skip_cache: bool) -> Result<Found> {
        let mints = candidate.mount.provider.mints(&candidate.spelling.name);
        // What a caller could not log in with is not to come from a cache in between.
        let reported = self.0.cache.get((&candidate.spelling).into()).is_some_and(|held| held.is_reported());
        let call = &call.skipping_caches(skip_cache || reported);
        // Who wants what the provider has *now* can't share a fetch that began before.
        if (skip_cache || !self.0.settings.single_flight) && !mints {
            if let Some(error) = self.lag(&candidate.spelling).filter(|_| !skip_cache) {
                return Err(error);
            }
            return self.lead(call, candidate, rules).await.map(Found::fetched);
        }
        loop {
            let leader = match self.0.cache.flights.join(&candidate.spelling) {
                Role::Leader(leader) => leader,
                Role::Follower(follower) => {
                    if let Some(outcome) = call.bounded(async { Ok(follower.wait().await) }).await? {
                        return outcome.map(Found::fetched);
                    }
                    call.ensure_time()?;
                    continue;
                }
            };
            // The flight that was missed may have landed in between, with a value or a miss.
            let standing = self.0.standing(call, rules).await;
            let now = self.0.timeline.now();
            match self.held((&candidate.spelling).into(), skip_cache, rules, &standing, now) {
                Held::Usable(found) => return Ok(found),
                Held::Refused(error) => return Err(error),
                Held::StandIn(_) | Held::Nothing => {}
            }
            if let Some(error) = self.lag(&candidate.spelling) {
                return Err(error);
            }
            if candidate.mount.provider.capabilities().leased {
                // A secret made for us must not be lost because its asker went away: it is fetched detached, and
                // waited for like anybody else's. If that task is lost, nobody knows whether a secret was made.
                let follower = leader.follow();
                self.fetch_detached(call, candidate, rules, leader);
                let outcome = call.bounded(async { Ok(follower.wait().await) }).await?;
                let lost = || Error::new(ErrorKind::Internal, "the fetch ended without an outcome; try again");
                return outcome.unwrap_or_else(|| Err(lost())).map(Found::fetched);
            }
            let outcome = self.lead(call, candidate, rules).await;
            leader.land_in_time(call, &outcome);
            return outcome.map(Found::fetched);
        }
    }

    fn fetch_detached(&self, call: &Call, candidate: &Candidate, rules: Rules, leader: Leader<Spelling, Outcome>) {
        let (this, candidate, detached) = (self.clone(), candidate.clone(), call.detached(DETACHED_TIME));
        call.spawn(async move {
            let outcome = this.lead(&detached, &candidate, rules).await;
            leader.land(outcome);
        });
    }

    /// Asks the provider, once more after an invalidation or a lagging replica's answer, and keeps what may be kept.
    async fn lead(&self, call: &Call, candidate: &Candidate, rules: Rules) -> Outcome {
        let Candidate { mount, spelling } = candidate;
        let (mut repeated, mut lagged) = (false, 0);
        loop {
            let attempt = self.attempt(rules, repeated);
            let held = self.0.cache.get(spelling.into()).map(|entry| entry.secret.clone());
            let answer = match self.0.within(call, mount, &spelling.name).await {
                Ok(()) => mount.provider.get(&call.holding(held), &spelling.name, &spelling.selector).await,
                Err(error) => Err(error),
            };
            match self.settle(call, candidate, attempt, answer).await {
                Settled::Done(outcome) => {
                    self.tidy(call);
                    return outcome;
                }
                Settled::Fenced => repeated = true,
                Settled::Lagging => {
                    let pause = LAG_PAUSE * (1 << lagged);
                    lagged += 1;
                    if lagged >= LAG_ATTEMPTS || pause >= call.remaining() {
                        let message = "the provider still answers what was true before the last change; try again";
                        let error =
                            Error::new(ErrorKind::Unavailable, message).on(&spelling.name).from_provider(&mount.alias);
                        if lagged >= LAG_ATTEMPTS {
                            self.remember(candidate, &error, self.0.timeline.now(), LAG_MEMORY, attempt.fence);
                        }
                        return Err(error);
                    }
                    call.clock().sleep(pause).await;
                }
            }
        }
    }

    /// Marks the beginning of a fetch.
    pub(super) fn attempt(&self, rules: Rules, repeated: bool) -> Attempt {
        Attempt { rules, fence: self.0.cache.fence.start(), began: self.0.timeline.now(), repeated }
    }

    /// Decides what becomes of a provider's answer: into the cache, out to the waiters, or asked for again.
    pub(super) async fn settle(
        &self,
        call: &Call,
        candidate: &Candidate,
        attempt: Attempt,
        answer: Result<Secret>,
    ) -> Settled {
        let inner = &*self.0;
        let Candidate { mount, spelling } = candidate;
        let secret = match answer {
            Ok(secret) => Arc::new(secret),
            Err(error) => return self.settle_error(candidate, error, attempt),
        };
        // A lease is in our hands from here on: nothing may lose it.
        let old = |freshness: &Freshness| freshness.outlasted_settle(attempt.began);
        if secret.lease.is_none() && !attempt.repeated && inner.freshness.as_ref().is_some_and(old) {
            return Settled::Fenced;
        }
        let slow = secret.lease.is_none() && self.outlasted_bound(attempt);
        let unread = secret.lease.is_none() && self.outlasted_check(attempt);
        let standing = if slow || unread { inner.standing(call, attempt.rules).await } else { Standing::Unjournaled };
        let unconfirmed = match standing {
            Standing::Unconfirmed(_) if !slow => None,
            Standing::Unconfirmed(error) if inner.on_outage() == OnOutage::Fail => return Settled::Done(Err(error)),
            Standing::Unconfirmed(error) => Some(error.kind()),
            Standing::Confirmed | Standing::Unjournaled => None,
        };
        // What the journal says is asked now; a Change that comes after this point raises the fence against it.
        let judged = inner.cache.fence.start();
        let (verdict, announced) = match &inner.freshness {
            Some(freshness) => (
                freshness.judge(&secret, &spelling.selector, attempt.began),
                freshness.announces(&secret, &spelling.selector),
            ),
            None => (Verdict::Accept, false),
        };
        let entry = Arc::new(Entry { unconfirmed, ..self.entry(candidate, attempt, secret, verdict) });
        let keep = || {
            if !entry.ttl.is_zero() || entry.lease.is_some() {
                inner.cache.insert(spelling.clone(), entry.clone());
            }
        };
        if entry.lease.is_some() {
            keep();
            return Settled::Done(Ok(entry));
        }
        if verdict == Verdict::Lagging || self.goes_backwards(spelling, &entry.secret) {
            return Settled::Lagging;
        }
        // An invalidation came while this was on its way. If the journal has named this very version, it is what the
        // invalidation was about; else it may be from before, and nobody gets it.
        let since = if announced && verdict == Verdict::Accept { judged } else { attempt.fence };
        let fits = |target: &Target| target.matches(&mount.alias, &entry.secret, Some(&spelling.name));
        if inner.cache.fence.unless_raised(since, fits, keep) {
            Settled::Done(Ok(entry))
        } else if !attempt.repeated {
            Settled::Fenced
        } else if slow {
            let message = "it changed again while its provider took longer than max_staleness to answer; try again";
            let error = Error::new(ErrorKind::Unavailable, message);
            Settled::Done(Err(error.on(&spelling.name).from_provider(&mount.alias)))
        } else {
            // What superseded it came less than the bound ago.
            Settled::Done(Ok(entry))
        }
    }

    /// Whether so much time has passed since a fetch began that what it answers may be superseded for longer than the
    /// bound allows. Then the journal has to be asked again, before fence and expectations judge the answer.
    fn outlasted_bound(&self, attempt: Attempt) -> bool {
        let Some(freshness) = &self.0.freshness else { return false };
        let bound = attempt.rules.max_staleness.unwrap_or(freshness.max_staleness());
        self.0.timeline.now().is_past(attempt.began, bound)
    }

    /// Whether the last check of the journal began so long ago that a lagging replica's answer may have been superseded for
    /// longer than the bound allows.
    fn outlasted_check(&self, attempt: Attempt) -> bool {
        let Some(freshness) = &self.0.freshness else { return false };
        let bound = attempt.rules.max_staleness.unwrap_or(freshness.max_staleness());
        !freshness.is_recent(bound * 2, self.0.timeline.now())
    }

    fn settle_error(&self, candidate: &Candidate, error: Error, attempt: Attempt) -> Settled {
        let Attempt { began, fence, .. } = attempt;
        let inner = &*self.0;
        let Candidate { mount, spelling } = candidate;
        let scope = mount.provider.scope();
        // Who asked later knows better.
        let overtaken = inner.cache.get(spelling.into()).is_some_and(|held| held.fetched.is_later_than(began));
        if error.is_transient() || overtaken {
            return Settled::Done(Err(error));
        }
        if error.kind() == ErrorKind::NotFound {
            let expected = inner.freshness.as_ref().and_then(|freshness| freshness.expects(spelling, scope));
            if expected == Some(Expected::Version) {
                return Settled::Lagging;
            }
            inner.cache.remove(spelling);
            if expected.is_none() && !inner.settings.negative_ttl.is_zero() {
                self.remember(candidate, &error, began, inner.settings.negative_ttl, fence);
            }
        } else {
            inner.cache.remove(spelling);
        }
        Settled::Done(Err(error))
    }

    /// Remembers a failure for this long, unless an invalidation came since the fetch began.
    fn remember(&self, candidate: &Candidate, error: &Error, at: Moment, lasts: Duration, fence: cache::Started) {
        let Candidate { mount, spelling } = candidate;
        let scope = mount.provider.scope();
        let fits = |target: &Target| target.matches_name(&mount.alias, scope, &[spelling.name.as_str()]);
        let miss = Miss { error: error.clone(), at, lasts, scope: scope.clone() };
        self.0.cache.fence.unless_raised(fence, fits, || self.0.cache.remember_miss(spelling.clone(), miss));
    }

    /// Whether a provider that counts its versions answered a lower one than we hold, of the same incarnation. What was
    /// deleted and made anew begins to count again, and was made later. What could not even stand in any more refuses
    /// nothing: else a provider restored from an older backup would be refused for ever.
    fn goes_backwards(&self, spelling: &Spelling, secret: &Secret) -> bool {
        if spelling.selector != Selector::Current {
            return false;
        }
        let now = self.0.timeline.now();
        let Some(held) = self.0.cache.get(spelling.into()).filter(|held| held.may_stand_in(now, false)) else {
            return false;
        };
        let order = |secret: &Secret| secret.version.as_ref().and_then(|version| version.order);
        let lower = order(secret).zip(order(&held.secret)).is_some_and(|(now, before)| now < before);
        lower && secret.created.zip(held.secret.created).is_none_or(|(now, before)| now <= before)
    }

    /// What is kept of an answer, with its times.
    fn entry(
        &self,
        candidate: &Candidate,
        Attempt { rules, began, .. }: Attempt,
        secret: Arc<Secret>,
        verdict: Verdict,
    ) -> Entry {
        let settings = &self.0.settings;
        let own = rules.ttl.or(candidate.mount.ttl);
        let factor = if settings.jitter { 1.0 - 0.1 * crate::fraction(&*self.0.random) } else { 1.0 };
        let advisory = secret.expires.map(|at| at.saturating_since(began.wall).max(cache::EXPIRY_FLOOR));
        let settle = match verdict {
            Verdict::AcceptFor(left) => Some(left),
            Verdict::Accept | Verdict::Lagging => None,
        };
        let time = |default: Ttl| {
            let ttl = if candidate.spelling.selector.is_pinned() {
                settings.pin_recheck
            } else {
                own.unwrap_or(default).get()
            };
            let off = settings.ttl == Ttl::ZERO && own.is_none() || own == Some(Ttl::ZERO);
            let ttl = if off { Duration::ZERO } else { ttl };
            // What another cache has kept has used up some of its time already.
            let relayed = (secret.relay != Relay::default()).then(|| match secret.relay.stale {
                Some(_) => cache::EXPIRY_FLOOR,
                None => ttl.saturating_sub(secret.relay.age).max(cache::EXPIRY_FLOOR),
            });
            [Some(ttl.mul_f64(factor)), relayed, advisory, settle].into_iter().flatten().min().unwrap_or_default()
        };
        let lease = secret.lease.as_ref().map(|lease| {
            Mutex::new(LeaseState { granted: began, duration: lease.duration, renewable: lease.renewable, tried: None })
        });
        // The same version once more: what was said of it a moment ago is known.
        let before =
            self.0.cache.get((&candidate.spelling).into()).filter(|held| held.secret.version == secret.version);
        let last_report = before.and_then(|held| *held.last_report());
        Entry {
            size: cache::entry_size(&secret),
            ttl: time(settings.ttl),
            ttl_with_journal: time(if candidate.mount.journaled { settings.ttl_with_journal } else { settings.ttl }),
            max_stale: settings.max_stale.saturating_sub(secret.relay.age),
            // What is fetched again when it has settled is not fetched before: it would be as doubtful as now.
            refresh_ahead: if settle.is_some() { Duration::ZERO } else { settings.refresh_ahead },
            fetched: began,
            unconfirmed: None,
            superseded: OnceLock::new(),
            reported: AtomicBool::new(false),
            last_report: Mutex::new(last_report),
            refreshed: Mutex::default(),
            lease,
            tally: OnceLock::new(),
            secret,
        }
    }

    /// After a fetch: leases that fell out are revoked, and the size is told.
    pub(super) fn tidy(&self, call: &Call) {
        let (entries, bytes) = self.0.cache.size();
        for (_, meter) in &self.0.meters {
            meter.cache_size(entries, bytes);
        }
        if self.0.cache.has_evicted_leases() {
            let (this, detached) = (self.clone(), call.detached(DETACHED_TIME));
            call.spawn(async move { this.0.revoke_evicted(&detached).await });
        }
    }
}

impl Found {
    /// What a provider has just answered.
    fn fetched(entry: Arc<Entry>) -> Self {
        let why = entry.unconfirmed.or(entry.secret.relay.stale);
        let status = why.map_or(CacheStatus::Miss, CacheStatus::Stale);
        Self { entry, status, stands_in: false }
    }
}

/// One fetch of a secret: what its answer is judged by.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    rules: Rules,
    fence: cache::Started,
    began: Moment,
    /// Whether an invalidation came during the one before.
    repeated: bool,
}

/// What became of a provider's answer.
pub(super) enum Settled {
    /// This is the outcome.
    Done(Outcome),
    /// An invalidation came in between: ask again.
    Fenced,
    /// It is from before the last Change: ask again in a moment.
    Lagging,
}
