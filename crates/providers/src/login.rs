//! [`LoginCache`]: what a login has given, kept until shortly before its end: one login at a time, however many wait.
//!
//! Ahead of the end one caller renews while the others go on with what is there; shortly before it everyone waits for
//! the new one. A renewal that fails is no error while the old credential is accepted. Who a credential is for and what
//! it looks like is its source's.

use std::sync::Mutex as SyncMutex;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::lock::Mutex;
use lockstep_core::{Call, Error, ErrorKind, Moment, Operation, Result, Timeline, UnixMillis};

/// A login, good or bad, is not repeated within this time while the credential is accepted: some sources hand out
/// credentials that live shorter than the windows ahead of their end.
const PAUSE: Duration = Duration::from_mins(1);

/// Where credentials come from.
#[async_trait]
pub(crate) trait LoginSource: Send + Sync {
    /// What a login gives.
    type Credential: Clone + Send + Sync;

    /// Logs in.
    async fn log_in(&self, call: &Call) -> Result<Granted<Self::Credential>>;

    /// How long before its end this credential is renewed, if not as all of this source are.
    fn ahead(&self, _: &Self::Credential) -> Option<Ahead> {
        None
    }
}

/// What a login has given.
#[derive(Debug, Clone)]
pub(crate) struct Granted<T> {
    pub(crate) credential: T,
    pub(crate) end: End,
    /// How much longer it is used while its source can't be asked, if it is.
    pub(crate) beyond: Option<Duration>,
}

/// When a credential stops to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// At this time, by the clock of who gave it.
    At(UnixMillis),
    /// So long after it was given.
    In(Duration),
    /// Nobody says.
    Unknown,
}

/// How long before the end a credential is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ahead {
    /// From here on one caller renews.
    pub(crate) advisory: Duration,
    /// From here on everyone waits for the renewal.
    pub(crate) mandatory: Duration,
}

/// A credential that was given.
#[derive(Debug, Clone)]
pub(crate) struct Loaded<T> {
    pub(crate) credential: T,
    /// Which login it came from, so that only the credential that was refused is dropped.
    number: u64,
    at: Moment,
    /// How long it lives from `at`.
    lifetime: Option<Duration>,
    beyond: Option<Duration>,
    ahead: Ahead,
}

impl<T> Loaded<T> {
    /// What is left of the lifetime. Nobody knows once the wall clock went back, so nothing is.
    fn left(&self, now: Moment) -> Duration {
        match self.lifetime {
            None => Duration::MAX,
            Some(lifetime) => now.since(self.at).map_or(Duration::ZERO, |age| lifetime.saturating_sub(age)),
        }
    }
}

struct State<T> {
    current: Option<Loaded<T>>,
    /// How many logins have ended.
    logins: u64,
    /// How the last one ended, if badly.
    failure: Option<Error>,
    /// When the last one ended.
    tried: Option<Moment>,
}

/// The credential of one identity.
pub(crate) struct LoginCache<S: LoginSource> {
    source: S,
    ahead: Ahead,
    timeline: Arc<Timeline>,
    state: SyncMutex<State<S::Credential>>,
    /// Whoever holds it logs in.
    flight: Mutex<()>,
}

impl<S: LoginSource> LoginCache<S> {
    /// A cache that has not logged in yet.
    pub(crate) fn new(source: S, ahead: Ahead, timeline: Arc<Timeline>) -> Self {
        let state = State { current: None, logins: 0, failure: None, tried: None };
        Self { source, ahead, timeline, state: SyncMutex::new(state), flight: Mutex::new(()) }
    }

    /// A credential that is accepted, as far as the clock can tell.
    pub(crate) async fn get(&self, call: &Call) -> Result<Loaded<S::Credential>> {
        let (current, seen) = self.with(|state| (state.current.clone(), state.logins));
        let now = self.timeline.now();
        if let Some(current) = current {
            let left = current.left(now);
            let paused = self.with(|state| state.tried).is_some_and(|tried| !now.is_past(tried, PAUSE));
            if left > current.ahead.advisory || (paused && left > Duration::ZERO) {
                return Ok(current);
            }
            if left > current.ahead.mandatory {
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

    /// Drops the credential that was refused, unless it is replaced already.
    pub(crate) fn refuse(&self, refused: &Loaded<S::Credential>) {
        self.refuse_then(refused, |_| {});
    }

    /// The same; when the credential was dropped, the source is told something before it is asked again.
    pub(crate) fn refuse_then(&self, refused: &Loaded<S::Credential>, tell: impl FnOnce(&S)) {
        self.with(|state| {
            if state.current.as_ref().is_some_and(|current| current.number == refused.number) {
                state.current = None;
                state.tried = None;
                tell(&self.source);
            }
        });
    }

    /// Who logs in.
    pub(crate) fn source(&self) -> &S {
        &self.source
    }

    /// Logs in, with the flight held.
    async fn load(&self, call: &Call) -> Result<Loaded<S::Credential>> {
        let result = call.bounded(self.source.log_in(call)).await.map_err(of_login);
        let now = self.timeline.now();
        self.with(|state| {
            state.logins += 1;
            state.tried = Some(now);
            match result {
                Ok(Granted { credential, end, beyond }) => {
                    let lifetime = match end {
                        // A host whose clock is ahead would log in for each call: who gave it has the last word.
                        End::At(end) => Some(end.saturating_since(now.wall).max(PAUSE)),
                        End::In(lifetime) => Some(lifetime),
                        End::Unknown => None,
                    };
                    let ahead = self.source.ahead(&credential).unwrap_or(self.ahead);
                    let loaded = Loaded { credential, number: state.logins, at: now, lifetime, beyond, ahead };
                    state.failure = None;
                    state.current = Some(loaded.clone());
                    Ok(loaded)
                }
                Err(error) => {
                    let kept = state.keep(now, &error);
                    state.failure = kept.is_none().then(|| error.clone());
                    kept.ok_or(error)
                }
            }
        })
    }

    fn with<R>(&self, job: impl FnOnce(&mut State<S::Credential>) -> R) -> R {
        job(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is too large for a login is no answer about a secret: it comes from who is in the login's place, and another
/// provider may be asked.
pub(crate) fn of_login(error: Error) -> Error {
    if error.kind() != ErrorKind::TooLarge {
        return error.during(Operation::Login);
    }
    let message = "the answer to the login is larger than any login; look at its address, and at what is before it";
    Error::new(ErrorKind::Malformed, message).during(Operation::Login).because(error)
}

impl<T: Clone> State<T> {
    /// What those who waited for a login get: its credential, or its error. `None` when none has ended since.
    fn answer_since(&self, seen: u64) -> Option<Result<Loaded<T>>> {
        if self.logins == seen {
            return None;
        }
        match (&self.failure, &self.current) {
            (Some(error), _) => Some(Err(error.clone())),
            (None, Some(current)) => Some(Ok(current.clone())),
            (None, None) => None,
        }
    }

    /// The old credential, if it still does after a failed login.
    fn keep(&mut self, now: Moment, error: &Error) -> Option<Loaded<T>> {
        let current = self.current.as_mut()?;
        if current.left(now) == Duration::ZERO {
            let beyond = current.beyond.filter(|_| error.is_transient())?;
            current.at = now;
            current.lifetime = Some(beyond);
        }
        Some(current.clone())
    }
}

#[cfg(test)]
mod tests;
