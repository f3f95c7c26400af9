//! `POST /api/v1/events/{source}`: notifications of providers, which become Changes in the journal.
//!
//! A source has its own senders. Who logs in has to be one of them; who signs what it sends needs no login, and nothing is
//! counted against other callers for whoever only says that it is one. A delivery is acknowledged once its Changes are in
//! the journal: when that fails, its sender is told to send it again.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use lockstep_auth::{Refused, RefusedKind};
use lockstep_core::{AuditRecord, Error, ErrorKind, Journal, Outcome};
use lockstep_events::decode::Decoded;
use lockstep_events::intake::Intake;

use crate::api::{Api, Exchange, Stop};
use crate::body::Json;
use crate::native::respond;
use crate::query::Query;
use crate::refusal::Refusal;

/// A place where notifications come in.
pub struct EventSource {
    /// What it is called in the path, in audit records and in metrics.
    pub name: Box<str>,
    /// Who sends, and what counts.
    pub intake: Intake,
    /// The principals that may deliver; of no meaning where deliveries are signed.
    pub senders: Vec<Box<str>>,
}

/// The places where notifications come in, and the journal that their Changes go to.
pub struct Events {
    sources: Vec<EventSource>,
    journal: Arc<dyn Journal>,
}

impl Events {
    /// These sources, each with a name of its own.
    pub fn new(sources: Vec<EventSource>, journal: Arc<dyn Journal>) -> Self {
        Self { sources, journal }
    }

    fn source(&self, name: &str) -> Option<&EventSource> {
        self.sources.iter().find(|source| *source.name == *name)
    }

    /// Whether a request to this source shows who sent it in another way than by a login: a signature of its body, or
    /// nothing, where Event Grid only asks whether it may deliver.
    pub(crate) fn needs_no_login(&self, source: &str, method: &Method) -> bool {
        self.source(source).is_some_and(|source| match *method {
            Method::POST => source.intake.is_signed(),
            Method::OPTIONS => true,
            _ => false,
        })
    }
}

/// Answers a delivery, or the question whether there may be any.
pub(crate) async fn answer(api: &Api, events: &Events, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
    let source = events.source(exchange.rest()).ok_or(Refusal::Route)?;
    Query::parse(exchange.target(), &[], &[])?;
    let parts = exchange.head.parts.ok_or(Refusal::Route)?;
    if parts.method == Method::OPTIONS {
        return Ok(consent(source, &parts.headers)?);
    }
    if !source.intake.is_signed() && !source.senders.iter().any(|sender| **sender == *exchange.who.id) {
        let message = "this caller may not deliver here; add it to the senders of this source";
        return Err(Refusal::Invalid(Error::new(ErrorKind::Denied, message)).into());
    }
    let decoded = source.intake.take(&parts.headers, &exchange.body, api.clock().wall()).await.map_err(not_genuine)?;
    append(api, events, source, exchange, &decoded).await?;
    if let Some(answer) = decoded.confirm.as_ref().and_then(lockstep_events::decode::Handshake::answer) {
        return Ok(respond(answer.into()));
    }
    Ok(respond(written(&decoded)))
}

/// Puts the Changes into the journal, and counts the rest.
async fn append(
    api: &Api,
    events: &Events,
    source: &EventSource,
    exchange: &Exchange<'_>,
    decoded: &Decoded,
) -> Result<(), Refusal> {
    for (reason, count) in decoded.reasons() {
        api.count_event(&source.name, reason, count);
    }
    if decoded.changes.is_empty() {
        // Nothing of it could be read: whoever sends it should look, and not be told that all is well.
        let unreadable = decoded.ignored.iter().find(|ignored| ignored.reason.is_unreadable());
        return match unreadable {
            Some(ignored) if decoded.confirm.is_none() => {
                Err(Refusal::Parameter(format!("the notification means nothing here: {}", ignored.reason).into()))
            }
            _ => Ok(()),
        };
    }
    events.journal.append(&exchange.call(api), &decoded.changes).await?;
    let changes = decoded.changes.len() as u64;
    api.count_event(&source.name, "changed", changes);
    tracing::info!(source = &*source.name, changes, "secrets changed");
    api.resolver().record_at_door(AuditRecord {
        at: api.clock().wall(),
        request_id: exchange.id.clone(),
        principal: if source.intake.is_signed() {
            Arc::from(format!("event:{}", source.name))
        } else {
            exchange.who.id.clone()
        },
        peer: exchange.who.peer.clone(),
        action: "event",
        provider: None,
        name: source.name.clone(),
        version: None,
        outcome: Outcome::Released,
        cached: false,
        policy: None,
        count: changes,
    });
    Ok(())
}

fn consent(source: &EventSource, headers: &HeaderMap) -> Result<Response<Bytes>, Refusal> {
    let agreed = source.intake.consent(headers).map_err(|_| {
        Refusal::Invalid(Error::new(ErrorKind::Denied, "nobody may deliver here from there; look at `origins`"))
    })?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().extend(agreed);
    Ok(response)
}

/// A delivery that is not genuine is a login that is not accepted: to its sender, each looks like the others.
fn not_genuine(refusal: lockstep_events::verify::Refusal) -> Refusal {
    let kind = if refusal.is_transient() { RefusedKind::NotNow } else { RefusedKind::NotAccepted };
    Refusal::Login(Refused { kind, reason: refusal.as_str(), detail: refusal.to_string().into() })
}

/// What became of a delivery. Which secrets are known here, it does not say.
fn written(decoded: &Decoded) -> Bytes {
    let mut json = Json::with_capacity(64);
    json.open();
    json.key("changes");
    json.number(decoded.changes.len() as u64);
    json.key("ignored");
    json.open();
    for (reason, count) in decoded.reasons() {
        json.key(reason);
        json.number(count);
    }
    json.close();
    json.close();
    json.into_body()
}
