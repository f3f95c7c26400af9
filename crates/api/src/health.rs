//! `/health/*` and `/metrics`: whether the process lives, whether it can serve, and its numbers. No name and no value
//! stands in any of them (L11).

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::PrometheusMetrics;
use crate::api::{Api, Exchange};

/// What the providers said last, so that asking this route often asks them rarely: it needs no token.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Known>);

#[derive(Debug, Default, Clone, Copy)]
struct Known {
    /// When, by the monotonic clock, and how many of how many failed.
    last: Option<(Duration, Count)>,
    /// Since when somebody asks. A caller that went away must not keep everybody else waiting.
    asking: Option<Duration>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    failing: usize,
    providers: usize,
}

impl Readiness {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The process runs.
pub(crate) fn live() -> Response<Bytes> {
    answer(StatusCode::OK, Bytes::from_static(br#"{"status":"live"}"#))
}

/// Requests can be served: unless *every* provider fails, since with one of several gone the others, and what is cached,
/// still answer.
pub(crate) async fn ready(api: &Api, exchange: &Exchange<'_>) -> Response<Bytes> {
    let count = count(api, exchange).await;
    let is_ready = count.is_some_and(|count| count.failing < count.providers || count.providers == 0);
    let count = count.unwrap_or_default();
    let (status, word) =
        if is_ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable") };
    let body = format!(r#"{{"status":"{word}","providers":{},"failing":{}}}"#, count.providers, count.failing);
    answer(status, Bytes::from(body))
}

/// What the providers said last; `None` while the first answer is not there yet. One caller asks, whoever comes meanwhile
/// costs nothing.
async fn count(api: &Api, exchange: &Exchange<'_>) -> Option<Count> {
    let limits = api.limits();
    let now = api.clock().monotonic();
    {
        let mut known = api.readiness().known();
        let is_asked = known.asking.is_some_and(|since| now.saturating_sub(since) <= limits.ready_time);
        let last = known.last.map(|(_, count)| count);
        if is_asked || known.last.is_some_and(|(at, _)| now.saturating_sub(at) < limits.ready_age) {
            return last;
        }
        known.asking = Some(now);
    }
    let call = exchange.call(api).within(limits.ready_time);
    let answers = api.resolver().check(&call).await;
    let count = Count { providers: answers.len(), failing: answers.iter().filter(|(_, said)| said.is_err()).count() };
    *api.readiness().known() = Known { last: Some((api.clock().monotonic(), count)), asking: None };
    Some(count)
}

/// The numbers, in the text format that Prometheus reads (0.0.4).
pub(crate) fn metrics(api: &Api, metrics: &PrometheusMetrics) -> Response<Bytes> {
    let resolver = api.resolver();
    let mut text = metrics.render();
    let name = "lockstep_audit_lost_total";
    // Writing to a String can't fail.
    let _ = writeln!(
        text,
        "# HELP {name} Accesses whose audit record was lost.\n# TYPE {name} counter\n{name} {}",
        resolver.lost_audit()
    );
    if let Some(age) = resolver.journal_age() {
        let name = "secrets_journal_age_seconds";
        let help = "How long ago the journal was last read: what is served may lack what was written to it since.";
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {}", age.as_secs_f64());
    }
    #[cfg(feature = "spans")]
    if let Some(tracer) = api.tracer() {
        write_spans(&mut text, tracer.counts());
    }
    let mut response = answer(StatusCode::OK, Bytes::from(text));
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

/// What became of the spans.
#[cfg(feature = "spans")]
fn write_spans(text: &mut String, counts: lockstep_core::SpanCounts) {
    let name = "lockstep_spans_total";
    let _ = writeln!(text, "# HELP {name} Spans that were taken, and what became of them.\n# TYPE {name} counter");
    for (outcome, count) in [("exported", counts.exported), ("dropped", counts.dropped), ("rejected", counts.rejected)]
    {
        let _ = writeln!(text, "{name}{{outcome=\"{outcome}\"}} {count}");
    }
    let name = "lockstep_spans_waiting";
    let help = "Spans that wait for the collector.";
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {}", counts.waiting);
}

fn answer(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
