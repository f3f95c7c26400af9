//! [`TokioSpawn`]: background work that a shutdown can wait for.

use std::fmt;
use std::time::Duration;

use lockstep_core::{Spawn, Task};
use tokio::runtime::Handle;

use crate::tally::Tally;

/// Runs tasks on a tokio runtime and counts them.
#[derive(Clone)]
pub struct TokioSpawn {
    runtime: Handle,
    running: Tally,
}

impl TokioSpawn {
    /// Runs tasks on this runtime.
    pub fn new(runtime: Handle) -> Self {
        Self { runtime, running: Tally::default() }
    }

    /// Tasks that have not ended.
    pub fn running(&self) -> usize {
        self.running.count()
    }

    /// Waits until no task runs, at most this long. Says whether that came.
    #[expect(clippy::disallowed_methods, reason = "the end of the process waits by tokio's timer")]
    pub async fn finished(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.running.none()).await.is_ok()
    }
}

impl Spawn for TokioSpawn {
    fn spawn(&self, task: Task) {
        let count = self.running.enter();
        self.runtime.spawn(async move {
            let _count = count;
            task.await;
        });
    }
}

impl fmt::Debug for TokioSpawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioSpawn").field("running", &self.running()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn shutdown_waits_for_tasks_that_end_and_not_for_those_that_do_not() {
        let spawn = TokioSpawn::new(Handle::current());
        let (end, ended) = oneshot::channel::<()>();
        spawn.spawn(Box::pin(async move {
            let _ = ended.await;
        }));
        assert!(!spawn.finished(Duration::from_millis(1)).await);
        assert_eq!(spawn.running(), 1);
        end.send(()).unwrap();
        assert!(spawn.finished(Duration::from_mins(1)).await);
    }

    /// Break: drop the count before `task.await`, or count down after it instead of in `Drop`.
    #[tokio::test]
    async fn a_task_that_panics_is_counted_as_ended() {
        let spawn = TokioSpawn::new(Handle::current());
        spawn.spawn(Box::pin(async { panic!("as it should") }));
        assert!(spawn.finished(Duration::from_mins(1)).await);
    }
}
