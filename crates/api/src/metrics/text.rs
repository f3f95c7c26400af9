//! The text of the numbers. A series that never counted anything is left out, where there would be one per operation or
//! kind of error.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lockstep_core::{Alias, ErrorKind, Operation};

use super::{BUCKETS, Numbers, OPERATIONS, PrometheusMetrics, REFUSALS, Series};

/// Which of a provider's numbers.
type Count = fn(&Numbers) -> &AtomicU64;

/// What is written to. Writing into a string can't fail, so nothing here looks at the result.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: std::fmt::Arguments<'_>, value: u64) {
        let _ = writeln!(self.0, "{name}{{{labels}}} {value}");
    }
}

pub(super) fn render(metrics: &PrometheusMetrics) -> String {
    let all = metrics.registered();
    let mut text = Text(String::with_capacity(4096));
    operations(
        &mut text,
        ("secrets_requests_total", "Accesses through the resolver, cached or not."),
        ("secrets_request_duration_seconds", "How long an access took."),
        all.iter().map(|(alias, numbers)| (alias, &numbers.access)),
    );
    operations(
        &mut text,
        ("secrets_provider_calls_total", "Calls to the provider, each attempt counted."),
        ("secrets_provider_call_duration_seconds", "How long a call to the provider took."),
        all.iter().map(|(alias, numbers)| (alias, &numbers.call)),
    );
    let counters: [(&str, &str, Count); 3] = [
        ("secrets_cache_hits_total", "Reads served fresh from the cache.", |numbers| &numbers.hits),
        ("secrets_cache_misses_total", "Reads that the cache could not serve.", |numbers| &numbers.misses),
        ("secrets_cache_stale_total", "Reads served past their time, since the provider failed.", |numbers| {
            &numbers.stale
        }),
    ];
    for (name, help, count) in counters {
        text.family(name, "counter", help);
        for (alias, numbers) in &all {
            text.sample(name, format_args!("provider=\"{alias}\""), read(count(numbers)));
        }
    }
    let gauges = [
        ("secrets_cache_size", "Entries in the cache.", &metrics.size.entries),
        ("secrets_cache_bytes", "Bytes in the cache, names and bookkeeping included.", &metrics.size.bytes),
    ];
    for (name, help, count) in gauges {
        text.family(name, "gauge", help);
        let _ = writeln!(text.0, "{name} {}", read(count));
    }
    outcomes(&mut text, &all);
    text.family("lockstep_refusals_total", "counter", "Requests refused before the resolver.");
    for (reason, count) in REFUSALS.iter().zip(&metrics.refusals) {
        text.sample("lockstep_refusals_total", format_args!("reason=\"{reason}\""), read(count));
    }
    #[cfg(feature = "events")]
    events(&mut text, metrics);
    text.0
}

/// Nothing where no notifications come in.
#[cfg(feature = "events")]
fn events(text: &mut Text, metrics: &PrometheusMetrics) {
    let events = metrics.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if events.is_empty() {
        return;
    }
    text.family("lockstep_events_total", "counter", "Records of notifications, by what came of them.");
    for ((source, result), count) in &*events {
        text.sample("lockstep_events_total", format_args!("source=\"{source}\",result=\"{result}\""), *count);
    }
}

/// Rotations, errors and breakers, per provider.
fn outcomes(text: &mut Text, all: &[(Alias, Arc<Numbers>)]) {
    text.family("secrets_rotation_total", "counter", "Rotations asked for.");
    for (alias, numbers) in all {
        let Some(series) = numbers.access.get(Operation::Rotate as usize) else { continue };
        for (status, count) in [("success", &series.succeeded), ("error", &series.failed)] {
            let labels = format_args!("provider=\"{alias}\",status=\"{status}\"");
            text.sample("secrets_rotation_total", labels, read(count));
        }
    }
    text.family("secrets_errors_total", "counter", "Accesses that failed, by kind.");
    for (alias, numbers) in all {
        for (kind, count) in ErrorKind::ALL.iter().zip(&numbers.errors) {
            let count = read(count);
            if count > 0 {
                let labels = format_args!("provider=\"{alias}\",error_type=\"{}\"", kind.code());
                text.sample("secrets_errors_total", labels, count);
            }
        }
    }
    text.family("secrets_breaker_open", "gauge", "1 while the provider is left alone after failures.");
    for (alias, numbers) in all {
        let open = u64::from(numbers.breaker_open.load(Ordering::Relaxed));
        text.sample("secrets_breaker_open", format_args!("provider=\"{alias}\""), open);
    }
}

/// A counter and a histogram per operation.
fn operations<'a>(
    text: &mut Text,
    counter: (&str, &str),
    histogram: (&str, &str),
    all: impl Iterator<Item = (&'a Alias, &'a [Series; OPERATIONS.len()])> + Clone,
) {
    let used = all.flat_map(|(alias, series)| {
        let busy = move |(operation, series): (Operation, &'a Series)| {
            series.is_used().then_some((alias, operation.as_str(), series))
        };
        OPERATIONS.into_iter().zip(series).filter_map(busy)
    });
    text.family(counter.0, "counter", counter.1);
    for (alias, operation, series) in used.clone() {
        for (status, count) in [("success", &series.succeeded), ("error", &series.failed)] {
            let labels = format_args!("provider=\"{alias}\",operation=\"{operation}\",status=\"{status}\"");
            text.sample(counter.0, labels, read(count));
        }
    }
    let name = histogram.0;
    text.family(name, "histogram", histogram.1);
    for (alias, operation, series) in used {
        let mut below = 0;
        for (end, bucket) in BUCKETS.iter().zip(&series.buckets) {
            below += read(bucket);
            let end = seconds(*end);
            let _ = writeln!(
                text.0,
                "{name}_bucket{{provider=\"{alias}\",operation=\"{operation}\",le=\"{end}\"}} {below}"
            );
        }
        let all = below + series.buckets.last().map_or(0, read);
        let _ = writeln!(text.0, "{name}_bucket{{provider=\"{alias}\",operation=\"{operation}\",le=\"+Inf\"}} {all}");
        let sum = seconds(read(&series.micros));
        let _ = writeln!(text.0, "{name}_sum{{provider=\"{alias}\",operation=\"{operation}\"}} {sum}");
        let _ = writeln!(text.0, "{name}_count{{provider=\"{alias}\",operation=\"{operation}\"}} {all}");
    }
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// Microseconds as seconds, exactly, without trailing zeros.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
