//! [`SourceKind`]: who sends a notification, which decides how it is read.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::{BODY, MAX_BYTES, json};

/// Who sends a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// Amazon EventBridge, as an API destination posts it or a function is called with it.
    EventBridge,
    /// A batch of Amazon SQS, with EventBridge's or SNS's messages in it.
    Sqs,
    /// Amazon SNS, over HTTPS or as a function is called with it.
    Sns,
    /// Google Pub/Sub, pushed or pulled.
    PubSub,
    /// Azure Event Grid, in its own schema or as CloudEvents 1.0.
    EventGrid,
    /// The events of Vault Enterprise.
    Vault,
    /// A webhook with our own body, signed as GitHub signs.
    GitHub,
    /// A webhook with our own body, signed as Standard Webhooks has it.
    StandardWebhooks,
}

impl SourceKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::EventBridge,
        Self::Sqs,
        Self::Sns,
        Self::PubSub,
        Self::EventGrid,
        Self::Vault,
        Self::GitHub,
        Self::StandardWebhooks,
    ];

    /// The word for it in routes, settings and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventBridge => "eventbridge",
            Self::Sqs => "sqs",
            Self::Sns => "sns",
            Self::PubSub => "pubsub",
            Self::EventGrid => "event-grid",
            Self::Vault => "vault",
            Self::GitHub => "github",
            Self::StandardWebhooks => "standard-webhooks",
        }
    }

    /// Whose shape a body has. For people who look at a notification: an endpoint knows by its route. Both webhooks have
    /// one body, which is taken for GitHub's.
    pub fn guess(body: &[u8]) -> Option<Self> {
        let body = json(body, MAX_BYTES, BODY).ok()?;
        let has = |pointer: &str| body.pointer(pointer).is_some();
        let is = |kind: Self, found: bool| found.then_some(kind);
        is(Self::EventBridge, has("/detail-type"))
            .or_else(|| is(Self::Sns, has("/TopicArn") || has("/Records/0/Sns")))
            .or_else(|| is(Self::Sqs, has("/Records/0/body") || has("/Messages")))
            .or_else(|| is(Self::PubSub, has("/message/messageId") || has("/message/message_id")))
            .or_else(|| is(Self::PubSub, has("/receivedMessages")))
            .or_else(|| is(Self::Vault, has("/data/event_type")))
            .or_else(|| is(Self::GitHub, has("/changes")))
            .or_else(|| is(Self::EventGrid, of_event_grid(&body)))
    }
}

fn of_event_grid(body: &Value) -> bool {
    let first = body.get(0).unwrap_or(body);
    ["eventType", "type"].iter().filter_map(|name| first.get(name)?.as_str()).any(|kind| kind.starts_with("Microsoft."))
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word names no source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such source; write `eventbridge`, `sqs`, `sns`, `pubsub`, `event-grid`, `vault`, `github` or `standard-webhooks`"
)]
pub struct UnknownSource;

impl FromStr for SourceKind {
    type Err = UnknownSource;

    fn from_str(text: &str) -> Result<Self, UnknownSource> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownSource)
    }
}
