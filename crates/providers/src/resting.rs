//! [`Resting`]: which of several that can stand for each other failed a moment ago, so that they are asked last.
//!
//! Nobody is ever left out, and who comes first is the caller's to say: here is only how long each one still rests.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lockstep_core::{Moment, Timeline};

/// How long one that failed rests.
const REST: Duration = Duration::from_secs(30);

/// A fixed number of them, known by their places.
pub(crate) struct Resting {
    /// Since when each one rests.
    since: Mutex<Vec<Option<Moment>>>,
    timeline: Arc<Timeline>,
}

impl Resting {
    /// So many, none of which rests.
    pub(crate) fn new(count: usize, timeline: Arc<Timeline>) -> Self {
        Self { since: Mutex::new(vec![None; count]), timeline }
    }

    /// Remembers whether one of them could serve.
    pub(crate) fn judge(&self, at: usize, serves: bool) {
        let since = (!serves).then(|| self.timeline.now());
        self.since.lock().unwrap_or_else(PoisonError::into_inner)[at] = since;
    }

    /// How long each one still rests, all at the same moment: zero for those that serve. Once the wall clock went back
    /// nobody knows, and nobody rests.
    pub(crate) fn left(&self) -> Vec<Duration> {
        let now = self.timeline.now();
        let left = |since: Moment| now.since(since).map_or(Duration::ZERO, |age| REST.saturating_sub(age));
        let all = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|since| since.map_or(Duration::ZERO, left)).collect()
    }
}
