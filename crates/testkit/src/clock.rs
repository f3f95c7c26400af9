//! [`ManualClock`]: time that stands still until a test moves it.
//!
//! Both clocks of the [`Clock`] port are moved by hand, together or each on its own, since a frozen sandbox stops one
//! of them and an operator sets the other back. Nothing here waits for real time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::{Clock, UnixMillis};
use tokio::sync::oneshot;

/// 2026-01-01T00:00:00Z: where the wall clock of [`ManualClock::new`] begins.
pub const START: UnixMillis = UnixMillis(1_767_225_600_000);

/// A clock that only a test moves.
///
/// Sleepers wake when the *monotonic* clock reaches their end, as on a real host.
pub struct ManualClock {
    state: Mutex<State>,
    changed: tokio::sync::Notify,
}

#[derive(Default)]
struct State {
    monotonic: Duration,
    wall: UnixMillis,
    monotonic_frozen: bool,
    wall_frozen: bool,
    sleepers: Vec<(Duration, oneshot::Sender<()>)>,
}

impl ManualClock {
    /// A clock at [`START`].
    pub fn new() -> Arc<Self> {
        Self::at(START)
    }

    /// A clock whose wall begins at this time. The monotonic one begins at an hour, so that "long ago" exists.
    pub fn at(wall: UnixMillis) -> Arc<Self> {
        let state = State { monotonic: Duration::from_hours(1), wall, ..State::default() };
        Arc::new(Self { state: Mutex::new(state), changed: tokio::sync::Notify::new() })
    }

    /// Moves both clocks on (but for one that is frozen) and wakes who slept until then.
    pub fn advance(&self, by: Duration) {
        self.with(|state| {
            if !state.wall_frozen {
                state.wall = state.wall.plus(by);
            }
            if !state.monotonic_frozen {
                state.monotonic += by;
                state.wake();
            }
        });
    }

    /// Moves the monotonic clock alone.
    pub fn advance_monotonic(&self, by: Duration) {
        self.with(|state| {
            state.monotonic += by;
            state.wake();
        });
    }

    /// Moves the wall clock alone. Nobody wakes.
    pub fn advance_wall(&self, by: Duration) {
        self.with(|state| state.wall = state.wall.plus(by));
    }

    /// Sets the wall clock, backwards too. Nobody wakes.
    pub fn set_wall(&self, to: UnixMillis) {
        self.with(|state| state.wall = to);
    }

    /// Whether [`ManualClock::advance`] leaves the monotonic clock alone: a suspended host.
    pub fn freeze_monotonic(&self, frozen: bool) {
        self.with(|state| state.monotonic_frozen = frozen);
    }

    /// Whether [`ManualClock::advance`] leaves the wall clock alone: a clock that hangs.
    pub fn freeze_wall(&self, frozen: bool) {
        self.with(|state| state.wall_frozen = frozen);
    }

    /// How many tasks sleep now.
    pub fn sleepers(&self) -> usize {
        self.with(|state| {
            state.sleepers.retain(|(_, waker)| !waker.is_closed());
            state.sleepers.len()
        })
    }

    /// Waits until at least this many tasks sleep: the moment to move the clock.
    pub async fn until_sleeping(&self, count: usize) {
        loop {
            let changed = self.changed.notified();
            if self.sleepers() >= count {
                return;
            }
            changed.await;
        }
    }

    /// Moves on to the earliest end of a sleep, and says by how much; `None` when nobody sleeps.
    pub fn advance_to_next(&self) -> Option<Duration> {
        let by = self.with(|state| {
            state.sleepers.retain(|(_, waker)| !waker.is_closed());
            state.sleepers.iter().map(|(end, _)| end.saturating_sub(state.monotonic)).min()
        })?;
        self.advance(by);
        Some(by)
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn wake(&mut self) {
        let now = self.monotonic;
        for (_, waker) in self.sleepers.extract_if(.., |(end, _)| *end <= now) {
            // The sleeper may be gone; that is its right.
            let _ = waker.send(());
        }
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn monotonic(&self) -> Duration {
        self.with(|state| state.monotonic)
    }

    fn wall(&self) -> UnixMillis {
        self.with(|state| state.wall)
    }

    async fn sleep(&self, duration: Duration) {
        if duration.is_zero() {
            return;
        }
        let (waker, woken) = oneshot::channel();
        self.with(|state| {
            let end = state.monotonic.saturating_add(duration);
            state.sleepers.push((end, waker));
        });
        self.changed.notify_waiters();
        // The clock outlives its sleepers, so the sender is never dropped unsent.
        let _ = woken.await;
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (monotonic, wall) = self.with(|state| (state.monotonic, state.wall));
        f.debug_struct("ManualClock").field("monotonic", &monotonic).field("wall", &wall).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokioSpawn;
    use lockstep_core::Spawn;

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn a_sleeper_wakes_at_its_end_and_not_before() {
        let clock = ManualClock::new();
        let (done, mut is_done) = oneshot::channel();
        let sleeper = clock.clone();
        TokioSpawn.spawn(Box::pin(async move {
            sleeper.sleep(MINUTE).await;
            done.send(()).unwrap();
        }));
        clock.until_sleeping(1).await;
        clock.advance(Duration::from_millis(59_999));
        assert_eq!(clock.sleepers(), 1);
        assert!(is_done.try_recv().is_err());
        clock.advance(Duration::from_millis(1));
        is_done.await.unwrap();
    }

    #[test]
    fn each_clock_moves_and_stands_on_its_own() {
        let clock = ManualClock::new();
        let start = clock.monotonic();
        clock.freeze_monotonic(true);
        clock.advance(MINUTE);
        assert_eq!((clock.monotonic(), clock.wall()), (start, START.plus(MINUTE)));
        clock.freeze_monotonic(false);
        clock.freeze_wall(true);
        clock.advance(MINUTE);
        assert_eq!((clock.monotonic(), clock.wall()), (start + MINUTE, START.plus(MINUTE)));
        clock.set_wall(UnixMillis(1));
        assert_eq!(clock.wall(), UnixMillis(1));
    }

    #[tokio::test]
    async fn a_dropped_sleeper_is_forgotten() {
        let clock = ManualClock::new();
        {
            let mut sleep = clock.sleep(MINUTE);
            std::future::poll_fn(|context| {
                assert!(sleep.as_mut().poll(context).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            assert_eq!(clock.sleepers(), 1);
        }
        assert_eq!(clock.sleepers(), 0);
        assert_eq!(clock.advance_to_next(), None);
    }
}
