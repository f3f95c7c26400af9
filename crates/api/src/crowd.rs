//! [`Crowd`]: how many requests may come: of one address, of one caller, and at the same time. Whoever is too many is turned
//! away at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lockstep_core::{Clock, Peer, Principal, network};

use crate::parts::ApiLimits;
use crate::quota::Quota;
use crate::refusal::Refusal;

/// When a request counts. What is answered at once is counted when it is answered: what is let in then is counted when it
/// comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    Now,
    Later,
}

/// All who ask. Where nothing is limited, not even the clock is read.
pub(crate) struct Crowd {
    address: Option<Quota>,
    caller: Option<Quota>,
    reports: Option<Quota>,
    /// Requests that are waited for, and how many may be; zero is no limit.
    under_way: AtomicUsize,
    /// Logins that somebody is asked about, and as many may be: whoever is not known yet takes no place of those who are.
    logins: AtomicUsize,
    most: usize,
}

/// A request that is waited for. Its place is free again when it is dropped.
pub(crate) struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Crowd {
    pub(crate) fn new(limits: &ApiLimits) -> Self {
        let quota = |pace: lockstep_core::Pace| Quota::new(pace, limits.counted);
        Self {
            address: limits.address.map(quota),
            caller: limits.caller.map(quota),
            reports: limits.reports.map(quota),
            under_way: AtomicUsize::new(0),
            logins: AtomicUsize::new(0),
            most: limits.under_way,
        }
    }

    /// Whether an address may send one more.
    pub(crate) fn check_address(&self, peer: &Peer, clock: &dyn Clock, count: Count) -> Result<(), Refusal> {
        match (&self.address, &peer.address) {
            (Some(quota), Some(address)) => check(quota, &network(address), clock.monotonic(), count),
            _ => Ok(()),
        }
    }

    /// Whether a caller may send one more.
    pub(crate) fn check_caller(&self, who: &Principal, clock: &dyn Clock, count: Count) -> Result<(), Refusal> {
        self.caller.as_ref().map_or(Ok(()), |quota| check(quota, who.counted_as(), clock.monotonic(), count))
    }

    /// Whether a caller may send one more report of a stale value.
    pub(crate) fn check_report(&self, who: &Principal, clock: &dyn Clock) -> Result<(), Refusal> {
        self.reports.as_ref().map_or(Ok(()), |quota| check(quota, who.counted_as(), clock.monotonic(), Count::Now))
    }

    /// Counts what was answered at once; whether it might be was looked at before.
    pub(crate) fn count(&self, peer: &Peer, who: Option<&Principal>, clock: &dyn Clock) {
        let _ = self.check_address(peer, clock, Count::Now);
        if let Some(who) = who {
            let _ = self.check_caller(who, clock, Count::Now);
        }
    }

    /// A place among the requests that are waited for, if there is one; `limited` says whether this one needs it.
    pub(crate) fn place(&self, limited: bool) -> Option<Place<'_>> {
        self.among(&self.under_way, limited)
    }

    /// A place among the logins that are waited for, if there is one.
    pub(crate) fn login(&self) -> Option<Place<'_>> {
        self.among(&self.logins, true)
    }

    fn among<'a>(&self, all: &'a AtomicUsize, limited: bool) -> Option<Place<'a>> {
        let before = all.fetch_add(1, Ordering::Relaxed);
        let place = Place(all);
        (!limited || self.most == 0 || before < self.most).then_some(place)
    }
}

fn check(quota: &Quota, name: &str, now: Duration, count: Count) -> Result<(), Refusal> {
    match count {
        Count::Now => quota.take(name, now),
        Count::Later => quota.look(name, now),
    }
    .map_err(Refusal::Rate)
}
