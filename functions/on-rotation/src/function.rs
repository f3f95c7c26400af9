//! [`Function`]: what one invocation is: notifications become Changes in the journal.
//!
//! An invocation has an answer once its Changes are in the journal. Until then whoever has invoked the function keeps what
//! it has sent, and sends it again; what was appended before is the same Change by its id. What can't be read is never
//! thrown away in silence: of a batch of SQS it is named in the answer, and anything else fails, so that it comes to the
//! dead-letter queue of its sender.
//!
//! Then whoever wants to know is told: of what was rotated, of rotations that failed, and, when a schedule invokes the
//! function, of those that are overdue.

mod overdue;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use http::HeaderMap;
use lockstep_api::{MetricLines, PrometheusMetrics};
use lockstep_config::settings::Journal as Written;
use lockstep_config::{Assembly, Config};
use lockstep_core::{Alias, AuditRecord, Error, ErrorKind, Journal, Outcome, Resolver, Scope, UnixMillis};
use lockstep_events::decode::{Accepted, Decoded, Delivery, Ignored, SourceKind, decode};
use lockstep_events::notify::{Occasion, Subscribers};
use lockstep_host::lambda::{self, Diagnostic, Handler, Invocation};
use lockstep_host::{Audit, Console, Host};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

/// The longest that an append may take. It is all the time there is where nobody says more: an emulator's deadline is over
/// already.
const APPEND_TIME: Duration = Duration::from_secs(10);
/// The longest that subscribers are waited for.
const TELL_TIME: Duration = Duration::from_secs(20);
/// What is left of an invocation's time to say that the append has failed.
const MARGIN: Duration = Duration::from_millis(250);

/// The journal, and whose notifications count.
pub(crate) struct Function {
    host: Arc<Host>,
    journal: Arc<dyn Journal>,
    accepted: Accepted,
    /// Records leave through it.
    resolver: Arc<Resolver>,
    audit: Arc<Audit>,
    metrics: Option<Arc<PrometheusMetrics>>,
    metric_lines: Option<MetricLines>,
    subscribers: Subscribers,
    /// The providers, in which overdue rotations are looked for.
    providers: Vec<Alias>,
}

/// Why an invocation failed. It shows nothing of the event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The event is none of those that are read here.
    NoNotification,
    /// Nothing of it could be read, for this reason.
    Unreadable(&'static str),
    /// The journal has not taken its Changes.
    Journal(ErrorKind, String),
}

impl From<Failed> for Diagnostic {
    fn from(failed: Failed) -> Self {
        let (kind, message) = match failed {
            Failed::NoNotification => {
                let message = "this is no event of EventBridge, SQS or SNS: let a rule, a queue or a topic invoke this \
                               function";
                ("NoNotification".to_owned(), message.to_owned())
            }
            Failed::Unreadable(reason) => (
                "Unreadable".to_owned(),
                format!("the notification can't be read ({reason}); try `lockstep events decode`"),
            ),
            Failed::Journal(kind, message) => (format!("{kind:?}"), message),
        };
        Self { error_type: format!("Lockstep.{kind}"), error_message: message }
    }
}

