//! [`MetricLines`]: the numbers as lines of CloudWatch's embedded metric format, for where nobody can scrape them.
//!
//! CloudWatch adds up what it finds in a log, so a line holds what was counted since the last one. Names and labels are
//! those of `/metrics`; a label set is one dimension set, hence one metric on the bill for each name.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lockstep_core::{Alias, ErrorKind, UnixMillis};
use serde_json::{Map, Value, json};

use super::{BUCKETS, Numbers, OPERATIONS, PrometheusMetrics, REFUSALS, Series};

/// How many values one metric may have in one line; CloudWatch's own limit.
const MAX_VALUES: usize = 100;

/// Labels and their values, in the order of the dimensions.
type Labels = Vec<(&'static str, String)>;
/// Which counter: labels, name, and which bucket of a histogram.
type Counter = (Labels, &'static str, usize);

/// Writes what was counted since it last did.
pub struct MetricLines {
    metrics: Arc<PrometheusMetrics>,
    namespace: String,
    /// How far each counter was when it was last written.
    written: Mutex<HashMap<Counter, u64>>,
}

/// What moved under one label set.
struct Line {
    labels: Labels,
    /// Name, unit and value.
    metrics: Vec<(&'static str, &'static str, Value)>,
}

impl MetricLines {
    /// Lines of these numbers, in this namespace of CloudWatch.
    pub fn new(metrics: Arc<PrometheusMetrics>, namespace: String) -> Self {
        Self { metrics, namespace, written: Mutex::default() }
    }

    /// What was counted since the last call, each line a JSON object. Empty when nothing was.
    pub fn take(&self, at: UnixMillis) -> Vec<String> {
        let mut lines = Vec::new();
        for (alias, numbers) in self.metrics.registered() {
            self.provider(&mut lines, &alias, &numbers);
        }
        for (reason, count) in REFUSALS.into_iter().zip(&self.metrics.refusals) {
            self.count(&mut lines, vec![("reason", reason.to_owned())], "lockstep_refusals_total", count);
        }
        lines.into_iter().map(|line| self.write(line, at)).collect()
    }

    fn provider(&self, lines: &mut Vec<Line>, alias: &Alias, numbers: &Numbers) {
        let of = |more: &[(&'static str, &str)]| -> Labels {
            let more = more.iter().map(|(label, value)| (*label, (*value).to_owned()));
            std::iter::once(("provider", alias.to_string())).chain(more).collect()
        };
        for (name, count) in [
            ("secrets_cache_hits_total", &numbers.hits),
            ("secrets_cache_misses_total", &numbers.misses),
            ("secrets_cache_stale_total", &numbers.stale),
        ] {
            self.count(lines, of(&[]), name, count);
        }
        for (kind, count) in ErrorKind::ALL.iter().zip(&numbers.errors) {
            self.count(lines, of(&[("error_type", kind.code())]), "secrets_errors_total", count);
        }
        let families = [
            (&numbers.access, "secrets_requests_total", "secrets_request_duration_seconds"),
            (&numbers.call, "secrets_provider_calls_total", "secrets_provider_call_duration_seconds"),
        ];
        for (series, total, duration) in families {
            let used = OPERATIONS.into_iter().zip(series).filter(|(_, series)| series.is_used());
            for (operation, series) in used {
                let operation = ("operation", operation.as_str());
                self.count(lines, of(&[operation, ("status", "success")]), total, &series.succeeded);
                self.count(lines, of(&[operation, ("status", "error")]), total, &series.failed);
                self.durations(lines, &of(&[operation]), duration, series);
            }
        }
    }

    fn count(&self, lines: &mut Vec<Line>, labels: Labels, name: &'static str, count: &AtomicU64) {
        let more = self.since_last(&labels, name, 0, count);
        if more > 0 {
            add(lines, labels, (name, "Count", more.into()));
        }
    }

    /// Each duration as the upper end of its bucket; the last one stands for what took longer, too.
    fn durations(&self, lines: &mut Vec<Line>, labels: &Labels, name: &'static str, series: &Series) {
        let mut seconds = Vec::new();
        for (at, bucket) in series.buckets.iter().enumerate() {
            let end = BUCKETS.get(at).or(BUCKETS.last()).copied().unwrap_or_default();
            let end = Duration::from_micros(end).as_secs_f64();
            seconds.extend((0..self.since_last(labels, name, at, bucket)).map(|_| end));
        }
        for part in seconds.chunks(MAX_VALUES) {
            add(lines, labels.clone(), (name, "Seconds", part.into()));
        }
    }

    /// How much a counter grew since it was last asked for here.
    fn since_last(&self, labels: &Labels, name: &'static str, bucket: usize, count: &AtomicU64) -> u64 {
        let now = count.load(Ordering::Relaxed);
        if now == 0 {
            return 0;
        }
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        now - written.insert((labels.clone(), name, bucket), now).unwrap_or_default()
    }

    fn write(&self, line: Line, at: UnixMillis) -> String {
        let dimensions: Vec<_> = line.labels.iter().map(|(label, _)| *label).collect();
        let metrics: Vec<_> =
            line.metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        let directive = json!({ "Namespace": self.namespace, "Dimensions": [dimensions], "Metrics": metrics });
        let mut members = Map::new();
        members.insert("_aws".to_owned(), json!({ "Timestamp": at.0, "CloudWatchMetrics": [directive] }));
        members.extend(line.labels.into_iter().map(|(label, value)| (label.to_owned(), value.into())));
        members.extend(line.metrics.into_iter().map(|(name, _, value)| (name.to_owned(), value)));
        Value::Object(members).to_string()
    }
}

/// To the line of these labels, or to another one when it has this metric already.
fn add(lines: &mut Vec<Line>, labels: Labels, metric: (&'static str, &'static str, Value)) {
    let is_free = |line: &&mut Line| line.labels == labels && line.metrics.iter().all(|(name, ..)| *name != metric.0);
    match lines.iter_mut().find(is_free) {
        Some(line) => line.metrics.push(metric),
        None => lines.push(Line { labels, metrics: vec![metric] }),
    }
}

#[cfg(test)]
mod tests {
    use lockstep_core::{CacheFound, MetricsSink as _, Operation};

    use super::*;

    const AT: UnixMillis = UnixMillis(1_767_225_600_000);

    fn lines() -> (Arc<PrometheusMetrics>, MetricLines) {
        let metrics = Arc::new(PrometheusMetrics::new());
        (Arc::clone(&metrics), MetricLines::new(metrics, "Acme/Lockstep".to_owned()))
    }

    /// The metric of this name in the line that has these labels: what CloudWatch would take it for.
    fn found(lines: &[String], labels: &[(&str, &str)], name: &str) -> Option<Value> {
        lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()).find_map(|line| {
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            let dimensions: Vec<_> = labels.iter().map(|(label, _)| *label).collect();
            let is_it = directive["Dimensions"] == json!([dimensions])
                && labels.iter().all(|(label, value)| line[label] == *value)
                && directive["Metrics"].as_array().unwrap().iter().any(|metric| metric["Name"] == name);
            is_it.then(|| line[name].clone())
        })
    }

    /// Break: return the whole count in `since_last`.
    #[test]
    fn a_line_tells_what_was_counted_since_the_last_one() {
        let (metrics, lines) = lines();
        assert_eq!(lines.take(AT), Vec::<String>::new());
        let meter = metrics.meter(&Alias::parse("vault").unwrap());
        for expected in [2, 3] {
            for _ in 0..expected {
                meter.access(Operation::Get, Ok(()), Duration::from_micros(80));
                meter.cache(CacheFound::Hit);
            }
            let taken = lines.take(AT);
            let labels = [("provider", "vault"), ("operation", "get"), ("status", "success")];
            assert_eq!(found(&taken, &labels, "secrets_requests_total"), Some(json!(expected)), "{taken:?}");
            assert_eq!(found(&taken, &labels[..1], "secrets_cache_hits_total"), Some(json!(expected)), "{taken:?}");
            let durations = vec![0.0001; expected];
            assert_eq!(found(&taken, &labels[..2], "secrets_request_duration_seconds"), Some(json!(durations)));
            // What did not move is not told.
            assert_eq!(taken.len(), 3, "{taken:?}");
        }
        assert_eq!(lines.take(AT), Vec::<String>::new());
    }

    #[test]
    fn errors_refusals_and_calls_have_the_labels_of_the_text() {
        let (metrics, lines) = lines();
        let meter = metrics.meter(&Alias::parse("vault").unwrap());
        meter.access(Operation::Rotate, Err(ErrorKind::Timeout), Duration::from_mins(1));
        meter.call(Operation::Rotate, Err(ErrorKind::Timeout), Duration::from_millis(2));
        metrics.refused("bad_token");
        let taken = lines.take(AT);
        let of =
            |labels: &[(&str, &str)], name| found(&taken, labels, name).unwrap_or_else(|| panic!("{name}: {taken:?}"));
        let (provider, rotate) = (("provider", "vault"), ("operation", "rotate"));
        assert_eq!(of(&[provider, ("error_type", "timeout")], "secrets_errors_total"), 1);
        assert_eq!(of(&[provider, rotate, ("status", "error")], "secrets_requests_total"), 1);
        assert_eq!(of(&[provider, rotate, ("status", "error")], "secrets_provider_calls_total"), 1);
        assert_eq!(of(&[provider, rotate], "secrets_provider_call_duration_seconds"), json!([0.005]));
        // Longer than every bucket.
        assert_eq!(of(&[provider, rotate], "secrets_request_duration_seconds"), json!([10.0]));
        assert_eq!(of(&[("reason", "bad_token")], "lockstep_refusals_total"), 1);
    }

    /// CloudWatch leaves a metric out that has more than 100 values. Break: chunks of another size.
    #[test]
    fn many_values_take_several_lines() {
        let (metrics, lines) = lines();
        let meter = metrics.meter(&Alias::parse("vault").unwrap());
        for _ in 0..250 {
            meter.call(Operation::Get, Ok(()), Duration::from_millis(2));
        }
        let taken = lines.take(AT);
        let lengths: Vec<_> = taken
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter_map(|line| line["secrets_provider_call_duration_seconds"].as_array().map(Vec::len))
            .collect();
        assert_eq!(lengths, [100, 100, 50]);
        let labels = [("provider", "vault"), ("operation", "get"), ("status", "success")];
        assert_eq!(found(&taken, &labels, "secrets_provider_calls_total"), Some(json!(250)), "{taken:?}");
    }

    #[test]
    fn a_line_is_what_cloudwatch_documents() {
        let (metrics, lines) = lines();
        metrics.refused("bad_token");
        let expected = json!({
            "_aws": {
                "Timestamp": AT.0,
                "CloudWatchMetrics": [{
                    "Namespace": "Acme/Lockstep",
                    "Dimensions": [["reason"]],
                    "Metrics": [{ "Name": "lockstep_refusals_total", "Unit": "Count" }],
                }],
            },
            "reason": "bad_token",
            "lockstep_refusals_total": 1,
        });
        let taken = lines.take(AT);
        assert_eq!(taken.len(), 1);
        assert_eq!(serde_json::from_str::<Value>(&taken[0]).unwrap(), expected);
    }
}
