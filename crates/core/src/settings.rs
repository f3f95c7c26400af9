//! Every limit and time of the resolver, named, with its default. `config` fills them in.

use std::sync::Arc;
use std::time::Duration;

use crate::{Alias, Error, ErrorKind, Journal, Result};

/// How long a value may be served. Parsed once, so that no overflow, sign or zero can make an entry that never expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ttl(Duration);

impl Ttl {
    /// Not cached at all.
    pub const ZERO: Self = Self(Duration::ZERO);
    /// The longest TTL: 24 hours.
    pub const MAX: Duration = Duration::from_hours(24);

    /// A TTL of at most [`Ttl::MAX`].
    pub fn new(duration: Duration) -> Result<Self> {
        if duration > Self::MAX {
            let message = format!("a ttl of {} s is longer than 24 h; write at most `24h`", duration.as_secs());
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Self(duration))
    }

    /// The duration.
    pub fn get(self) -> Duration {
        self.0
    }
}

/// The cache's limits and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// How long a value is fresh without a journal. Zero switches the cache off.
    pub ttl: Ttl,
    /// How long a value is fresh while a journal is healthy.
    pub ttl_with_journal: Ttl,
    /// How long before its end a fresh value is fetched again in the background.
    pub refresh_ahead: Duration,
    /// How many entries at most.
    pub max_entries: usize,
    /// How many bytes at most, names and bookkeeping included.
    pub max_bytes: usize,
    /// How long a miss is remembered.
    pub negative_ttl: Duration,
    /// How long past its TTL a value may stand in while the provider can't be asked.
    pub max_stale: Duration,
    /// How often the rights to a pinned version, and its existence, are checked again.
    pub pin_recheck: Duration,
    /// How long a version that was reported as stale is not fetched again because of a report.
    pub report_pause: Duration,
    /// Whether waiters for the same secret share one fetch. Off on hosts where a request can't wait for another's.
    pub single_flight: bool,
    /// The 0 to -10 % jitter of TTLs, so that instances that started together do not expire together.
    pub jitter: bool,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            ttl: Ttl(Duration::from_mins(5)),
            ttl_with_journal: Ttl(Duration::from_hours(1)),
            refresh_ahead: Duration::from_mins(1),
            max_entries: 1000,
            max_bytes: 32 << 20,
            negative_ttl: Duration::from_secs(30),
            max_stale: Duration::from_hours(1),
            pin_recheck: Duration::from_hours(1),
            report_pause: Duration::from_secs(30),
            single_flight: true,
            jitter: true,
        }
    }
}

/// What to do when the journal, or the provider of a superseded value, does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnOutage {
    /// Go on serving, marked stale, until `max_stale`.
    #[default]
    Serve,
    /// Keep the bound, and fail.
    Fail,
}

/// How far behind the journal an instance may be.
#[derive(Clone)]
pub struct FreshnessSettings {
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// Once a Change is in the journal, no superseded value is served for longer than this.
    pub max_staleness: Duration,
    /// What to do when the bound can't be kept.
    pub on_outage: OnOutage,
    /// How long after a Change an older answer may still come from a lagging replica.
    pub settle: Duration,
    /// How long one check of the journal may take.
    pub check_timeout: Duration,
    /// How many Changes one check reads at most; more are read in turns.
    pub batch: usize,
}

impl FreshnessSettings {
    /// The defaults: 5 s, `serve`, settle 2 min, 250 ms a check.
    pub fn new(journal: Arc<dyn Journal>) -> Self {
        Self {
            journal,
            max_staleness: Duration::from_secs(5),
            on_outage: OnOutage::Serve,
            settle: Duration::from_mins(2),
            check_timeout: Duration::from_millis(250),
            batch: 256,
        }
    }
}

impl std::fmt::Debug for FreshnessSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FreshnessSettings")
            .field("max_staleness", &self.max_staleness)
            .field("on_outage", &self.on_outage)
            .field("settle", &self.settle)
            .finish_non_exhaustive()
    }
}

/// A chain's preference while its first provider can't be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fallback {
    /// The first provider's stale value comes before the next one's fresh one.
    #[default]
    StaleFirst,
    /// The next provider's fresh value comes first.
    NextFirst,
}

/// Name pattern -> providers in order, and what is special for these names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// A glob: `*` stands for part of one segment, `**` for any number of segments.
    pub pattern: Box<str>,
    /// Asked in this order; the next one only after NotFound or a transient error.
    pub providers: Vec<Alias>,
    /// Instead of [`CacheSettings::ttl`] and [`CacheSettings::ttl_with_journal`].
    pub ttl: Option<Ttl>,
    /// Instead of [`FreshnessSettings::max_staleness`].
    pub max_staleness: Option<Duration>,
    /// What comes first while the first provider can't be asked.
    pub fallback: Fallback,
}

/// How cache hits are audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditHits {
    /// Folded into exact counts per name and principal, written when the count is flushed.
    #[default]
    Summary,
    /// One record each.
    Full,
}

/// What is done while the audit takes no record: its queue is full, or its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// Nothing is released.
    Block,
    /// Everything is released; the records are lost, and counted.
    #[default]
    Drop,
}

/// The layers around one provider. Zero switches a layer off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Attempts in all.
    pub attempts: u32,
    /// Attempts in all when the provider throttles.
    pub throttled_attempts: u32,
    /// The first pause between attempts; it doubles, with full jitter.
    pub backoff: Duration,
    /// The first pause when the provider throttles.
    pub throttled_backoff: Duration,
    /// The longest pause.
    pub max_backoff: Duration,
    /// Retries this provider may have in hand; each costs one, each success gives a part back.
    pub retry_budget: u32,
    /// Failures in a row that open the breaker.
    pub breaker_failures: u32,
    /// Successes that close it again.
    pub breaker_successes: u32,
    /// How long it stays open before one call is let through.
    pub breaker_reset: Duration,
    /// Calls per second at most.
    pub rate_per_second: u32,
    /// Calls at once that the rate allows after a pause.
    pub rate_burst: u32,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            attempts: 3,
            throttled_attempts: 5,
            backoff: Duration::from_millis(100),
            throttled_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(20),
            retry_budget: 100,
            breaker_failures: 5,
            breaker_successes: 2,
            breaker_reset: Duration::from_secs(30),
            rate_per_second: 500,
            rate_burst: 500,
        }
    }
}
