//! [`Function`]: what one invocation is: time, the journal, the request, its answer, the audit.
//!
//! Lambda freezes the process once it asks for the next invocation, and tells it nothing of its end. So nothing is left for
//! later but what may be lost: counts are written and records are sent before the answer leaves, and background work gets
//! a moment after it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderName, Request, Response, StatusCode};
use lockstep_api::{MetricLines, error_response};
use lockstep_config::{Assembly, Config, Endpoint, Front};
use lockstep_core::{Error, ErrorKind, FrontDoor as _, Peer, Resolver, Result, SecretRef, Spawn as _, UnixMillis};
use lockstep_host::lambda::{self, AUDIT_TIME, Diagnostic, Handler, Invocation};
use lockstep_host::{Audit, Console, Host, Telemetry};
use serde_json::value::RawValue;

use crate::answer;
use crate::payload::{self, NoRequest, Taken};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How long a prefetch may take. Lambda gives a start 10 s, and begins it anew on the invocation's time when it takes more.
const PREFETCH_TIME: Duration = Duration::from_secs(7);
/// How long the process's own work may take: an append to the journal.
const OWN_CALL: Duration = Duration::from_secs(30);
/// How long a check of the journal may take at most; its own limit is shorter.
const JOURNAL_TIME: Duration = Duration::from_secs(2);
/// How long spans may take to be sent, after the answer has left. The process is frozen then: what is not sent would wait
/// for the next invocation, or for ever. It is billed, but no answer waits for it.
const SPANS_TIME: Duration = Duration::from_millis(500);
/// What is left of an invocation's time to say that it is over.
const MARGIN: Duration = Duration::from_millis(250);
/// How long background work may keep an invocation from ending. It is billed, but no answer waits for it.
const HOLD: Duration = Duration::from_millis(200);
/// A pause after which what was under way has no hope: longer than one attempt at a provider may take.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// The longest timeout that a function can have.
const MAX_FUNCTION_TIME: Duration = Duration::from_mins(15);

/// The endpoint and what belongs to it.
pub(crate) struct Function {
    host: Arc<Host>,
    resolver: Arc<Resolver>,
    endpoint: Endpoint,
    audit: Arc<Audit>,
    metric_lines: Option<MetricLines>,
    telemetry: Option<Telemetry>,
    prefetch: Vec<SecretRef>,
    max_body_bytes: usize,
    /// When the last invocation ended, in milliseconds of the wall clock.
    ended: AtomicU64,
    /// When the time of the present one is over, in the same.
    deadline: AtomicU64,
}

