//! [`Keys`]: the keys of one issuer, kept, and fetched again when they have to be.
//!
//! Whoever can send tokens can make up key ids, so an unknown one buys little: one fetch is under way at a time, the next
//! one begins a cooldown after the last one ended, well or badly, and a key id that a fetch has not brought is remembered
//! for a while. A set that was good stays while its issuer can't be asked, or answers nonsense, up to a stated age.
//! Nothing runs in the background: who needs the keys fetches them.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use lockstep_core::{Call, Error, ErrorKind, Moment, Result, Timeline};
use sha2::{Digest as _, Sha256};

use super::algorithm::Algorithm;
use super::fetch::{Fault, Fetch};
use super::issuer::Place;
use super::jwks::{KeyMark, KeySet};
use crate::refused::Refused;

/// How keys are kept and fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySettings {
    /// How old a set may become before it is fetched again. What the issuer's headers say about that is not looked at.
    /// The default is 1 hour. A key that its issuer has withdrawn is accepted for this long at most, while the issuer
    /// can be asked.
    pub max_age: Duration,
    /// How old a set may become while its issuer can't be asked. At least `max_age`; the default is 24 hours.
    pub max_stale: Duration,
    /// The pause between the end of one fetch and the beginning of the next, however the first one ended. At least 1 s; the
    /// default is 30 s.
    pub cooldown: Duration,
    /// How long a key id that a fetch has not brought leads to no other fetch. The default is 2 minutes.
    pub unknown_time: Duration,
    /// How many such key ids are remembered. The default is 256.
    pub unknown_entries: usize,
    /// What one exchange with the issuer may take. Discovery and keys are one exchange each. The default is 5 s.
    pub fetch_time: Duration,
    /// Whether requests wait for one fetch together. Off on hosts where a request can't wait for another's: there each
    /// one that has no keys at all fetches for itself. The default is on.
    pub single_flight: bool,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            max_age: Duration::from_hours(1),
            max_stale: Duration::from_hours(24),
            cooldown: Duration::from_secs(30),
            unknown_time: Duration::from_mins(2),
            unknown_entries: 256,
            fetch_time: Duration::from_secs(5),
            single_flight: true,
        }
    }
}

impl KeySettings {
    /// # Errors
    /// `Config`, with what to write.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = if self.cooldown < Duration::from_secs(1) {
            "the pause between two fetches of an issuer's keys is too short: made-up key ids would flood it; write `1s` or \
             more, such as `30s`"
        } else if self.fetch_time.is_zero() {
            "a fetch of an issuer's keys has no time at all; write one like `5s`"
        } else if self.max_age.is_zero() || self.max_age > self.max_stale {
            "an issuer's keys are fetched again after longer than they may be used at all, or each time; write an age like \
             `1h` that is not above the longest one, such as `24h`"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Config, wrong))
    }
}

type Outcome = Result<Arc<KeySet>, Fault>;
type Flight = Shared<Pin<Box<dyn Future<Output = Outcome> + Send>>>;

#[derive(Default)]
struct State {
    set: Option<(Arc<KeySet>, Moment)>,
    /// The fetch under way: its number, when it began, and, where requests may wait for each other, the fetch itself.
    flight: Option<(u64, Moment, Option<Flight>)>,
    flights: u64,
    /// When the last fetch ended.
    tried: Option<Moment>,
    /// How it ended, if badly.
    fault: Option<Fault>,
    /// Key ids that a fetch has not brought, by their digests, the oldest first.
    unknown: VecDeque<([u8; 32], Moment)>,
}

/// The keys of one issuer.
pub(crate) struct Keys {
    fetch: Arc<Fetch>,
    settings: KeySettings,
    timeline: Arc<Timeline>,
    state: Mutex<State>,
}

/// What is to be done for a token.
enum Step {
    /// The set has its key.
    Use(Arc<KeySet>),
    /// A fetch is under way, or is to begin. With the set that will do if it does not come in time.
    Wait {
        number: u64,
        begun: Moment,
        flight: Flight,
        spare: Option<Arc<KeySet>>,
    },
    Refuse(Refused),
}

