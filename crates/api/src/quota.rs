//! [`Quota`]: how many requests one address, or one caller, may send. Who sends more is turned away at once: nobody waits
//! in here, and nobody's rest is remembered for longer than it takes to be whole again.
//!
//! What is kept is bounded. When more are counted than that, those that were not seen lately are forgotten, and begin anew.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockstep_core::{Pace, Recent};

/// Counts under names.
pub(crate) struct Quota {
    pace: Pace,
    /// When the next one is due, by name.
    due: Mutex<Recent<Box<str>, Duration>>,
}

impl Quota {
    /// A quota at this pace that keeps count of so many names at least.
    pub(crate) fn new(pace: Pace, counted: usize) -> Self {
        Self { pace, due: Mutex::new(Recent::new(counted)) }
    }

    /// Whether one more of this name may come now. It is not counted.
    ///
    /// # Errors
    /// How long it has to wait.
    pub(crate) fn look(&self, name: &str, now: Duration) -> Result<(), Duration> {
        let (pause, _) = self.pace.turn(self.counts().get(name).copied().unwrap_or_default(), now);
        if pause.is_zero() { Ok(()) } else { Err(pause) }
    }

    /// Counts one more of this name.
    ///
    /// # Errors
    /// How long it has to wait. It is not counted then.
    pub(crate) fn take(&self, name: &str, now: Duration) -> Result<(), Duration> {
        let mut counts = self.counts();
        let (pause, next) = self.pace.turn(counts.get(name).copied().unwrap_or_default(), now);
        if !pause.is_zero() {
            return Err(pause);
        }
        match counts.get_mut(name) {
            Some(due) => *due = next,
            None => counts.put(name.into(), next),
        }
        Ok(())
    }

    fn counts(&self) -> MutexGuard<'_, Recent<Box<str>, Duration>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Break: count what is turned away, or forget the burst.
    #[test]
    fn so_many_at_once_then_so_many_a_second_and_each_name_for_itself() {
        let quota = Quota::new(Pace::new(2, 3).unwrap(), 10);
        let at = SECOND * 100;
        for _ in 0..3 {
            assert_eq!(quota.take("a", at), Ok(()));
        }
        for _ in 0..5 {
            assert_eq!(quota.look("a", at), Err(SECOND / 2));
            assert_eq!(quota.take("a", at), Err(SECOND / 2));
        }
        assert_eq!(quota.look("b", at), Ok(()));
        assert_eq!(quota.take("b", at), Ok(()));
        assert_eq!(quota.take("a", at + SECOND / 2), Ok(()));
        assert!(quota.take("a", at + SECOND / 2).is_err());
        for _ in 0..3 {
            assert_eq!(quota.take("a", at + SECOND * 9), Ok(()));
        }
    }

    /// Break: never put `now` away in `Recent::put`.
    #[test]
    fn however_many_come_so_many_are_kept_and_who_keeps_coming_is_not_forgotten() {
        let quota = Quota::new(Pace::new(1, 1).unwrap(), 8);
        assert_eq!(quota.take("often", SECOND), Ok(()));
        for other in 0..1000 {
            assert_eq!(quota.take(&other.to_string(), SECOND), Ok(()));
            if other < 8 {
                assert!(quota.take("often", SECOND).is_err());
            }
        }
        let counts = quota.counts();
        assert!(counts.len() <= 16);
    }

    proptest! {
        /// Break: any bound of `Pace::turn`.
        #[test]
        fn never_more_than_the_burst_and_the_rate_allow(rate in 1_u32..50, burst in 1_u32..20, steps in proptest::collection::vec(0_u64..400, 1..200)) {
            let quota = Quota::new(Pace::new(rate, burst).unwrap(), 4);
            let mut now = SECOND;
            let mut taken = 0_u32;
            for step in &steps {
                now += Duration::from_millis(*step);
                taken += u32::from(quota.take("x", now).is_ok());
            }
            let most = f64::from(burst) + now.saturating_sub(SECOND).as_secs_f64() * f64::from(rate) + 1.0;
            prop_assert!(f64::from(taken) <= most, "{} of {}", taken, most);
        }
    }
}