impl Function {
    /// Assembles the configuration.
    ///
    /// # Errors
    /// `Config`, with what is wrong and where.
    pub(crate) fn start(host: &Arc<Host>, config: &Config) -> Result<Self> {
        let settings = config.settings();
        let listen = &settings.listen;
        if listen.tls.is_some() || listen.allow_remote || listen.unix_socket.is_some() {
            let message = "Lambda takes the requests in; leave `listen.tls`, `listen.allow_remote` and \
                           `listen.unix_socket` out";
            return Err(Error::new(ErrorKind::Config, message));
        }
        if host.env.var("AWS_LAMBDA_INITIALIZATION_TYPE").as_deref() == Some("snap-start") {
            // Every sandbox would begin with the same keys, logins and values, kept for days.
            let message =
                "a snapshot would keep secrets and keys of this process: switch SnapStart off for the endpoint";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let audit = Arc::new(host.audit(config, Console::Free)?);
        let ports = host.ports(Arc::clone(&audit) as _);
        let telemetry = host.telemetry(config)?;
        let tracer = telemetry.as_ref().map(Telemetry::tracer);
        let assembly = Assembly { tracer, ..config.assemble(&ports)? };
        let endpoint = config.endpoint_behind(Front::Platform, &ports, &assembly)?;
        let metric_lines = config.metric_lines(&assembly)?;
        let Assembly { resolver, watch, prefetch, warnings, .. } = assembly;
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        if let Some(journal) = &settings.freshness.journal {
            let bound = settings.freshness.max_staleness;
            tracing::info!(%journal, max_staleness = %bound, "changes in the journal reach the cache within the bound");
        }
        let own = {
            let host = Arc::clone(host);
            move || host.call("own", OWN_CALL)
        };
        for task in watch.map(|watch| watch.tasks(own)).unwrap_or_default() {
            host.residents.spawn(Box::pin(task));
        }
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");
        Ok(Self {
            host: Arc::clone(host),
            resolver,
            endpoint,
            audit,
            metric_lines,
            telemetry,
            prefetch,
            max_body_bytes: listen.max_body_bytes.bytes(),
            ended: AtomicU64::new(host.clock.wall().0),
            deadline: AtomicU64::new(0),
        })
    }

    /// Reads what is to be there before anybody asks. What can't be read is read when somebody does.
    pub(crate) async fn warm_up(&self) {
        if self.prefetch.is_empty() {
            return;
        }
        self.resolver.prefetch(&self.host.call("prefetch", PREFETCH_TIME), &self.prefetch).await;
        self.resolver.flush_audit();
        self.ended.store(self.host.clock.wall().0, Ordering::Relaxed);
    }

    /// Answers an invocation.
    ///
    /// # Errors
    /// [`NoRequest`]: the event is none of those that the endpoint answers. Nobody was asked for anything.
    pub(crate) async fn respond(&self, event: &str, invocation: &Invocation) -> Result<Box<RawValue>, NoRequest> {
        let begun = self.host.clock.wall();
        self.deadline.store(invocation.deadline.0, Ordering::Relaxed);
        self.thawed(begun.saturating_since(UnixMillis(self.ended.load(Ordering::Relaxed))));
        // The deadline lies at most the longest timeout ahead; so it was at least that late when it was written.
        self.resolver.at_least(UnixMillis(invocation.deadline.0.saturating_sub(millis(MAX_FUNCTION_TIME))));
        let Taken { form, peer, mut request } = payload::take(event).inspect_err(|NoRequest(reason)| {
            tracing::error!(invocation = invocation.id, reason, "the event is no request");
        })?;
        if let (false, Ok(id)) = (request.headers().contains_key(REQUEST_ID), HeaderValue::from_str(&invocation.id)) {
            request.headers_mut().insert(REQUEST_ID, id);
        }
        self.look_at_journal(&invocation.id);
        let response = self.answer(&peer, request, invocation).await;
        let written = answer::write(form, &response).or_else(|_| {
            let message = "the answer is larger than Lambda takes; ask for fewer secrets at once";
            answer::write(form, &failed(ErrorKind::TooLarge, message, invocation))
        });
        self.resolver.flush_audit();
        lambda::send_audit(&self.audit, &*self.host.clock, invocation.deadline).await;
        let trace = invocation.trace.as_deref().unwrap_or_default();
        let status = response.status().as_u16();
        tracing::debug!(invocation = invocation.id, trace, ?form, status, "answered");
        // A problem document is small.
        written.map_err(|_| NoRequest("the answer can't be written"))
    }

    fn thawed(&self, paused: Duration) {
        if paused > LOST_AFTER {
            let lost = self.host.background.cancel();
            if lost > 0 {
                tracing::debug!(tasks = lost, "what a freeze may have cut off was given up");
            }
        }
    }

    /// Begins to read the journal; the request waits for it only if it has to.
    fn look_at_journal(&self, id: &str) {
        let (checking, call) = (Arc::clone(&self.resolver), self.host.call(id, JOURNAL_TIME));
        call.clone().spawn(async move {
            if let Err(error) = checking.check_journal(&call).await {
                tracing::warn!(%error, "the journal could not be read");
            }
        });
    }

    async fn answer(&self, peer: &Peer, request: Request<Bytes>, invocation: &Invocation) -> Response<Bytes> {
        let (head, body) = request.into_parts();
        let answering = async {
            match self.endpoint.at_once(peer, &head) {
                Some(answer) => answer,
                None if body.len() > self.max_body_bytes => too_large(),
                None => self.endpoint.call(peer, Request::from_parts(head, body)).await,
            }
        };
        self.kept_to(answering, invocation).await
    }

    /// An answer in the time that there is, and never a panic: what that says may hold a value, and `lambda_runtime` would
    /// tell it to whoever invoked the function. The log has its place.
    async fn kept_to(
        &self,
        answering: impl Future<Output = Response<Bytes>>,
        invocation: &Invocation,
    ) -> Response<Bytes> {
        let answering = AssertUnwindSafe(answering).catch_unwind();
        let over = async {
            match self.time(invocation.deadline) {
                Some(time) => self.host.clock.sleep(time).await,
                None => std::future::pending().await,
            }
        };
        futures_util::select_biased! {
            answer = Box::pin(answering).fuse() => answer.unwrap_or_else(|_| {
                failed(ErrorKind::Internal, "a fault of Lockstep itself; look at the function's log", invocation)
            }),
            () = Box::pin(over).fuse() => {
                let message = "the function's time is over; raise its timeout, or look at the provider";
                failed(ErrorKind::Timeout, message, invocation)
            }
        }
    }

    /// How long an answer may take. A deadline that is over already says nothing: an emulator sends 0.
    fn time(&self, deadline: UnixMillis) -> Option<Duration> {
        let left = deadline.saturating_since(self.host.clock.wall());
        let kept = MARGIN + if self.audit.is_delivered() { AUDIT_TIME } else { Duration::ZERO };
        (!left.is_zero()).then(|| left.saturating_sub(kept.min(left / 2)))
    }

    /// Sends spans away, within what is left of the time: an invocation that goes on past it ends the sandbox, answered or
    /// not.
    async fn send_spans(&self) {
        let Some(telemetry) = &self.telemetry else { return };
        let limit = match self.deadline.load(Ordering::Relaxed) {
            // An emulator has none.
            0 => SPANS_TIME,
            deadline => SPANS_TIME.min(UnixMillis(deadline).saturating_since(self.host.clock.wall()) / 2),
        };
        if !limit.is_zero() {
            telemetry.send(limit).await;
        }
    }
}

impl Handler for Function {
    async fn invoked(&self, event: &str, invocation: &Invocation) -> Result<Box<RawValue>, Diagnostic> {
        Ok(self.respond(event, invocation).await?)
    }

    async fn rest(&self) {
        self.host.background.finished(HOLD).await;
        self.resolver.flush_audit();
        if let Some(lines) = &self.metric_lines {
            lambda::write_lines(&lines.take(self.host.clock.wall()));
        }
        self.send_spans().await;
        self.ended.store(self.host.clock.wall().0, Ordering::Relaxed);
    }
}

/// An answer that the endpoint did not give: a problem document like its own.
fn failed(kind: ErrorKind, message: &'static str, invocation: &Invocation) -> Response<Bytes> {
    error_response(&Error::new(kind, message), &invocation.id.as_str().into())
}

/// What a listener answers a body that is larger than `listen.max_body_bytes`.
fn too_large() -> Response<Bytes> {
    let body = r#"{"type":"about:blank","title":"Payload Too Large","status":413,"code":"too_large"}"#;
    let mut answer = Response::new(Bytes::from_static(body.as_bytes()));
    *answer.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    answer
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
