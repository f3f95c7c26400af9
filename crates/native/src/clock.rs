//! [`SystemClock`]: the one place where the system's clocks are read.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use lockstep_core::{Clock, UnixMillis};

/// The system's clocks, and tokio's timer for waiting.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now. Make one per process: readings of two can't be compared.
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    /// A wall clock before 1970 reads as 1970: everything is expired then, which is the safe side.
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port")]
    fn wall(&self) -> UnixMillis {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the Clock port")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn both_clocks_advance_and_the_wall_clock_is_in_this_century() {
        let clock = SystemClock::new();
        let (monotonic, wall) = (clock.monotonic(), clock.wall());
        assert!(clock.monotonic() >= monotonic);
        assert!(wall > UnixMillis(1_700_000_000_000), "{wall:?}");
        clock.sleep(Duration::from_hours(1)).await;
    }
}
