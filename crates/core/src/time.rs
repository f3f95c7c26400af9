//! Time as the cache needs it: a [`Moment`] is read from two clocks at once, because each of them can stand still.
//!
//! Over a Lambda freeze or a snapshot restore the monotonic clock may not advance; the wall clock may be set back at
//! any time. So an age is the larger of what the two say, and unknown once the wall clock went backwards. Nothing in
//! `core` reads a clock but through [`Clock`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// Whole seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// From seconds since 1970, as AWS writes them (fractional). Negative, infinite and absurd values give `None`.
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        let millis = seconds * 1000.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was just checked")]
        (0.0..=253_402_300_799_999.0).contains(&millis).then(|| Self(millis.round() as u64))
    }

    /// Reads an RFC 3339 time such as `2026-05-01T10:00:00.5Z`.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let time = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
        u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }

    /// Writes RFC 3339 in UTC.
    pub fn to_rfc3339(self) -> String {
        i64::try_from(self.0)
            .ok()
            .and_then(|millis| time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok())
            .and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok())
            .unwrap_or_else(|| self.0.to_string())
    }

    /// How much later `self` is, zero if it is earlier.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This much later.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Debug for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

/// The port to the host's clocks.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Time since some fixed point of this process; never goes back, may stand still while the host is frozen.
    fn monotonic(&self) -> Duration;

    /// The wall clock.
    fn wall(&self) -> UnixMillis;

    /// Waits this long by the monotonic clock.
    async fn sleep(&self, duration: Duration);
}

/// A point in time on both clocks. Only a [`Timeline`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The monotonic reading.
    pub monotonic: Duration,
    /// The wall reading, or a later time that the outside has told us.
    pub wall: UnixMillis,
    /// How often the wall clock had gone backwards before.
    setbacks: u32,
}

impl Moment {
    /// How long ago `earlier` was: the larger of what the two clocks say. `None` when the wall clock went backwards in
    /// between, since then nobody knows.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        if self.setbacks != earlier.setbacks {
            return None;
        }
        Some(self.monotonic.saturating_sub(earlier.monotonic).max(self.wall.saturating_since(earlier.wall)))
    }

    /// Whether it is known to be later than `other`.
    pub fn is_later_than(self, other: Self) -> bool {
        self.since(other).is_some_and(|later| !later.is_zero())
    }

    /// The moment this much earlier.
    #[must_use]
    pub fn back(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            monotonic: self.monotonic.saturating_sub(duration),
            wall: UnixMillis(self.wall.0.saturating_sub(millis)),
            setbacks: self.setbacks,
        }
    }

    /// Whether at least `limit` has passed since `earlier`, or nobody knows.
    pub fn is_past(self, earlier: Self, limit: Duration) -> bool {
        self.since(earlier).is_none_or(|age| age >= limit)
    }
}

/// Makes [`Moment`]s from a [`Clock`], and remembers how far the wall clock had come.
pub struct Timeline {
    clock: Arc<dyn Clock>,
    high_water: AtomicU64,
    outside: AtomicU64,
    setbacks: AtomicU32,
}

impl Timeline {
    /// A timeline over this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, high_water: AtomicU64::new(0), outside: AtomicU64::new(0), setbacks: AtomicU32::new(0) }
    }

    /// The clock underneath, for sleeping.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Now, on both clocks.
    pub fn now(&self) -> Moment {
        // The mark is read before the clock: what another thread stores in between can't look like a setback.
        let mark = self.high_water.load(Ordering::Acquire);
        let wall = self.clock.wall().0;
        if wall < mark {
            self.setbacks.fetch_add(1, Ordering::AcqRel);
            self.high_water.store(wall, Ordering::Release);
        } else if wall > mark {
            self.high_water.fetch_max(wall, Ordering::AcqRel);
        }
        Moment {
            monotonic: self.clock.monotonic(),
            wall: UnixMillis(wall.max(self.outside.load(Ordering::Acquire))),
            setbacks: self.setbacks.load(Ordering::Acquire),
        }
    }

    /// Tells the timeline that it is at least this late, by a clock outside the process (an INVOKE's `deadlineMs` less
    /// the function's timeout). A clock that stands still can't hide an age from then on.
    pub fn at_least(&self, wall: UnixMillis) {
        self.outside.fetch_max(wall.0, Ordering::AcqRel);
    }
}

impl fmt::Debug for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeline").field("now", &self.now()).finish()
    }
}

#[cfg(test)]
#[path = "time/tests.rs"]
mod tests;
