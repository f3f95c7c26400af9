//! One cached secret, and the times that decide what may be done with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::ledger::Tally;
use crate::{ErrorKind, Lease, Moment, Result, Secret};

/// The shortest TTL that a provider's advisory expiry can bring about: below it, every read would be a fetch.
pub(crate) const EXPIRY_FLOOR: Duration = Duration::from_secs(5);

/// How long a renewal that was cut off, or failed for a reason that may pass, is left alone.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

/// How long a background refresh that failed is left alone: a provider in trouble is not asked at every hit.
const REFRESH_PAUSE: Duration = Duration::from_secs(5);

/// A cached secret. Never changed but for what a Change (once), a report or a lease's renewal says about it.
pub(crate) struct Entry {
    pub secret: Arc<Secret>,
    /// When its fetch began: what it says was true then, or later.
    pub fetched: Moment,
    /// Fresh for this long while no journal speaks for it.
    pub ttl: Duration,
    /// Fresh for this long while a healthy journal does.
    pub ttl_with_journal: Duration,
    /// Past its freshness, this long a stand-in.
    pub max_stale: Duration,
    /// Fetched again in the background this long before its end.
    pub refresh_ahead: Duration,
    /// Bytes it counts for.
    pub size: usize,
    /// How the journal failed, if the fetch took so long that only the journal could have vouched for it.
    pub unconfirmed: Option<ErrorKind>,
    /// Set once a Change has named it.
    pub superseded: OnceLock<Superseded>,
    /// Whether a caller has said that it no longer works: it is fetched when it is asked for next.
    pub reported: AtomicBool,
    /// When a caller last said so of this version, of this entry or of one before it.
    pub last_report: Mutex<Option<Moment>>,
    /// When the last background refresh began. One that has failed is left alone for a while.
    pub refreshed: Mutex<Option<Moment>>,
    /// The lease as it stands after renewals.
    pub lease: Option<Mutex<LeaseState>>,
    /// Its hits that are not written yet; there is no tally before the first.
    pub tally: OnceLock<Arc<Tally>>,
}

/// A Change has named the entry: it may be served until its slot of the spread, and is fetched then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Superseded {
    /// When the Change was read.
    pub seen: Moment,
    /// The start of the last check that did not have the Change yet: it was appended after this.
    pub unseen_at: Option<Moment>,
    /// This instance's place in the spread, in `0.0..1.0`.
    pub place: f64,
}

/// A lease and when it was granted or renewed last.
pub(crate) struct LeaseState {
    pub granted: Moment,
    pub duration: Duration,
    pub renewable: bool,
    /// When the last renewal was sent that has no outcome, or failed for a reason that may pass.
    pub tried: Option<Moment>,
}

impl Entry {
    /// Whether its fetch began later than the other's: it knows better.
    pub(crate) fn began_after(&self, other: &Self) -> bool {
        self.fetched.is_later_than(other.fetched)
    }

    /// How long it is fresh.
    pub(crate) fn fresh_for(&self, journal_is_healthy: bool) -> Duration {
        if journal_is_healthy { self.ttl_with_journal } else { self.ttl }
    }

    /// How much of that is left. A lease counts its own time.
    pub(crate) fn left(&self, now: Moment, journal_is_healthy: bool) -> Duration {
        let (since, lasts) = match self.lease_state() {
            Some(lease) => (lease.granted, lease.duration),
            None => (self.fetched, self.fresh_for(journal_is_healthy)),
        };
        now.since(since).map_or(Duration::ZERO, |age| lasts.saturating_sub(age))
    }

    /// Whether its time is over. A lease ends with its last renewal's duration.
    pub(crate) fn is_expired(&self, now: Moment, journal_is_healthy: bool) -> bool {
        match self.lease_state() {
            Some(lease) => now.is_past(lease.granted, lease.duration),
            None => now.is_past(self.fetched, self.fresh_for(journal_is_healthy)),
        }
    }

