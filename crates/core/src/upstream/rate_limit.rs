//! The rate limit: a [`Pace`] over [`Clock`], so that one instance never storms a provider.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::{Call, Clock, Error, ErrorKind, Pace, Result, Retry};

/// So many calls per second, with so many at once after a pause.
pub(crate) struct RateLimit {
    pace: Option<Pace>,
    clock: Arc<dyn Clock>,
    /// When the next call would be due if calls came at exactly the rate ("theoretical arrival time").
    due: Mutex<Duration>,
}

impl RateLimit {
    /// A limit; zero calls per second is none.
    pub(crate) fn new(per_second: u32, burst: u32, clock: Arc<dyn Clock>) -> Self {
        Self { pace: Pace::new(per_second, burst), clock, due: Mutex::new(Duration::ZERO) }
    }

    /// Waits for this call's turn, or says at once that it can't come before the deadline.
    pub(crate) async fn wait(&self, call: &Call) -> Result<()> {
        let Some(pace) = self.pace else { return Ok(()) };
        let pause = {
            let now = self.clock.monotonic();
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            let (pause, next) = pace.turn(*due, now);
            if pause > call.remaining() {
                let message = "this instance's own rate limit for the provider leaves no room before the deadline";
                return Err(Error::new(ErrorKind::Throttled, message).retry(Retry::Never));
            }
            *due = next;
            pause
        };
        if !pause.is_zero() {
            self.clock.sleep(pause).await;
        }
        Ok(())
    }
}
