//! Background work on tokio, and a [`call`] to begin with.

use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{Call, Clock, Spawn, Task};

/// A call over this clock that may take 30 s, with the request id `test`.
pub fn call(clock: &Arc<impl Clock + 'static>) -> Call {
    Call::new(clock.clone(), Arc::new(TokioSpawn), "test", Duration::from_secs(30))
}

/// Background work on the test's tokio runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioSpawn;

impl Spawn for TokioSpawn {
    #[expect(clippy::disallowed_methods, reason = "this is the port that the ban points to")]
    fn spawn(&self, task: Task) {
        tokio::spawn(task);
    }
}