    /// Whether it may still stand in for an answer that can't be had. A lease never outlives itself.
    pub(crate) fn may_stand_in(&self, now: Moment, journal_is_healthy: bool) -> bool {
        match self.lease_state() {
            Some(lease) => !now.is_past(lease.granted, lease.duration),
            None => !now.is_past(self.fetched, self.fresh_for(journal_is_healthy).saturating_add(self.max_stale)),
        }
    }

    /// Whether it should be fetched again in the background: past half its time, and close to its end.
    pub(crate) fn wants_refresh(&self, now: Moment, journal_is_healthy: bool) -> bool {
        let fresh_for = self.fresh_for(journal_is_healthy);
        let after = (fresh_for / 2).max(fresh_for.saturating_sub(self.refresh_ahead));
        self.lease.is_none() && now.is_past(self.fetched, after)
    }

    /// The same, and `true` only for the one caller that is to do it.
    pub(crate) fn claim_refresh(&self, now: Moment, journal_is_healthy: bool) -> bool {
        if !self.wants_refresh(now, journal_is_healthy) {
            return false;
        }
        let mut began = self.refreshed.lock().unwrap_or_else(PoisonError::into_inner);
        let due = began.is_none_or(|began| now.is_past(began, REFRESH_PAUSE));
        if due {
            *began = Some(now);
        }
        due
    }

    /// Whether a caller has said that it no longer works, or its slot of the spread has come, if a Change has named it. The slot lies between the reading of the
    /// Change and `max_staleness` after the last check that did not have it.
    pub(crate) fn is_due(&self, now: Moment, max_staleness: Duration) -> bool {
        if self.is_reported() {
            return true;
        }
        let Some(superseded) = self.superseded.get() else { return false };
        let Some(unseen_at) = superseded.unseen_at else { return true };
        let Some(gap) = superseded.seen.since(unseen_at) else { return true };
        let slot = max_staleness.saturating_sub(gap).mul_f64(superseded.place);
        now.is_past(superseded.seen, slot)
    }

    /// Takes note that it no longer works; `false` when that was said of this version a moment ago.
    pub(crate) fn report(&self, now: Moment, pause: Duration) -> bool {
        let mut last = self.last_report();
        let first = last.is_none_or(|last| now.is_past(last, pause));
        if first {
            *last = Some(now);
            self.reported.store(true, Ordering::Relaxed);
        }
        first
    }

    /// When it was last reported.
    pub(crate) fn last_report(&self) -> MutexGuard<'_, Option<Moment>> {
        self.last_report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a caller has said that it no longer works.
    pub(crate) fn is_reported(&self) -> bool {
        self.reported.load(Ordering::Relaxed)
    }

    /// Marks the lease as being renewed when two thirds of it are over; `true` for the one caller that is to do it.
    pub(crate) fn claim_renewal(&self, now: Moment) -> bool {
        let Some(mut lease) = self.lease_state() else { return false };
        let due = lease.renewable
            && now.is_past(lease.granted, lease.duration / 3 * 2)
            && lease.tried.is_none_or(|tried| now.is_past(tried, RENEWAL_PAUSE));
        if due {
            lease.tried = Some(now);
        }
        due
    }

    /// Takes a renewal's outcome in. After a failure that may pass it is tried again in a while; after an answer the
    /// lease runs to its end.
    pub(crate) fn renewed(&self, granted: Moment, outcome: &Result<Lease>) {
        let Some(mut state) = self.lease_state() else { return };
        match outcome {
            Ok(lease) => {
                *state = LeaseState { granted, duration: lease.duration, renewable: lease.renewable, tried: None };
            }
            Err(error) => state.renewable &= error.is_transient(),
        }
    }

    fn lease_state(&self) -> Option<MutexGuard<'_, LeaseState>> {
        self.lease.as_ref().map(|lease| lease.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