impl Keys {
    pub(crate) fn new(fetch: Fetch, settings: KeySettings, timeline: Arc<Timeline>) -> Self {
        Self { fetch: Arc::new(fetch), settings, timeline, state: Mutex::default() }
    }

    /// A set that has a key for a token; a fetch may stand before it.
    ///
    /// # Errors
    /// `jwt_unknown_key` when the issuer has none, `jwt_keys_unavailable` (not now) when nobody can tell.
    pub(crate) async fn find(
        &self,
        call: &Call,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Found<'_>, Refused> {
        if let Place::Static(set) = &self.fetch.issuer.place {
            return if set.named(kid, algorithm).is_empty() { Err(unknown()) } else { Ok(Found::Static(set)) };
        }
        let mut fetched = false;
        loop {
            match self.step(call, kid, algorithm, fetched) {
                Step::Use(set) => return Ok(Found::Fetched(set)),
                Step::Refuse(refused) => return Err(refused),
                Step::Wait { number, begun, flight, spare } => {
                    let Ok(outcome) = call.bounded(flight.map(Ok)).await else {
                        // It is the request's own time that is over; the fetch goes on with who waits longer.
                        let late = || unavailable("they did not come within the request's time");
                        return spare.map(Found::Fetched).ok_or_else(late);
                    };
                    self.land(number, begun, outcome);
                }
            }
            fetched = true;
        }
    }

    /// Whether this key is one of a set that needs no fetch now.
    pub(crate) fn hold(&self, mark: &KeyMark) -> bool {
        if let Place::Static(set) = &self.fetch.issuer.place {
            return set.has(mark);
        }
        let now = self.timeline.now();
        self.with(|state| match &state.set {
            Some((set, at)) => {
                let is_young = !now.is_past(*at, self.settings.max_age);
                let is_kept = !now.is_past(*at, self.settings.max_stale) && self.is_cooling(state, now);
                (is_young || is_kept) && set.has(mark)
            }
            None => false,
        })
    }

    fn is_cooling(&self, state: &State, now: Moment) -> bool {
        state.tried.is_some_and(|tried| !now.is_past(tried, self.settings.cooldown))
    }

    fn step(&self, call: &Call, kid: Option<&str>, algorithm: Algorithm, fetched: bool) -> Step {
        let now = self.timeline.now();
        let name = digest(kid);
        self.with(|state| {
            let kept = state.set.as_ref().filter(|(_, at)| !now.is_past(*at, self.settings.max_stale));
            let is_young = kept.is_some_and(|(_, at)| !now.is_past(*at, self.settings.max_age));
            let set = kept.map(|(set, _)| set.clone());
            let fitting = set.clone().filter(|set| !set.named(kid, algorithm).is_empty());
            // What has come and was not taken in yet is no flight: the next request takes it in.
            let is_flying = state.flight.as_ref().is_some_and(|(_, begun, flight)| {
                !self.is_lost(now, *begun) && flight.as_ref().is_none_or(|flight| flight.peek().is_none())
            });
            match (set, fitting) {
                // While one request renews an old set, the others go on with it.
                (_, Some(set)) if is_young || fetched || self.is_cooling(state, now) || is_flying => Step::Use(set),
                (_, Some(set)) => self.fly(call, state, now, Some(set)),
                (Some(_), None) if fetched => {
                    if state.fault.is_none() {
                        state.unknown.push_back((name, now));
                        state.forget_unknown(now, &self.settings);
                    }
                    Step::Refuse(state.no_such_key())
                }
                (Some(_), None) => {
                    state.forget_unknown(now, &self.settings);
                    let is_known_unknown = state.unknown.iter().any(|(known, _)| *known == name);
                    // Where requests can't wait for each other, one that finds a fetch under way is answered at once.
                    let is_others = is_flying && !self.settings.single_flight;
                    if is_known_unknown || is_others || (!is_flying && self.is_cooling(state, now)) {
                        return Step::Refuse(state.no_such_key());
                    }
                    self.fly(call, state, now, None)
                }
                (None, _) if fetched || (!is_flying && self.is_cooling(state, now)) => {
                    Step::Refuse(unavailable(state.fault.as_deref().unwrap_or("they are older than is allowed")))
                }
                (None, _) => self.fly(call, state, now, None),
            }
        })
    }

