//! The fence: a fetch that began before an invalidation never enters the cache.
//!
//! Invalidations are kept as a short list with numbers. A fetch remembers the number at its start, and what it brings
//! home is compared with every later one: only then is it known under which names the secret goes.

use crate::sync::{Mutex, MutexGuard, PoisonError};
use crate::target::Target;
use std::collections::VecDeque;

/// How many invalidations are remembered. A fetch that outlasts more is fenced, whatever it fetched.
const REMEMBERED: usize = 1024;

/// The invalidations of late.
#[derive(Default)]
pub(crate) struct Fence {
    recent: Mutex<Recent>,
}

#[derive(Default)]
struct Recent {
    raised: u64,
    targets: VecDeque<Target>,
}

/// How many invalidations there had been when a fetch began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started(u64);

impl Fence {
    /// Marks the start of a fetch, or the point from which on nothing may have come in between.
    pub(crate) fn start(&self) -> Started {
        Started(self.recent().raised)
    }

    /// An invalidation: what was fetched before is refused from now on.
    pub(crate) fn raise(&self, target: Target) {
        let mut recent = self.recent();
        recent.raised += 1;
        recent.targets.push_back(target);
        if recent.targets.len() > REMEMBERED {
            recent.targets.pop_front();
        }
    }

    /// Does the work unless an invalidation since then fits; says whether it did. No invalidation gets in between: one
    /// that comes later finds what the work has left in the cache.
    pub(crate) fn unless_raised(&self, since: Started, fits: impl Fn(&Target) -> bool, work: impl FnOnce()) -> bool {
        let recent = self.recent();
        let clear = !recent.any_since(since, fits);
        if clear {
            work();
        }
        clear
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    fn any_since(&self, since: Started, fits: impl Fn(&Target) -> bool) -> bool {
        let Ok(later) = usize::try_from(self.raised - since.0) else { return true };
        later > self.targets.len() || self.targets.iter().rev().take(later).any(fits)
    }
}
