//! Connections that wait for their next exchange. None is handed out that is old by either clock: over a freeze the
//! monotonic one may stand still, and the other side has closed long ago.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lockstep_core::{Clock, UnixMillis};

use super::TransportSettings;
use super::connect::Sender;
use super::target::Target;

pub(super) struct Pool {
    clock: Arc<dyn Clock>,
    idle_timeout: Duration,
    per_host: usize,
    /// The one that waits longest first. There are a few: a provider has one to three hosts.
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    target: Target,
    sender: Sender,
    since: (Duration, UnixMillis),
}

impl Pool {
    pub(super) fn new(clock: Arc<dyn Clock>, settings: &TransportSettings) -> Self {
        let (idle_timeout, per_host) = (settings.idle_timeout, settings.idle_per_host);
        Self { clock, idle_timeout, per_host, idle: Mutex::default() }
    }

    /// The connection to this target that was used last, if there is one that still stands.
    pub(super) async fn take(&self, target: &Target) -> Option<Sender> {
        loop {
            let mut sender = self.locked(|idle| {
                let at = idle.iter().rposition(|idle| idle.target == *target)?;
                Some(idle.remove(at).sender)
            })?;
            // It is ready at once, unless it is closing.
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    /// Keeps a connection whose exchange came to its end.
    pub(super) fn put(&self, target: Target, sender: Sender) {
        if self.per_host == 0 || sender.is_closed() {
            return;
        }
        let since = (self.clock.monotonic(), self.clock.wall());
        self.locked(|idle| {
            if idle.iter().filter(|idle| idle.target == target).count() >= self.per_host
                && let Some(oldest) = idle.iter().position(|idle| idle.target == target)
            {
                idle.remove(oldest);
            }
            idle.push(Idle { target, sender, since });
        });
    }

    /// Throws all of them away.
    pub(super) fn clear(&self) {
        self.locked(Vec::clear);
    }

    /// Works on those that are not old.
    fn locked<T>(&self, work: impl FnOnce(&mut Vec<Idle>) -> T) -> T {
        let (monotonic, wall) = (self.clock.monotonic(), self.clock.wall());
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|Idle { sender, since, .. }| {
            let waited = monotonic.saturating_sub(since.0).max(wall.saturating_since(since.1));
            // A wall clock that was set back says nothing about what it read before.
            waited < self.idle_timeout && wall >= since.1 && !sender.is_closed()
        });
        work(&mut idle)
    }
}
