//! Freshness: the rule that ties cache, TTL and cursor together.
//!
//! Once a Change is in the journal, no superseded value is served for longer than `max_staleness`. Half of it is the
//! longest that a check of the journal may lie back when a cached value is served; the other half is room for
//! spreading refetches. So an access at time *a* relies on a check that began after *a* − M/2: a Change that it does
//! not know was appended after that. And what a check finds superseded is served until a slot that ends M after the
//! beginning of the last check that did not know the Change.
//!
//! This module reads the journal and marks entries. It asks no provider.

mod expectation;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::expectation::Expectations;
pub(crate) use self::expectation::Verdict;
use crate::cache::{Cache, Entry, Flights, Role, Spelling, Superseded};
use crate::target::Target;
use crate::upstream::Breaker;
use crate::{
    Call, Change, ChangeKind, ChangedName, Cursor, Error, ErrorKind, FreshnessSettings, Journal, Moment, OnOutage,
    Operation, Random, Result, Secret, Selector, Timeline,
};

/// How many turns a check may take to read a long feed.
const MAX_TURNS: usize = 64;
/// How often an access waits for a check before it gives up: the second time, the first one had begun too early.
const MAX_WAITS: usize = 3;
/// Failed checks in a row after which the journal is left alone for a moment.
const BREAKER_FAILURES: u32 = 5;
/// How long it is left alone then.
const BREAKER_RESET: Duration = Duration::from_secs(2);

/// What the journal says about serving from the cache right now.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// There is no journal: TTLs alone decide.
    Unjournaled,
    /// The cache is as fresh as the bound asks.
    Confirmed,
    /// The journal did not answer.
    Unconfirmed(Error),
}

impl Standing {
    /// Whether a healthy journal speaks for the cache.
    pub(crate) fn is_confirmed(&self) -> bool {
        matches!(self, Self::Confirmed)
    }
}

/// The journal, how far it was read, and what it has led us to expect.
pub(crate) struct Freshness {
    settings: FreshnessSettings,
    single_flight: bool,
    timeline: Arc<Timeline>,
    random: Arc<dyn Random>,
    state: Mutex<State>,
    checks: Flights<(), Result<()>>,
    breaker: Breaker,
}

#[derive(Default)]
struct State {
    cursor: Option<Cursor>,
    /// When the last successful check began.
    checked: Option<Moment>,
    expectations: Expectations,
}

impl Freshness {
    pub(crate) fn new(
        settings: FreshnessSettings,
        single_flight: bool,
        timeline: Arc<Timeline>,
        random: Arc<dyn Random>,
    ) -> Self {
        let breaker = Breaker::new(BREAKER_FAILURES, 1, BREAKER_RESET, timeline.clock().clone());
        Self { settings, single_flight, timeline, random, state: Mutex::default(), checks: Flights::default(), breaker }
    }

    /// The bound, unless a route has its own.
    pub(crate) fn max_staleness(&self) -> Duration {
        self.settings.max_staleness
    }

    /// What to do when the bound can't be kept.
    pub(crate) fn on_outage(&self) -> OnOutage {
        self.settings.on_outage
    }

    /// The journal itself.
    pub(crate) fn journal(&self) -> &dyn Journal {
        &*self.settings.journal
    }

