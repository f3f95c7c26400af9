//! [`PrometheusMetrics`]: core's numbers, and their text for `/metrics` (Prometheus text format 0.0.4).
//!
//! A registry of our own: every label but the provider's alias is a word known when this is compiled, so a number is an
//! index into a table of atomics and counting is one addition, without a look-up, a lock or an allocation. A general
//! registry (the `prometheus` crate) needs a hash look-up per label set, or hundreds of handles per provider made ahead,
//! and brings five more crates into a binary that has a size to keep.

#[cfg(feature = "emf")]
mod emf;
mod text;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lockstep_core::{Alias, CacheFound, ErrorKind, Meter, MetricsSink, Operation};

#[cfg(feature = "emf")]
pub use self::emf::MetricLines;

/// Every operation, at its place as `Operation as usize`.
const OPERATIONS: [Operation; 12] = [
    Operation::Get,
    Operation::GetMany,
    Operation::Describe,
    Operation::Versions,
    Operation::List,
    Operation::Rotate,
    Operation::Renew,
    Operation::Revoke,
    Operation::Check,
    Operation::Login,
    Operation::Invalidate,
    Operation::Journal,
];

/// Upper ends of the duration buckets, in microseconds. A cached read ends in the first ones, a provider's in the last.
const BUCKETS: [u64; 13] =
    [50, 100, 250, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000, 10_000_000];

/// Why requests are refused before the resolver, as [`Refusal::code`](crate::refusal::Refusal::code) says it.
pub(crate) const REFUSALS: [&str; 18] = [
    "too_many_connections",
    "forwarded",
    "forbidden_host",
    "forbidden_origin",
    "bad_token",
    "rate_limited",
    "overloaded",
    "unauthenticated",
    "login_unavailable",
    "method_not_allowed",
    "body_not_allowed",
    "invalid_target",
    "no_such_route",
    "invalid_parameter",
    "circle",
    "invalid_name",
    "invalid_reference",
    "other",
];

/// The numbers of this process. No label ever holds a secret's name or a value.
#[derive(Default)]
pub struct PrometheusMetrics {
    /// Registered at start; the lock is never taken while a request is counted.
    meters: Mutex<Vec<(Alias, Arc<Numbers>)>>,
    size: Arc<Size>,
    refusals: [AtomicU64; REFUSALS.len()],
    /// By source and result: few, and counted once per delivery.
    #[cfg(feature = "events")]
    events: Mutex<std::collections::BTreeMap<(Box<str>, &'static str), u64>>,
}

/// How much the one cache of this process holds.
#[derive(Default)]
struct Size {
    entries: AtomicU64,
    bytes: AtomicU64,
}

/// The numbers of one provider.
struct Numbers {
    access: [Series; OPERATIONS.len()],
    call: [Series; OPERATIONS.len()],
    errors: [AtomicU64; ErrorKind::ALL.len()],
    hits: AtomicU64,
    misses: AtomicU64,
    stale: AtomicU64,
    breaker_open: AtomicBool,
    size: Arc<Size>,
}

/// One operation: how often it went well and badly, and how long it took.
#[derive(Default)]
struct Series {
    succeeded: AtomicU64,
    failed: AtomicU64,
    /// Not cumulative; the last one is what took longer than every bucket.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

impl Series {
    /// Whether it ever counted anything.
    fn is_used(&self) -> bool {
        self.succeeded.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed) > 0
    }

