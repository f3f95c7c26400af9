//! [`Background`]: work that goes on after an answer, and that a freeze may have cut off.
//!
//! Lambda stops the whole machine between invocations. What was under way then may wait for a connection that died
//! meanwhile, and who joins it waits too; so it can be ended here, and whoever needs it does it anew.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{Spawn, Task};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::TokioSpawn;

/// Runs tasks that can all be cancelled at once.
pub struct Background {
    tasks: TokioSpawn,
    cancelled: Arc<Notify>,
}

impl Background {
    /// Runs tasks on this runtime.
    pub fn new(runtime: Handle) -> Self {
        Self { tasks: TokioSpawn::new(runtime), cancelled: Arc::default() }
    }

    /// Waits until no task runs, at most this long. Says whether that came.
    pub async fn finished(&self, limit: Duration) -> bool {
        self.tasks.running() == 0 || self.tasks.finished(limit).await
    }

    /// Ends every task that runs now. Says how many there were.
    pub fn cancel(&self) -> usize {
        self.cancelled.notify_waiters();
        self.tasks.running()
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").field("running", &self.tasks.running()).finish_non_exhaustive()
    }
}

impl Spawn for Background {
    fn spawn(&self, task: Task) {
        // It hears of a cancellation from here on, before it is polled for the first time.
        let cancelled = Arc::clone(&self.cancelled).notified_owned();
        self.tasks.spawn(Box::pin(async move {
            tokio::select! {
                () = task => {}
                () = cancelled => {}
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    /// Break: leave the second arm of the `select!` out.
    #[tokio::test]
    async fn cancelling_ends_what_runs_and_nothing_that_starts_later() {
        let background = Background::new(Handle::current());
        background.spawn(Box::pin(pending()));
        background.spawn(Box::pin(pending()));
        assert_eq!(background.cancel(), 2);
        assert!(background.finished(Duration::from_mins(1)).await);

        background.spawn(Box::pin(pending()));
        assert!(!background.finished(Duration::from_millis(1)).await);
    }
}
