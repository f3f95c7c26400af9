//! Who is told of rotations: a [`Subscriber`] gets a message by HTTP, signed as Standard Webhooks has it or in Slack's form.
//!
//! A message names secrets and versions and never holds a value. It is tried a few times, each time with the same id, by
//! which who gets it knows it again. Telling is a courtesy: it fails nothing, and its failure is said in the log.

mod message;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Request, StatusCode, Uri};
use lockstep_core::{
    Change, ChangeKind, Clock, Error, ErrorKind, Limits, MAX_MEMBERS, Result, SecretValue, Transport, is_loopback,
};

use self::message::Message;
use crate::verify::StandardWebhooksVerifier;

/// How often a message is sent at most, and how long one try may take.
const ATTEMPTS: u32 = 4;
const ATTEMPT_TIME: Duration = Duration::from_secs(5);
/// The pause before the second try, which doubles; and the longest that a receiver may ask for.
const PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// What is read of an answer. Nobody looks at it.
const ANSWER_BYTES: usize = 64 << 10;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// What somebody is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Occasion {
    /// A secret has a new value.
    Rotated,
    /// A rotation failed, so the value stayed as it was.
    Failed,
    /// A secret should have been rotated, and was not.
    Overdue,
}

impl Occasion {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rotated, Self::Failed, Self::Overdue];

    /// The word in settings and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Failed => "failed",
            Self::Overdue => "overdue",
        }
    }
}

/// The form of a message.
#[derive(Debug)]
pub enum Form {
    /// JSON that is signed as Standard Webhooks has it.
    Signed(StandardWebhooksVerifier),
    /// JSON as Slack, and what imitates it, takes it. Who knows the address may send.
    Slack,
}

/// Somebody who is told.
pub struct Subscriber {
    name: Box<str>,
    target: Uri,
    form: Form,
    on: Vec<Occasion>,
}

impl Subscriber {
    /// Somebody at this address, which is a secret where it is Slack's.
    ///
    /// # Errors
    /// `Config`, and the address is not repeated: it is none, or leads to another machine in the clear.
    pub fn new(name: &str, address: &SecretValue, form: Form, on: Vec<Occasion>, insecure: bool) -> Result<Self> {
        let wrong = |message: &'static str| Error::new(ErrorKind::Config, message);
        let target: Uri = std::str::from_utf8(address.expose().trim_ascii())
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| wrong("the address is none; it looks like `https://hooks.example.com/…`"))?;
        let host = target.host().unwrap_or_default();
        match target.scheme_str() {
            Some("https") if !host.is_empty() => {}
            Some("http") if !host.is_empty() && (insecure || is_loopback(host)) => {}
            Some("http") => {
                return Err(wrong(
                    "`http://` to another machine would send names of secrets in the clear; use `https://`, or add \
                     `insecure = true` if that is what you want",
                ));
            }
            _ => return Err(wrong("the address begins with neither `https://` nor `http://`")),
        }
        Ok(Self { name: name.into(), target, form, on })
    }
}

/// Everybody who is told.
pub struct Subscribers {
    all: Vec<Subscriber>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
}

/// Why somebody was not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Untold {
    Status(StatusCode),
    Failed(ErrorKind),
}

impl Subscribers {
    /// These.
    pub fn new(all: Vec<Subscriber>, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self { all, transport, clock }
    }

    /// Whether somebody wants to be told of this.
    pub fn want(&self, occasion: Occasion) -> bool {
        self.all.iter().any(|subscriber| subscriber.on.contains(&occasion))
    }

    /// Tells everybody, all at once, within this time. Of a rotation that failed, or is overdue, `about` names the secret.
    pub async fn tell(&self, occasion: Occasion, about: &[Change], time: Duration) {
        let about: Vec<&Change> =
            about.iter().filter(|change| occasion != Occasion::Rotated || is_new_value(change)).collect();
        if about.is_empty() {
            return;
        }
        let end = self.clock.monotonic() + time;
        let message = Message::new(occasion, &about, self.clock.wall());
        join_all(self.all.iter().filter(|subscriber| subscriber.on.contains(&occasion)).map(async |subscriber| {
            let subscribed = &*subscriber.name;
            match self.send(subscriber, &message, end).await {
                Ok(()) => tracing::debug!(subscribed, occasion = occasion.as_str(), "told"),
                Err(reason) => {
                    tracing::error!(subscribed, occasion = occasion.as_str(), %reason, "a subscriber was not told");
                }
            }
        }))
        .await;
    }

    async fn send(&self, to: &Subscriber, message: &Message, end: Duration) -> Result<(), Untold> {
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let left = end.saturating_sub(self.clock.monotonic());
            let limits = Limits { time: ATTEMPT_TIME.min(left), response_bytes: ANSWER_BYTES, members: MAX_MEMBERS };
            let (reason, asked) = match self.transport.send(self.request(to, message), limits).await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => (Untold::Status(answer.status()), retry_after(answer.headers())),
                Err(error) => (Untold::Failed(error.kind()), None),
            };
            let wait = asked.unwrap_or(pause).min(MAX_PAUSE);
            let left = end.saturating_sub(self.clock.monotonic());
            if attempt == ATTEMPTS || !reason.may_pass() || left <= wait {
                return Err(reason);
            }
            self.clock.sleep(wait).await;
            (attempt, pause) = (attempt + 1, pause * 2);
        }
    }

    fn request(&self, to: &Subscriber, message: &Message) -> Request<Bytes> {
        let body = match &to.form {
            Form::Signed(_) => message.json(),
            Form::Slack => message.slack(),
        };
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = to.target.clone();
        let now = self.clock.wall();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Form::Signed(key) = &to.form {
            let signature = key.sign(message.id(), now, request.body());
            let headers = request.headers_mut();
            let signed = [
                (WEBHOOK_ID, Some(message.id().to_owned())),
                (WEBHOOK_TIMESTAMP, Some((now.0 / 1000).to_string())),
                (WEBHOOK_SIGNATURE, signature),
            ];
            for (name, text) in signed {
                if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
                    headers.insert(name, value);
                }
            }
        }
        request
    }
}

impl Untold {
    /// Whether another try may help.
    fn may_pass(self) -> bool {
        match self {
            Self::Status(status) => {
                status.is_server_error()
                    || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            }
            Self::Failed(kind) => matches!(kind, ErrorKind::Network | ErrorKind::Timeout | ErrorKind::Unavailable),
        }
    }
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {}", status.as_u16()),
            Self::Failed(kind) => f.write_str(kind.code()),
        }
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("name", &self.name).field("on", &self.on).finish_non_exhaustive()
    }
}

impl fmt::Debug for Subscribers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.all).finish()
    }
}

/// Whether what is current has another value now.
fn is_new_value(change: &Change) -> bool {
    change.label.is_none() && matches!(change.kind, ChangeKind::Updated | ChangeKind::Rotated)
}

fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
