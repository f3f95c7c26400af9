//! [`SigningClock`]: the time that stands in signatures: the wall clock, corrected by what AWS said of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::HeaderMap;
use http::header::DATE;
use lockstep_core::{Clock, Timeline, UnixMillis};

/// The time for signatures of one session.
pub(crate) struct SigningClock {
    timeline: Arc<Timeline>,
    skew_millis: AtomicI64,
}

impl SigningClock {
    /// A clock of which AWS has said nothing yet.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { timeline: Arc::new(Timeline::new(clock)), skew_millis: AtomicI64::new(0) }
    }

    /// The clock itself, for what lives by it.
    pub(crate) fn timeline(&self) -> Arc<Timeline> {
        Arc::clone(&self.timeline)
    }

    /// The time for a signature.
    pub(crate) fn now(&self) -> UnixMillis {
        let skew = self.skew_millis.load(Ordering::Acquire);
        UnixMillis(self.timeline.now().wall.0.saturating_add_signed(skew))
    }

    /// Learns from an answer how far the wall clock is off. True when a request that was signed for `signed` was off by
    /// more than a minute, so that signing it again helps, also when another request has corrected the clock meanwhile.
    pub(crate) fn correct(&self, signed: UnixMillis, answer: &HeaderMap) -> bool {
        let date = answer.get(DATE).and_then(|value| http_date(value.to_str().ok()?));
        let Some(theirs) = date.filter(|theirs| theirs.0.abs_diff(signed.0) > 60_000) else { return false };
        let ours = self.timeline.now().wall;
        let skew = i64::try_from(theirs.0).unwrap_or(i64::MAX).saturating_sub_unsigned(ours.0);
        self.skew_millis.store(skew, Ordering::Release);
        true
    }
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers send.
fn http_date(text: &str) -> Option<UnixMillis> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_ascii_whitespace().skip(1);
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    UnixMillis::from_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z"))
}

#[cfg(test)]
mod tests;
