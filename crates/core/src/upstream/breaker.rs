//! The breaker: a provider that fails again and again is left alone for a while, and then tried with one call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Clock, Error, ErrorKind};

/// Opens after so many failures in a row, lets one call through after a pause, closes after so many successes.
pub(crate) struct Breaker {
    failures: u32,
    successes: u32,
    reset: Duration,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        failed: u32,
    },
    Open {
        since: Duration,
    },
    /// One call is out to see; `succeeded` counts those that came back well.
    Trial {
        succeeded: u32,
        out: bool,
        since: Duration,
    },
}

impl Breaker {
    /// A closed breaker. With `failures` zero it never opens.
    pub(crate) fn new(failures: u32, successes: u32, reset: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { failures, successes: successes.max(1), reset, clock, state: Mutex::new(State::Closed { failed: 0 }) }
    }

    /// Leave to make one call, or [`ErrorKind::CircuitOpen`].
    pub(crate) fn admit(&self) -> Result<Permit<'_>, Error> {
        let now = self.clock.monotonic();
        let mut state = self.state();
        let trial = match *state {
            State::Closed { .. } => false,
            State::Open { since } if now.saturating_sub(since) >= self.reset => {
                *state = State::Trial { succeeded: 0, out: true, since };
                true
            }
            State::Trial { succeeded, out: false, since } => {
                *state = State::Trial { succeeded, out: true, since };
                true
            }
            State::Open { since } | State::Trial { since, .. } => {
                let wait = self.reset.saturating_sub(now.saturating_sub(since));
                let message =
                    "the provider failed too often and is left alone for a while; look at the errors before this one";
                return Err(Error::new(ErrorKind::CircuitOpen, message).retry(crate::Retry::After(Some(wait))));
            }
        };
        Ok(Permit { breaker: self, trial, settled: false })
    }

    /// Whether calls are refused, or let through one by one.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(*self.state(), State::Closed { .. })
    }

    fn record(&self, trial: bool, failed: bool) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        *state = match (*state, failed) {
            (State::Closed { failed }, true) if self.failures > 0 && failed + 1 >= self.failures => {
                State::Open { since: now }
            }
            (State::Closed { failed }, true) => State::Closed { failed: failed.saturating_add(1) },
            (State::Closed { .. }, false) => State::Closed { failed: 0 },
            // A call that began before the breaker opened says nothing new.
            (earlier @ State::Trial { .. }, _) if !trial => earlier,
            (State::Trial { .. }, true) => State::Open { since: now },
            (State::Trial { succeeded, .. }, false) if succeeded + 1 >= self.successes => State::Closed { failed: 0 },
            (State::Trial { succeeded, since, .. }, false) => {
                State::Trial { succeeded: succeeded + 1, out: false, since }
            }
            (open @ State::Open { .. }, _) => open,
        };
    }

    /// A call that ended without an outcome: the next one may be the trial.
    fn abandon(&self, trial: bool) {
        let mut state = self.state();
        if let (State::Trial { succeeded, since, .. }, true) = (*state, trial) {
            *state = State::Trial { succeeded, out: false, since };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to make one call. Dropped without an outcome (the caller went away), it counts for nothing.
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    /// Whether it is the call that shows whether the provider is well again.
    trial: bool,
    settled: bool,
}

impl Permit<'_> {
    /// Says how the call ended. Only what tells of a sick provider counts as failure: an answer, however unwelcome,
    /// does not, nor does throttling, which is the provider defending its health.
    pub(crate) fn settle(mut self, error: Option<&Error>) {
        self.settled = true;
        match error {
            Some(error) if error.kind() == ErrorKind::Throttled => self.breaker.abandon(self.trial),
            error => self.breaker.record(self.trial, error.is_some_and(Error::is_transient)),
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.breaker.abandon(self.trial);
        }
    }
}
