//! `[notify.<name>]`: who is told of rotations, by the function on-rotation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::provider::tagged;
use super::{AliasName, Credential};

/// `[notify.<name>]`.
pub type Subscribers = BTreeMap<AliasName, Subscriber>;

tagged! {
    /// Somebody who is told of rotations; `type` says in which form.
    pub enum Subscriber by "type" {
        /// JSON that is signed as Standard Webhooks has it.
        StandardWebhooks(SignedSubscriber) = "standard-webhooks",
        /// JSON as an incoming webhook of Slack takes it.
        Slack(SlackSubscriber) = "slack",
    }
}

/// Signed messages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SignedSubscriber {
    /// Where the address stands.
    pub url: Credential,
    /// Where the secret stands that messages are signed with: `whsec_` and base64.
    pub secret: Credential,
    /// Of what it is told; without it, of everything.
    #[serde(default = "everything")]
    pub on: Vec<Occasion>,
    /// Whether messages may go to another machine in the clear.
    #[serde(default)]
    pub insecure: bool,
}

/// Messages for people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SlackSubscriber {
    /// Where the address stands: who knows it may write there.
    pub url: Credential,
    /// Of what it is told; without it, of everything.
    #[serde(default = "everything")]
    pub on: Vec<Occasion>,
    /// Whether messages may go to another machine in the clear.
    #[serde(default)]
    pub insecure: bool,
}

/// What somebody is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Occasion {
    /// A secret has a new value.
    Rotated,
    /// A rotation failed, so the value stayed as it was.
    Failed,
    /// A secret should have been rotated, and was not.
    Overdue,
}

fn everything() -> Vec<Occasion> {
    vec![Occasion::Rotated, Occasion::Failed, Occasion::Overdue]
}
