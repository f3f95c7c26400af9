//! [`At`]: a clock that stands still, for questions about another moment.

use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::{Clock, UnixMillis};

/// It is this late, and stays so.
pub(crate) struct At(pub(crate) UnixMillis);

#[async_trait]
impl Clock for At {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn wall(&self) -> UnixMillis {
        self.0
    }

    async fn sleep(&self, _: Duration) {
        // Nothing waits for this one.
    }
}
