//! Retry: a few attempts inside the call's deadline, with full jitter, the provider's own hint, and a budget that a
//! storm of failures uses up.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::{Call, Clock, Error, ErrorKind, Random, Result, Retry, UpstreamSettings};

/// What one retry takes from the budget.
const COST: u32 = 10;
/// What one success at the first attempt gives back.
const REFUND: u32 = 1;

/// The retry policy of one provider.
pub(crate) struct Retries {
    attempts: u32,
    throttled_attempts: u32,
    backoff: Duration,
    throttled_backoff: Duration,
    max_backoff: Duration,
    full_budget: u32,
    budget: AtomicU32,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Retries {
    pub(crate) fn new(settings: &UpstreamSettings, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let full_budget = settings.retry_budget.saturating_mul(COST);
        Self {
            attempts: settings.attempts,
            throttled_attempts: settings.throttled_attempts,
            backoff: settings.backoff,
            throttled_backoff: settings.throttled_backoff,
            max_backoff: settings.max_backoff,
            full_budget,
            budget: AtomicU32::new(full_budget),
            clock,
            random,
        }
    }

    /// Runs attempts until one succeeds, or none may follow.
    pub(crate) async fn run<F: Future<Output = Result<()>> + Send>(
        &self,
        call: &Call,
        repeatable: &(dyn Fn() -> bool + Send + Sync),
        attempt: impl Fn() -> F + Send + Sync,
    ) -> Result<()> {
        let mut made = 0;
        let mut renewed = false;
        loop {
            let error = match attempt().await {
                Ok(()) => {
                    if made == 0 {
                        self.refund();
                    }
                    return Ok(());
                }
                Err(error) => error,
            };
            made += 1;
            let pause = match error.retry_hint() {
                Retry::OnceWithFreshCredentials if !renewed => {
                    renewed = true;
                    Duration::ZERO
                }
                Retry::After(hint) if repeatable() => match self.pause(&error, made, hint) {
                    Some(pause) => pause,
                    None => return Err(error),
                },
                _ => return Err(error),
            };
            // A pause past the deadline would turn a cause into a timeout: the error at hand says more.
            if pause >= call.remaining() || !self.spend() {
                return Err(error);
            }
            if !pause.is_zero() {
                self.clock.sleep(pause).await;
            }
        }
    }

    /// How long to wait before the next attempt, unless there is none: never shorter than the provider asked for.
    fn pause(&self, error: &Error, made: u32, hint: Option<Duration>) -> Option<Duration> {
        let throttled = error.kind() == ErrorKind::Throttled;
        let (attempts, base) =
            if throttled { (self.throttled_attempts, self.throttled_backoff) } else { (self.attempts, self.backoff) };
        if made >= attempts {
            return None;
        }
        let ceiling = base.saturating_mul(1 << (made - 1).min(16)).min(self.max_backoff);
        Some(self.jittered(ceiling).max(hint.unwrap_or_default()))
    }

    /// A random part of `ceiling` ("full jitter").
    fn jittered(&self, ceiling: Duration) -> Duration {
        ceiling.mul_f64(crate::fraction(&*self.random))
    }

    fn spend(&self) -> bool {
        self.full_budget == 0
            || self.budget.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(COST)).is_ok()
    }

    fn refund(&self) {
        let full = self.full_budget;
        // Failing means that it is full already.
        let _ = self
            .budget
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| (left < full).then(|| (left + REFUND).min(full)));
    }
}