    /// Waits for the fetch under way, or for a new one.
    fn fly(&self, call: &Call, state: &mut State, now: Moment, spare: Option<Arc<KeySet>>) -> Step {
        if let Some((number, begun, Some(flight))) = &state.flight
            && !self.is_lost(now, *begun)
        {
            return Step::Wait { number: *number, begun: *begun, flight: flight.clone(), spare };
        }
        let fetch = self.fetch.clone();
        let task: Pin<Box<dyn Future<Output = Outcome> + Send>> = Box::pin(async move {
            let name = &fetch.issuer.settings.name;
            let note = |fault: &Fault| tracing::warn!(issuer = %name, reason = %fault, "its keys can't be had");
            fetch.keys().await.inspect_err(note).map(Arc::new)
        });
        let flight = task.shared();
        state.flights += 1;
        if self.settings.single_flight {
            // Whoever began it may hang up: it goes on without anybody, or old keys would live for as long as one does.
            call.spawn(flight.clone().map(drop));
        }
        state.flight = Some((state.flights, now, self.settings.single_flight.then(|| flight.clone())));
        Step::Wait { number: state.flights, begun: now, flight, spare }
    }

    /// Whether a fetch began so long ago that whoever drove it must be gone.
    fn is_lost(&self, now: Moment, begun: Moment) -> bool {
        now.is_past(begun, self.settings.fetch_time * 4)
    }

    /// Takes in what a fetch has brought. Everyone who waited for it comes here; the first one counts.
    fn land(&self, number: u64, begun: Moment, outcome: Outcome) {
        let now = self.timeline.now();
        self.with(|state| {
            let was_under_way = state.flight.take_if(|(current, ..)| *current == number).is_some();
            if self.settings.single_flight && !was_under_way {
                return;
            }
            state.tried = Some(now);
            match outcome {
                Ok(set) => {
                    // Its age counts from before it was asked for.
                    state.set = Some((set, begun));
                    state.fault = None;
                }
                Err(fault) => state.fault = Some(fault),
            }
        });
    }

    fn with<R>(&self, job: impl FnOnce(&mut State) -> R) -> R {
        job(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// The refusal of a key id that the set at hand does not have: an answer while that set is what its issuer has said
    /// last, and none when it could not be asked.
    fn no_such_key(&self) -> Refused {
        match &self.fault {
            Some(fault) => unavailable(fault),
            None => unknown(),
        }
    }

    fn forget_unknown(&mut self, now: Moment, settings: &KeySettings) {
        let is_over = |unknown: &VecDeque<([u8; 32], Moment)>| {
            let is_old = unknown.front().is_some_and(|(_, at)| now.is_past(*at, settings.unknown_time));
            is_old || unknown.len() > settings.unknown_entries
        };
        while is_over(&self.unknown) {
            self.unknown.pop_front();
        }
    }
}

/// A set that has a key for a token.
pub(crate) enum Found<'a> {
    Static(&'a KeySet),
    Fetched(Arc<KeySet>),
}

impl std::ops::Deref for Found<'_> {
    type Target = KeySet;

    fn deref(&self) -> &KeySet {
        match self {
            Self::Static(set) => set,
            Self::Fetched(set) => set,
        }
    }
}

fn digest(kid: Option<&str>) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update([u8::from(kid.is_some())]);
    digest.update(kid.unwrap_or_default());
    digest.finalize().into()
}

fn unknown() -> Refused {
    Refused::credential(
        "jwt_unknown_key",
        "the issuer has no key of the token's `kid` and algorithm, or, without a `kid`, not exactly one",
    )
}

fn unavailable(why: &str) -> Refused {
    Refused::not_now("jwt_keys_unavailable", format!("the issuer's keys can't be had now: {why}"))
}