    fn add(&self, succeeded: bool, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.iter().position(|end| micros <= *end).unwrap_or(BUCKETS.len());
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(micros, Ordering::Relaxed);
        let count = if succeeded { &self.succeeded } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl PrometheusMetrics {
    /// No numbers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a request that was refused before the resolver.
    pub(crate) fn refused(&self, code: &str) {
        let at = REFUSALS.iter().position(|known| *known == code).unwrap_or(REFUSALS.len() - 1);
        if let Some(count) = self.refusals.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts what came of the records of a notification.
    #[cfg(feature = "events")]
    pub fn event(&self, source: &str, result: &'static str, count: u64) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        *events.entry((source.into(), result)).or_default() += count;
    }

    /// Every number, in Prometheus' text format 0.0.4.
    pub fn render(&self) -> String {
        text::render(self)
    }

    fn registered(&self) -> Vec<(Alias, Arc<Numbers>)> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl MetricsSink for PrometheusMetrics {
    /// The meter of one provider; the same one each time it is asked for.
    fn meter(&self, alias: &Alias) -> Arc<dyn Meter> {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, numbers)) = meters.iter().find(|(known, _)| known == alias) {
            return numbers.clone();
        }
        let numbers = Arc::new(Numbers {
            access: Default::default(),
            call: Default::default(),
            errors: std::array::from_fn(|_| AtomicU64::new(0)),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            breaker_open: AtomicBool::new(false),
            size: self.size.clone(),
        });
        meters.push((alias.clone(), numbers.clone()));
        numbers
    }
}

impl Meter for Numbers {
    fn access(&self, operation: Operation, outcome: Result<(), ErrorKind>, took: Duration) {
        if let Some(series) = self.access.get(operation as usize) {
            series.add(outcome.is_ok(), took);
        }
        if let Err(kind) = outcome
            && let Some(count) = self.errors.get(kind as usize)
        {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn cache(&self, found: CacheFound) {
        let count = match found {
            CacheFound::Hit => &self.hits,
            CacheFound::Miss => &self.misses,
            CacheFound::Stale => &self.stale,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn call(&self, operation: Operation, outcome: Result<(), ErrorKind>, took: Duration) {
        if let Some(series) = self.call.get(operation as usize) {
            series.add(outcome.is_ok(), took);
        }
    }

    fn breaker(&self, open: bool) {
        self.breaker_open.store(open, Ordering::Relaxed);
    }

    fn cache_size(&self, entries: usize, bytes: usize) {
        self.size.entries.store(entries as u64, Ordering::Relaxed);
        self.size.bytes.store(bytes as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(text: &str) -> Alias {
        Alias::parse(text).unwrap()
    }

    #[test]
    fn every_operation_and_kind_stands_at_its_own_place() {
        for (at, operation) in OPERATIONS.into_iter().enumerate() {
            assert_eq!(operation as usize, at, "{operation:?}");
        }
        for (at, kind) in ErrorKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at, "{kind:?}");
        }
    }

    #[test]
    fn the_same_alias_has_the_same_meter() {
        let metrics = PrometheusMetrics::new();
        metrics.meter(&alias("aws")).cache(CacheFound::Hit);
        metrics.meter(&alias("aws")).cache(CacheFound::Hit);
        assert!(metrics.render().contains("secrets_cache_hits_total{provider=\"aws\"} 2\n"));
    }

    #[test]
    fn the_text_holds_what_was_counted() {
        let metrics = PrometheusMetrics::new();
        let meter = metrics.meter(&alias("vault"));
        meter.access(Operation::Get, Ok(()), Duration::from_micros(80));
        meter.access(Operation::Get, Err(ErrorKind::Timeout), Duration::from_mins(1));
        meter.access(Operation::Rotate, Ok(()), Duration::from_millis(3));
        meter.call(Operation::Get, Err(ErrorKind::Timeout), Duration::from_millis(2));
        meter.cache(CacheFound::Stale);
        meter.cache_size(3, 512);
        meter.breaker(true);
        metrics.refused("bad_token");
        metrics.refused("something new");
        let text = metrics.render();
        for line in [
            "# TYPE secrets_requests_total counter",
            r#"secrets_requests_total{provider="vault",operation="get",status="success"} 1"#,
            r#"secrets_requests_total{provider="vault",operation="get",status="error"} 1"#,
            "# TYPE secrets_request_duration_seconds histogram",
            r#"secrets_request_duration_seconds_bucket{provider="vault",operation="get",le="0.00005"} 0"#,
            r#"secrets_request_duration_seconds_bucket{provider="vault",operation="get",le="0.0001"} 1"#,
            r#"secrets_request_duration_seconds_bucket{provider="vault",operation="get",le="10"} 1"#,
            r#"secrets_request_duration_seconds_bucket{provider="vault",operation="get",le="+Inf"} 2"#,
            r#"secrets_request_duration_seconds_sum{provider="vault",operation="get"} 60.00008"#,
            r#"secrets_request_duration_seconds_count{provider="vault",operation="get"} 2"#,
            r#"secrets_provider_calls_total{provider="vault",operation="get",status="error"} 1"#,
            r#"secrets_cache_hits_total{provider="vault"} 0"#,
            r#"secrets_cache_misses_total{provider="vault"} 0"#,
            r#"secrets_cache_stale_total{provider="vault"} 1"#,
            "secrets_cache_size 3",
            "secrets_cache_bytes 512",
            r#"secrets_rotation_total{provider="vault",status="success"} 1"#,
            r#"secrets_errors_total{provider="vault",error_type="timeout"} 1"#,
            r#"secrets_breaker_open{provider="vault"} 1"#,
            r#"lockstep_refusals_total{reason="bad_token"} 1"#,
            r#"lockstep_refusals_total{reason="other"} 1"#,
        ] {
            assert!(text.lines().any(|have| have == line), "missing: {line}\n{text}");
        }
    }

    #[test]
    fn each_family_is_announced_once_and_every_line_is_a_sample() {
        let metrics = PrometheusMetrics::new();
        for name in ["a", "b"] {
            metrics.meter(&alias(name)).access(Operation::Get, Ok(()), Duration::ZERO);
        }
        let text = metrics.render();
        let mut families: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let announced = families.len();
        families.sort_unstable();
        families.dedup();
        assert_eq!(families.len(), announced);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (_, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
        assert!(text.ends_with('\n'));
    }
}
