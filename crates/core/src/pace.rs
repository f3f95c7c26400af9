//! [`Pace`]: so many per second, with so many at once after a pause (GCRA). The arithmetic alone: what is done about one
//! that comes too early is for who asks.

use std::time::Duration;

/// So many per second, with so many at once after a pause.
///
/// ```
/// use std::time::Duration;
/// use lockstep_core::Pace;
/// let pace = Pace::new(2, 1).unwrap();
/// let (pause, due) = pace.turn(Duration::ZERO, Duration::from_secs(9));
/// assert_eq!(pause, Duration::ZERO);
/// // The next one has to wait for half a second.
/// assert_eq!(pace.turn(due, Duration::from_secs(9)).0, Duration::from_millis(500));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    interval: Duration,
    tolerance: Duration,
}

impl Pace {
    /// A pace; zero per second is none.
    pub fn new(per_second: u32, burst: u32) -> Option<Self> {
        let interval = Duration::from_secs(1).checked_div(per_second)?;
        Some(Self { interval, tolerance: interval.saturating_mul(burst.saturating_sub(1)) })
    }

    /// How long one that comes now has to wait for its turn, and when the one after it is due. `due` is that of the one
    /// before it; moments are those of a monotonic clock.
    pub fn turn(self, due: Duration, now: Duration) -> (Duration, Duration) {
        let base = due.max(now);
        let pause = base.saturating_sub(self.tolerance).saturating_sub(now);
        (pause, base.saturating_add(self.interval))
    }
}
