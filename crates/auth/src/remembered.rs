//! [`Remembered`]: who was verified a moment ago, by the digest of what was presented.
//!
//! A second request with the same credential costs a hash and a look-up instead of a signature or a call. What is kept
//! is a digest: from it nobody gets a credential back. Entries end on their own, are bounded in number, and can be tied to
//! what they were verified with.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lockstep_core::{Moment, Principal, UnixMillis};
use sha2::{Digest, Sha256};

/// The digest of a credential.
pub(crate) type Mark = [u8; 32];

/// The digest that a credential is remembered by.
pub(crate) fn mark(credential: &[u8]) -> Mark {
    Sha256::digest(credential).into()
}

/// How much is remembered, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RememberedSettings {
    /// How many credentials at most; the one that came first goes first. Zero remembers none. The default is 1024.
    pub entries: usize,
    /// How long at most, and never past the credential's own end. The default is 5 minutes.
    pub time: Duration,
}

impl Default for RememberedSettings {
    fn default() -> Self {
        Self { entries: 1024, time: Duration::from_mins(5) }
    }
}

/// What was verified, and what it hangs on.
#[derive(Clone)]
pub(crate) struct Entry<K> {
    pub(crate) principal: Principal,
    /// What it was verified with.
    pub(crate) with: K,
    /// When the credential ends by the wall clock.
    pub(crate) end: UnixMillis,
}

struct Kept<K> {
    entry: Entry<K>,
    at: Moment,
    /// Which insert this was: what came later under the same mark is not evicted for it.
    number: u64,
}

struct State<K> {
    kept: BTreeMap<Mark, Kept<K>>,
    order: VecDeque<(u64, Mark)>,
    inserts: u64,
}

/// Verified credentials, until they end.
pub(crate) struct Remembered<K> {
    settings: RememberedSettings,
    state: Mutex<State<K>>,
}

impl<K: Clone> Remembered<K> {
    pub(crate) fn new(settings: RememberedSettings) -> Self {
        let state = State { kept: BTreeMap::new(), order: VecDeque::new(), inserts: 0 };
        Self { settings, state: Mutex::new(state) }
    }

    /// What is remembered of a credential, if what it was verified with still `holds`. What is over, or does not hold,
    /// is dropped.
    pub(crate) fn get(&self, mark: &Mark, now: Moment, holds: impl FnOnce(&K) -> bool) -> Option<Principal> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = state.kept.get(mark)?;
        let over = now.is_past(kept.at, self.settings.time) || now.wall >= kept.entry.end;
        if !over && holds(&kept.entry.with) {
            return Some(kept.entry.principal.clone());
        }
        state.kept.remove(mark);
        None
    }

    /// Remembers a credential that was verified at this moment.
    pub(crate) fn put(&self, mark: Mark, now: Moment, entry: Entry<K>) {
        if self.settings.entries == 0 || now.wall >= entry.end {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.inserts += 1;
        let number = state.inserts;
        state.kept.insert(mark, Kept { entry, at: now, number });
        state.order.push_back((number, mark));
        // Entries that were replaced or dropped have left their place in the order behind.
        while state.order.len() > self.settings.entries {
            let Some((number, oldest)) = state.order.pop_front() else { break };
            if state.kept.get(&oldest).is_some_and(|kept| kept.number == number) {
                state.kept.remove(&oldest);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).kept.len()
    }
}

#[cfg(test)]
mod tests {
    use lockstep_core::{Login, Timeline};
    use lockstep_testkit::ManualClock;

    use super::*;

    fn entry(end: UnixMillis) -> Entry<u8> {
        Entry { principal: Principal { login: Login::Jwt, ..Principal::new("jwt:a:b") }, with: 7, end }
    }

    /// Break: either half of `over`, `holds`, or the eviction in `put`.
    #[test]
    fn an_entry_ends_by_its_age_by_its_end_by_what_it_hangs_on_and_by_number() {
        let clock = ManualClock::new();
        let timeline = Timeline::new(clock.clone());
        let settings = RememberedSettings { entries: 3, time: Duration::from_mins(5) };
        let remembered = Remembered::new(settings);
        let end = |minutes| timeline.now().wall.plus(Duration::from_mins(minutes));
        let (long, short) = (mark(b"long"), mark(b"short"));
        remembered.put(long, timeline.now(), entry(end(60)));
        remembered.put(short, timeline.now(), entry(end(2)));
        clock.advance(Duration::from_millis(119_999));
        assert!(remembered.get(&short, timeline.now(), |with| *with == 7).is_some());
        clock.advance(Duration::from_millis(1));
        assert!(remembered.get(&short, timeline.now(), |_| true).is_none(), "its own end");
        clock.advance(Duration::from_millis(179_999));
        assert!(remembered.get(&long, timeline.now(), |_| true).is_some());
        clock.advance(Duration::from_millis(1));
        assert!(remembered.get(&long, timeline.now(), |_| true).is_none(), "the cap");
        remembered.put(long, timeline.now(), entry(end(60)));
        assert!(remembered.get(&long, timeline.now(), |_| false).is_none(), "what it hangs on");
        assert!(remembered.get(&long, timeline.now(), |_| true).is_none(), "dropped for good");
        remembered.put(long, timeline.now(), entry(end(60)));
        clock.set_wall(UnixMillis(timeline.now().wall.0 - 1));
        assert!(remembered.get(&long, timeline.now(), |_| true).is_none(), "nobody knows its age");
        for n in 0..100_u8 {
            remembered.put(mark(&[n]), timeline.now(), entry(end(60)));
            assert!(remembered.len() <= 3);
        }
        assert!(remembered.get(&mark(&[96]), timeline.now(), |_| true).is_none());
        assert!(remembered.get(&mark(&[97]), timeline.now(), |_| true).is_some());
    }
}
