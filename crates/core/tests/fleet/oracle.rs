//! What is true, and whether an answer keeps the promise. It knows of no resolver.

use std::sync::{Arc, Mutex};

use crate::engine::{Micros, SECOND};
use crate::provider::{LAG, Store};

/// `max_staleness` of every run.
pub(crate) const BOUND: Micros = 5 * SECOND;
/// `settle` of every run.
pub(crate) const SETTLE: Micros = 20 * SECOND;
/// `ttl_with_journal` of every run.
pub(crate) const TTL: Micros = 60 * SECOND;
/// An instance measures by its own clocks, whose drift is at most 500 parts per million and whose wall counts milliseconds.
const TOLERANCE: Micros = BOUND / 1_000 + 2_000;

pub(crate) struct Oracle {
    store: Arc<Store>,
    /// For each name, when the Change of each thing that it held was in the journal.
    appended: Vec<Mutex<Vec<Option<Micros>>>>,
}

/// One answer, as an instance gave it.
pub(crate) struct Given {
    pub(crate) name: usize,
    pub(crate) index: usize,
    pub(crate) marked: bool,
    /// The newest thing that this instance has given before, unmarked.
    pub(crate) proven: Option<usize>,
    /// `on_outage = fail`: a mark excuses nothing.
    pub(crate) strict: bool,
    /// The provider's own answer, asked for while the journal was out: nothing cached was served.
    pub(crate) unvouched: bool,
}

impl Oracle {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        let appended = store.names.iter().map(|_| Mutex::default()).collect();
        Self { store, appended }
    }
    pub(crate) fn appended(&self, name: usize, index: usize, at: Micros) {
        let mut all = self.appended[name].lock().unwrap();
        if all.len() <= index {
            all.resize(index + 1, None);
        }
        all[index].get_or_insert(at);
    }
    /// How long the answer had been superseded when it was given, if it was.
    pub(crate) fn judge(&self, given: &Given, now: Micros) -> Result<Option<Micros>, String> {
        let Given { name, index, .. } = *given;
        let superseded = self.appended[name].lock().unwrap().iter().skip(index + 1).flatten().min().copied();
        let staleness = superseded.map(|at| now.saturating_sub(at));
        if given.unvouched || (given.marked && !given.strict) {
            return Ok(staleness);
        }
        if let Some(over) = staleness.filter(|staleness| *staleness > BOUND + TOLERANCE) {
            return Err(format!("bound: n{name} #{index} was given {over} us after its Change"));
        }
        let held = self.store.names[name].lock().unwrap();
        // A lost notification heals with the TTL; the answer then may be a lagging replica's, and takes its time.
        let healed = TTL + LAG + BOUND + SECOND;
        if let Some(next) = held.get(index + 1).filter(|next| now.saturating_sub(next.since) > healed) {
            return Err(format!("healing: n{name} #{index} was given though replaced at {} us", next.since));
        }
        if let Some(proven) = given.proven.filter(|proven| *proven > index)
            && now.saturating_sub(held[proven].since) > SETTLE
        {
            return Err(format!("order: n{name} #{index} was given after #{proven}"));
        }
        Ok(staleness)
    }
}
