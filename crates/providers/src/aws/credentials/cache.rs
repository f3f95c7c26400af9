//! The cache over the chain: one load at a time, ahead of the end.
//!
//! From 15 minutes before the end one caller renews while the others go on with what is there; from 10 minutes before
//! it everyone waits for the new one. A renewal that fails is no error while the old credential is accepted.

use std::sync::Arc;
use std::sync::Mutex as SyncMutex;
use std::sync::PoisonError;
use std::time::Duration;

use futures_util::lock::Mutex;
use lockstep_core::{Call, Error, Moment, Operation, Random, Result, Timeline};

use super::Credentials;
use super::chain::Chain;
use super::imds::extension;
use crate::aws::endpoint::Endpoint;
use crate::aws::session::Ports;

/// From here on one caller renews.
const ADVISORY: Duration = Duration::from_mins(15);
/// From here on everyone waits for the renewal.
const MANDATORY: Duration = Duration::from_mins(10);
/// A load, good or bad, is not repeated within this time while the credential is accepted: some sources hand out
/// credentials that live shorter than the windows above.
const PAUSE: Duration = Duration::from_mins(1);

/// Credentials that were loaded.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) credentials: Credentials,
    /// Which load it was, so that only the credential that was refused is dropped.
    number: u64,
    at: Moment,
    /// How long they live from `at`.
    lifetime: Option<Duration>,
}

impl Loaded {
    /// What is left of the lifetime. Nobody knows once the wall clock went back, so nothing is.
    fn left(&self, now: Moment) -> Duration {
        match self.lifetime {
            None => Duration::MAX,
            Some(lifetime) => now.since(self.at).map_or(Duration::ZERO, |age| lifetime.saturating_sub(age)),
        }
    }
}

#[derive(Default)]
struct State {
    current: Option<Loaded>,
    /// How many loads have ended.
    loads: u64,
    /// How the last one ended, if badly.
    failure: Option<Error>,
    /// When the last one ended.
    tried: Option<Moment>,
}

/// The credentials of a session.
pub(crate) struct CredentialCache {
    chain: Chain,
    timeline: Arc<Timeline>,
    random: Arc<dyn Random>,
    state: SyncMutex<State>,
    /// Whoever holds it loads.
    flight: Mutex<()>,
}

impl CredentialCache {
    /// A cache over the chain of these ports.
    pub(crate) fn of_chain(profile: Option<&str>, sts: Endpoint, ports: &Ports, timeline: Arc<Timeline>) -> Self {
        Self::new(Chain::new(profile, sts, ports), timeline, ports.random.clone())
    }

    pub(super) fn new(chain: Chain, timeline: Arc<Timeline>, random: Arc<dyn Random>) -> Self {
        Self { chain, timeline, random, state: SyncMutex::default(), flight: Mutex::new(()) }
    }

    /// Credentials that AWS accepts, as far as the clock can tell.
    pub(crate) async fn get(&self, call: &Call) -> Result<Loaded> {
        let (current, seen) = self.with(|state| (state.current.clone(), state.loads));
        let now = self.timeline.now();
        if let Some(current) = current {
            let left = current.left(now);
            let paused = self.with(|state| state.tried).is_some_and(|tried| !now.is_past(tried, PAUSE));
            if left > ADVISORY || (paused && left > Duration::ZERO) {
                return Ok(current);
            }
            if left > MANDATORY {
                // The guard must live until the load has ended.
                return match self.flight.try_lock() {
                    Some(_flight) => self.load(call).await.or(Ok(current)),
                    None => Ok(current),
                };
            }
        }
        let _flight = self.flight.lock().await;
        if let Some(answer) = self.with(|state| state.answer_since(seen)) {
            return answer;
        }
        self.load(call).await
    }

    /// Drops the credential that AWS has refused, unless it is replaced already.
    pub(crate) fn refuse(&self, refused: &Loaded) {
        self.with(|state| {
            if state.current.as_ref().is_some_and(|current| current.number == refused.number) {
                state.current = None;
                state.tried = None;
            }
        });
    }

    /// Loads, with the flight held.
    async fn load(&self, call: &Call) -> Result<Loaded> {
        let result = call.bounded(self.chain.load(call)).await.map_err(|error| error.during(Operation::Login));
        let now = self.timeline.now();
        self.with(|state| {
            state.loads += 1;
            state.tried = Some(now);
            match result {
                Ok(credentials) => {
                    // A host whose clock is ahead would load for each call: AWS has the last word on the end.
                    let lifetime = credentials.expires.map(|expires| expires.saturating_since(now.wall).max(PAUSE));
                    let loaded = Loaded { credentials, number: state.loads, at: now, lifetime };
                    state.failure = None;
                    state.current = Some(loaded.clone());
                    Ok(loaded)
                }
                Err(error) => {
                    let kept = state.keep(now, &error, || extension(&*self.random));
                    state.failure = kept.is_none().then(|| error.clone());
                    kept.ok_or(error)
                }
            }
        })
    }

    fn with<T>(&self, job: impl FnOnce(&mut State) -> T) -> T {
        job(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// What those who waited for a load get: its credentials, or its error. `None` when none has ended since.
    fn answer_since(&self, seen: u64) -> Option<Result<Loaded>> {
        if self.loads == seen {
            return None;
        }
        match (&self.failure, &self.current) {
            (Some(error), _) => Some(Err(error.clone())),
            (None, Some(current)) => Some(Ok(current.clone())),
            (None, None) => None,
        }
    }

    /// The old credential, if it still does after a failed load.
    fn keep(&mut self, now: Moment, error: &Error, extension: impl FnOnce() -> Duration) -> Option<Loaded> {
        let current = self.current.as_mut()?;
        if current.left(now) == Duration::ZERO {
            if !current.credentials.outlives_outage || !error.is_transient() {
                return None;
            }
            current.at = now;
            current.lifetime = Some(extension());
        }
        Some(current.clone())
    }
}