impl Function {
    /// Assembles the configuration. Of its providers only their places count: no secret is read here.
    ///
    /// # Errors
    /// `Config`, with what is wrong and where.
    pub(crate) fn start(host: &Arc<Host>, config: &Config) -> lockstep_core::Result<Self> {
        let journal = writable(config.settings().freshness.journal.as_ref())?;
        let audit = Arc::new(host.audit(config, Console::Free)?);
        let ports = host.ports(Arc::clone(&audit) as _);
        let assembly = config.assemble(&ports)?;
        let metric_lines = config.metric_lines(&assembly)?;
        let subscribers = config.subscribers(&ports)?;
        let Assembly { resolver, metrics, journal: opened, scopes, warnings, .. } = assembly;
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        let providers = config.settings().providers.keys().map(|alias| alias.0.clone()).collect();
        let opened = opened.ok_or_else(|| Error::new(ErrorKind::Internal, "the journal was not assembled"))?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), %journal, "ready");
        Ok(Self {
            host: Arc::clone(host),
            journal: opened,
            accepted: Accepted::of(scopes.iter().map(Scope::parts)),
            resolver,
            audit,
            metrics,
            metric_lines,
            subscribers,
            providers,
        })
    }

    /// Takes in what an invocation tells.
    ///
    /// # Errors
    /// It is to be sent again, or to be looked at.
    pub(crate) async fn take(&self, event: &str, invocation: &Invocation) -> Result<Box<RawValue>, Failed> {
        let body = event.as_bytes();
        if overdue::is_due(body) {
            self.look_for_overdue(invocation).await;
            return written(&json!(null));
        }
        let read = |source: &SourceKind| matches!(source, SourceKind::EventBridge | SourceKind::Sqs | SourceKind::Sns);
        let source = SourceKind::guess(body).filter(read).ok_or(Failed::NoNotification)?;
        let headers = HeaderMap::new();
        let decoded = decode(&Delivery { source, headers: &headers, body }, &self.accepted, self.host.clock.wall());
        self.count(source, &decoded);
        self.append(source, &decoded, invocation).await?;
        self.tell(&decoded, invocation.deadline).await;
        answer(source, &decoded)
    }

    /// Tells who wants to know, of both at once. Whoever could not be told keeps nothing from being done.
    async fn tell(&self, decoded: &Decoded, deadline: UnixMillis) {
        let time = self.time(deadline, TELL_TIME);
        let rotated = self.subscribers.tell(Occasion::Rotated, &decoded.changes, time);
        let failed = self.subscribers.tell(Occasion::Failed, &decoded.failed, time);
        join(rotated, failed).await;
    }

    async fn append(&self, source: SourceKind, decoded: &Decoded, invocation: &Invocation) -> Result<(), Failed> {
        if decoded.changes.is_empty() {
            return Ok(());
        }
        let call = self.host.call(&invocation.id, self.time(invocation.deadline, APPEND_TIME));
        let appended = self.journal.append(&call, &decoded.changes).await;
        let outcome = appended.as_ref().map_or_else(|error| Outcome::Failed(error.kind()), |_| Outcome::Released);
        self.resolver.record_at_door(AuditRecord {
            at: self.host.clock.wall(),
            request_id: invocation.id.as_str().into(),
            principal: "event:lambda".into(),
            peer: None,
            action: "event",
            provider: None,
            name: source.as_str().into(),
            version: None,
            outcome,
            cached: false,
            policy: None,
            count: decoded.changes.len() as u64,
        });
        match appended {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "the journal has not taken what was told; it is to be sent again");
                Err(Failed::Journal(error.kind(), error.to_string()))
            }
        }
    }

    /// How long something may take, this at most.
    fn time(&self, deadline: UnixMillis, most: Duration) -> Duration {
        match deadline.saturating_since(self.host.clock.wall()) {
            Duration::ZERO => most,
            left => left.saturating_sub(MARGIN.min(left / 2)).min(most),
        }
    }

    fn count(&self, source: SourceKind, decoded: &Decoded) {
        let mut results = decoded.reasons();
        let changes = decoded.changes.len() as u64;
        if changes > 0 {
            results.insert("changed", changes);
        }
        for (result, count) in &results {
            if let Some(metrics) = &self.metrics {
                metrics.event(source.as_str(), result, *count);
            }
        }
        tracing::info!(source = source.as_str(), ?results, "notifications were read");
    }
}

/// Where Changes can be written for others to read.
fn writable(journal: Option<&Written>) -> lockstep_core::Result<&Written> {
    let message = match journal {
        None => "there is no journal to write to; write `freshness.journal`, or set LOCKSTEP_JOURNAL",
        Some(Written::Memory) => {
            "a journal in memory ends with this sandbox, and nobody else reads it; write one that is shared, such as \
             `dynamodb://TABLE`"
        }
        Some(Written::Endpoint(_)) => {
            "the feed of another endpoint is read, and not written: write the journal that that endpoint reads"
        }
        Some(shared) => return Ok(shared),
    };
    Err(Error::new(ErrorKind::Config, message))
}

/// What a sender is told of what was read. SQS takes back the items that are named, and at last moves them to its
/// dead-letter queue.
fn answer(source: SourceKind, decoded: &Decoded) -> Result<Box<RawValue>, Failed> {
    // Of a single notification, and of an item that has no name, nothing can be named: the whole is sent again.
    let unnamed = |ignored: &&Ignored| source != SourceKind::Sqs || ignored.item.is_none();
    let mut unreadable = decoded.ignored.iter().filter(|ignored| ignored.reason.is_unreadable());
    if let Some(ignored) = unreadable.find(unnamed) {
        return Err(Failed::Unreadable(ignored.reason.as_str()));
    }
    let told = if source == SourceKind::Sqs {
        let items = decoded.item_failures().into_iter().map(|item| json!({ "itemIdentifier": item }));
        json!({ "batchItemFailures": items.collect::<Vec<_>>() })
    } else {
        json!(null)
    };
    written(&told)
}

fn written(told: &Value) -> Result<Box<RawValue>, Failed> {
    to_raw_value(told).map_err(|_| Failed::Unreadable("the answer can't be written"))
}

impl Handler for Function {
    async fn invoked(&self, event: &str, invocation: &Invocation) -> Result<Box<RawValue>, Diagnostic> {
        let taken = self.take(event, invocation).await;
        if let Err(failed) = &taken {
            tracing::error!(invocation = invocation.id, reason = ?failed, "an invocation failed");
        }
        self.resolver.flush_audit();
        lambda::send_audit(&self.audit, &*self.host.clock, invocation.deadline).await;
        Ok(taken?)
    }

    async fn rest(&self) {
        if let Some(lines) = &self.metric_lines {
            lambda::write_lines(&lines.take(self.host.clock.wall()));
        }
    }
}

#[cfg(test)]
mod tests;
