//! Single flight: whoever asks for what is being fetched already waits for that fetch, and shares its result *and its
//! error*. Only a leader that went away, or whose own time was over, hands over.

use event_listener::{Event, EventListener};
use std::collections::HashMap;
use std::hash::Hash;

use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};
use crate::{Call, Result};

/// The fetches under way, by what is fetched.
pub(crate) struct Flights<K, T> {
    under_way: UnderWay<K, T>,
}

type UnderWay<K, T> = Arc<Mutex<HashMap<K, Arc<Flight<T>>>>>;

/// One fetch and those who wait for it.
struct Flight<T> {
    landed: Mutex<Landed<T>>,
    event: Event,
}

/// How far a flight has come.
enum Landed<T> {
    NotYet,
    With(T),
    /// Its leader went away, or had no time left.
    Abandoned,
}

/// What an asker is.
pub(crate) enum Role<K: Eq + Hash + Clone, T: Clone> {
    /// Fetches, and lands the outcome.
    Leader(Leader<K, T>),
    /// Waits.
    Follower(Follower<T>),
}

/// The one who fetches. Dropped before it lands, it hands over.
pub(crate) struct Leader<K: Eq + Hash + Clone, T: Clone> {
    under_way: UnderWay<K, T>,
    key: K,
    flight: Arc<Flight<T>>,
}

/// One who waits.
pub(crate) struct Follower<T> {
    flight: Arc<Flight<T>>,
    listener: EventListener,
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self { under_way: Arc::default() }
    }
}

impl<K: Eq + Hash + Clone, T: Clone> Flights<K, T> {
    /// Joins the fetch of this key, or starts it.
    pub(crate) fn join(&self, key: &K) -> Role<K, T> {
        let mut under_way = locked(&self.under_way);
        if let Some(flight) = under_way.get(key) {
            // Listening begins while the map is held: the leader can't land unheard.
            return Role::Follower(Follower { flight: flight.clone(), listener: flight.event.listen() });
        }
        let flight = Arc::new(Flight { landed: Mutex::new(Landed::NotYet), event: Event::new() });
        under_way.insert(key.clone(), flight.clone());
        Role::Leader(Leader { under_way: self.under_way.clone(), key: key.clone(), flight })
    }
}

impl<K: Eq + Hash + Clone, T: Clone> Leader<K, T> {
    /// Waits for one's own flight, for who hands the fetch to a task.
    pub(crate) fn follow(&self) -> Follower<T> {
        Follower { flight: self.flight.clone(), listener: self.flight.event.listen() }
    }

    /// Shares the outcome with all who wait.
    pub(crate) fn land(self, outcome: T) {
        self.finish(Landed::With(outcome));
    }

    fn finish(&self, outcome: Landed<T>) {
        let mut landed = locked(&self.flight.landed);
        if matches!(*landed, Landed::NotYet) {
            locked(&self.under_way).remove(&self.key);
            *landed = outcome;
            self.flight.event.notify(usize::MAX);
        }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Leader<K, Result<V>> {
    /// Shares what this call led to, a provider's failure too. The end of the call's own time says nothing to who has
    /// more: one of them goes on.
    pub(crate) fn land_in_time(self, call: &Call, result: &Result<V>) {
        if !call.cut_short(result) {
            self.land(result.clone());
        }
    }
}

impl<K: Eq + Hash + Clone, T: Clone> Drop for Leader<K, T> {
    fn drop(&mut self) {
        self.finish(Landed::Abandoned);
    }
}

impl<T: Clone> Follower<T> {
    /// Waits for the outcome; `None` when the leader handed over and somebody else has to fetch.
    pub(crate) async fn wait(self) -> Option<T> {
        self.listener.await;
        match &*locked(&self.flight.landed) {
            Landed::With(outcome) => Some(outcome.clone()),
            Landed::NotYet | Landed::Abandoned => None,
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
