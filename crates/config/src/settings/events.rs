//! `[events.<name>]`: where notifications of providers come in. Each kind has its own keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::provider::tagged;
use super::{AliasName, Credential};

/// `[events.<name>]`.
pub type EventSources = BTreeMap<AliasName, EventSource>;

tagged! {
    /// A place where notifications come in, at `/api/v1/events/<name>`; `type` says who sends them.
    pub enum EventSource by "type" {
        /// Amazon EventBridge, by an API destination.
        EventBridge(EventBridgeSource) = "eventbridge",
        /// Amazon SNS, by HTTPS.
        Sns(SnsSource) = "sns",
        /// Google Pub/Sub, by a push subscription.
        PubSub(PubSubSource) = "pubsub",
        /// Azure Event Grid.
        EventGrid(EventGridSource) = "event-grid",
        /// A webhook with a signature as GitHub has it.
        Github(WebhookSource) = "github",
        /// A webhook with a signature as Standard Webhooks has it.
        StandardWebhooks(WebhookSource) = "standard-webhooks",
    }
}

/// Amazon EventBridge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EventBridgeSource {
    /// The callers that may deliver, as the audit calls them: `key:eventbridge`.
    pub senders: Vec<String>,
    /// The accounts of AWS whose events count, by their 12 digits; without it, those of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<String>>,
}

/// Amazon SNS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SnsSource {
    /// The ARNs of the topics that may deliver.
    pub topics: Vec<String>,
    /// The accounts of AWS whose events count, by their 12 digits; without it, those of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<String>>,
    /// Whether signatures of version 1 are taken, which are made with SHA-1. Topics begin with them; set a topic's
    /// `SignatureVersion` to 2 to do without.
    #[serde(default = "yes")]
    pub sha1: bool,
}

/// Google Pub/Sub.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PubSubSource {
    /// The callers that may deliver: `jwt:<issuer>:<e-mail of the push's service account>`.
    pub senders: Vec<String>,
    /// The subscriptions that may deliver: `projects/<project>/subscriptions/<name>`.
    pub subscriptions: Vec<String>,
}

/// Azure Event Grid.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EventGridSource {
    /// The callers that may deliver: `jwt:<issuer>:<oid>`, or `key:<name>` of a key in a delivery property.
    pub senders: Vec<String>,
    /// The resource ids of the vaults (or topics) that may deliver.
    pub topics: Vec<String>,
    /// The names of the subscriptions that may deliver; without it, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<Vec<String>>,
    /// The hosts that may ask whether CloudEvents can be delivered; without it, `eventgrid.azure.net`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WebhookSource {
    /// What deliveries are signed with: one secret, or up to four while one takes over from another.
    pub secrets: Vec<Credential>,
}

fn yes() -> bool {
    true
}