    /// How far the journal was read.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        self.state().cursor
    }

    /// Waits for a check when the last one lies back too far for this bound.
    pub(crate) async fn ensure(&self, call: &Call, cache: &Cache, max_staleness: Duration) -> Standing {
        for _ in 0..MAX_WAITS {
            if self.is_recent(max_staleness, self.timeline.now()) {
                return Standing::Confirmed;
            }
            if let Err(error) = self.check(call, cache).await {
                return Standing::Unconfirmed(error);
            }
        }
        if self.is_recent(max_staleness, self.timeline.now()) {
            return Standing::Confirmed;
        }
        let message = "the journal's answers come too late for this max_staleness; raise it or look at the journal";
        Standing::Unconfirmed(Error::new(ErrorKind::Timeout, message).during(Operation::Journal))
    }

    /// Whether it speaks for the cache, without asking it.
    pub(crate) fn is_healthy(&self, now: Moment) -> bool {
        self.is_recent(self.settings.max_staleness, now)
    }

    /// How long ago the last check that succeeded began, if there was one.
    pub(crate) fn age(&self, now: Moment) -> Option<Duration> {
        self.state().checked.and_then(|checked| now.since(checked))
    }

    /// Whether the last check is recent enough for this bound.
    pub(crate) fn is_recent(&self, max_staleness: Duration, now: Moment) -> bool {
        self.state().checked.is_some_and(|checked| !now.is_past(checked, max_staleness / 2))
    }

    /// Reads the journal once; whoever comes while it is being read waits for that.
    pub(crate) async fn check(&self, call: &Call, cache: &Cache) -> Result<()> {
        if !self.single_flight {
            return self.read(call, cache).await;
        }
        loop {
            match self.checks.join(&()) {
                Role::Leader(leader) => {
                    let result = self.read(call, cache).await;
                    leader.land_in_time(call, &result);
                    return result;
                }
                Role::Follower(follower) => {
                    if let Some(result) = call.bounded(async { Ok(follower.wait().await) }).await? {
                        return result;
                    }
                    call.ensure_time()?;
                }
            }
        }
    }

    async fn read(&self, call: &Call, cache: &Cache) -> Result<()> {
        let permit = self.breaker.admit().map_err(|error| error.during(Operation::Journal))?;
        let call = call.within(self.settings.check_timeout);
        let result =
            call.bounded(self.read_to_head(&call, cache)).await.map_err(|error| error.during(Operation::Journal));
        permit.settle(result.as_ref().err());
        result
    }

    async fn read_to_head(&self, call: &Call, cache: &Cache) -> Result<()> {
        let started = self.timeline.now();
        let mut from = self.state().cursor;
        for _ in 0..MAX_TURNS {
            let feed = self.settings.journal.since(call, from, self.settings.batch).await?;
            let cut = feed.cut;
            let last = feed.changes.last().map(|(seq, _)| Cursor { epoch: feed.head.epoch, seq: *seq });
            let reached = match last {
                Some(last) if cut && last < feed.head => last,
                _ => feed.head,
            };
            let as_of = started.back(feed.head_age);
            let mut state = self.state();
            match from {
                None => self.meet(&mut state, cache, &feed.changes, cut, started),
                Some(_) if feed.gap => {
                    self.supersede_older(&state, cache, self.timeline.now());
                    self.apply(&mut state, cache, &feed.changes);
                }
                Some(_) => self.apply(&mut state, cache, &feed.changes),
            }
            // Only what is applied moves the cursor; a check that was overtaken by another one moves nothing back. But a
            // journal that went back takes us with it: else every check from now on would be a gap.
            let behind = |cursor: Cursor| feed.gap || cursor.epoch != reached.epoch || cursor.seq < reached.seq;
            if state.cursor.is_none_or(behind) {
                state.cursor = Some(reached);
            }
            if reached == feed.head {
                state.checked = Some(as_of);
                // A fetch that began before it had settled may still be under way.
                state.expectations.forget(self.timeline.now(), self.settings.settle * 2);
                return Ok(());
            }
            from = Some(reached);
        }
        let message = "the journal grows faster than it can be read; raise freshness.batch or check_timeout";
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    /// First contact: what happened of late is not news but an expectation. A value fetched before the journal was
    /// read is kept if it meets what is expected of it; if the feed does not reach back over `settle`, none is kept.
    fn meet(&self, state: &mut State, cache: &Cache, changes: &[(u64, Change)], cut: bool, started: Moment) {
        let now = self.timeline.now();
        let oldest = changes.first().map(|(_, change)| change.at);
        let reaches_back = !cut || oldest.is_some_and(|at| now.wall.saturating_since(at) >= self.settings.settle * 2);
        // What is held may be a lagging replica's answer, from just before a Change that has settled since.
        let mut known = Expectations::default();
        for (seq, change) in changes {
            let ago = now.wall.saturating_since(change.at);
            if ago < self.settings.settle * 2 {
                known.note(*seq, change, now, None);
            }
            if ago < self.settings.settle {
                state.expectations.note(*seq, change, now, None);
            }
        }
        // What is under way began before the journal was read.
        cache.fence.raise(Target::everything());
        for (key, entry) in cache.entries().filter(|(_, entry)| entry.lease.is_none()) {
            let age = started.since(entry.fetched);
            let before = age.is_none_or(|age| age > Duration::ZERO);
            // What has changed since then may be no expectation any more.
            let is_old = age.is_none_or(|age| age >= self.settings.settle);
            let verdict = known.judge(&entry.secret, &key.selector, now, self.settings.settle);
            if before && (!reaches_back || is_old || verdict != Verdict::Accept) {
                self.supersede(&entry, now, None);
            }
        }
    }

    /// A gap: nobody knows what was missed, so everything fetched until now is due. Leases are left alone.
    fn supersede_older(&self, state: &State, cache: &Cache, now: Moment) {
        cache.fence.raise(Target::everything());
        cache.forget_misses(&Target::everything());
        for (key, entry) in cache.entries() {
            if entry.lease.is_none() && !key.selector.is_pinned() {
                self.supersede(&entry, now, state.checked);
            }
        }
    }

    fn apply(&self, state: &mut State, cache: &Cache, changes: &[(u64, Change)]) {
        let now = self.timeline.now();
        for (seq, change) in changes {
            let target = Target::change(change);
            let mut held = None;
            cache.fence.raise(target.clone());
            cache.forget_misses(&target);
            for (key, entry) in cache.entries() {
                if !target.matches(&key.alias, &entry.secret, None) || spares_lease(change, &entry) {
                    continue;
                }
                match effect(change, &key.selector, &entry.secret) {
                    Effect::None => {}
                    Effect::Gone => {
                        held = entry.secret.version.as_ref().map(|version| version.id.clone());
                        cache.remove_entry(&key);
                    }
                    Effect::Superseded => {
                        if key.selector == Selector::Current {
                            held = entry.secret.version.as_ref().map(|version| version.id.clone());
                        }
                        self.supersede(&entry, now, state.checked);
                    }
                }
            }
            state.expectations.note(*seq, change, now, held);
        }
    }

    fn supersede(&self, entry: &Entry, seen: Moment, unseen_at: Option<Moment>) {
        // The first Change decides the slot: a later one can't push it back.
        let _ = entry.superseded.set(Superseded { seen, unseen_at, place: crate::fraction(&*self.random) });
    }

    /// Whether what was fetched may be kept, in the light of what the journal has said of late. What had not settled when the
    /// fetch began counts, however long it took.
    pub(crate) fn judge(&self, secret: &Secret, selector: &Selector, began: Moment) -> Verdict {
        self.state().expectations.judge(secret, selector, began, self.settings.settle)
    }

    /// Whether a fetch has taken so long that what was expected when it began is not known any more.
    pub(crate) fn outlasted_settle(&self, began: Moment) -> bool {
        self.timeline.now().is_past(began, self.settings.settle)
    }

    /// Whether the journal has named this very version of late.
    pub(crate) fn announces(&self, secret: &Secret, selector: &Selector) -> bool {
        self.state().expectations.announce(secret, selector, self.timeline.now(), self.settings.settle)
    }

    /// Whether the journal expects this name to exist, so that NotFound is a lagging replica's answer.
    pub(crate) fn expects(&self, spelling: &Spelling, scope: &crate::Scope) -> Option<Expected> {
        self.state().expectations.of_name(spelling, scope, self.timeline.now(), self.settings.settle)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is expected of a name that the provider says it does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A version that was announced.
    Version,
    /// Something happened to it; nobody knows what.
    Unknown,
}

/// A lease is ended by a Change that names its secret, and by nothing wider.
fn spares_lease(change: &Change, entry: &Entry) -> bool {
    entry.lease.is_some() && change.name == ChangedName::All
}

/// What a Change does to an entry.
enum Effect {
    None,
    Superseded,
    Gone,
}

fn effect(change: &Change, selector: &Selector, secret: &Secret) -> Effect {
    let is_named =
        change.version.as_deref().is_some_and(|version| secret.version.as_ref().is_some_and(|v| *v.id == *version));
    if matches!(change.kind, ChangeKind::Deleted | ChangeKind::Destroyed) {
        return if change.version.is_none() || is_named { Effect::Gone } else { Effect::None };
    }
    let moved = match (selector, &change.label) {
        (Selector::Id(_), _) => false,
        (Selector::Label(held), Some(label)) => held == label,
        (Selector::Label(_), None) => change.kind == ChangeKind::Unknown,
        (Selector::Current | Selector::Previous, label) => label.is_none(),
    };
    // A label may move back to a lower version; what is current counts up, unless the secret was made anew: then the lower
    // number is the newer one.
    let is_anew = secret.created.is_some_and(|created| created < change.at);
    let is_older = !is_anew
        && secret
            .version
            .as_ref()
            .filter(|_| selector.follows_rotation())
            .and_then(|v| v.order)
            .zip(change.version.as_deref())
            .is_some_and(|(held, announced)| announced.parse::<u64>().is_ok_and(|announced| announced < held));
    // What is held already needs no fetch; the one before it moves all the same.
    if !moved || (selector != &Selector::Previous && (is_named || is_older)) {
        Effect::None
    } else {
        Effect::Superseded
    }
}
