//! [`Intake`]: one place where notifications come in: who may send them, and what they mean.
//!
//! Verifying comes before decoding, and whoever does not pass it costs one look at a signature.

use http::HeaderMap;
use lockstep_core::UnixMillis;

use crate::decode::{Accepted, Decoded, Delivery, Handshake, Reason, SourceKind, decode, event_grid_options};
use crate::verify::{GitHubVerifier, Refusal, SnsVerifier, StandardWebhooksVerifier};

/// Who sends, and how it is known that it was them.
pub enum Sender {
    /// Amazon EventBridge, by an API destination that logs in.
    EventBridge,
    /// Amazon SNS, by its signature.
    Sns(SnsVerifier),
    /// Google Pub/Sub, by a push that logs in.
    PubSub,
    /// Azure Event Grid, by a delivery that logs in. `origins` are the hosts that may ask for consent; empty stands for
    /// Azure's public cloud.
    EventGrid {
        /// Such as `eventgrid.azure.net`.
        origins: Vec<String>,
    },
    /// A webhook that is signed as GitHub signs.
    GitHub(GitHubVerifier),
    /// A webhook that is signed as Standard Webhooks has it.
    StandardWebhooks(StandardWebhooksVerifier),
}

/// One place where notifications come in.
pub struct Intake {
    /// Who sends.
    pub sender: Sender,
    /// Which of their notifications count.
    pub accepted: Accepted,
}

impl Intake {
    /// Whether a delivery shows by itself who has sent it. Else its sender has to log in, and it is the endpoint's to look
    /// at that before it calls [`take`](Self::take).
    pub fn is_signed(&self) -> bool {
        !matches!(self.sender, Sender::EventBridge | Sender::PubSub | Sender::EventGrid { .. })
    }

    /// What a delivery means, once it is known to be genuine. A subscription of SNS is confirmed on the way.
    ///
    /// # Errors
    /// Why it is not taken for genuine; [`Refusal::is_transient`] when that can't be told, or done, now.
    pub async fn take(&self, headers: &HeaderMap, body: &[u8], now: UnixMillis) -> Result<Decoded, Refusal> {
        match &self.sender {
            Sender::EventBridge | Sender::PubSub | Sender::EventGrid { .. } => {}
            Sender::Sns(verifier) => verifier.verify(body).await?,
            Sender::GitHub(verifier) => verifier.verify(headers, body)?,
            Sender::StandardWebhooks(verifier) => verifier.verify(headers, body, now)?,
        }
        let decoded = decode(&Delivery { source: self.kind(), headers, body }, &self.accepted, now);
        if let (Sender::Sns(verifier), Some(Handshake::Sns(confirmation))) = (&self.sender, &decoded.confirm) {
            verifier.confirm(confirmation).await?;
        }
        Ok(decoded)
    }

    /// The headers to answer an `OPTIONS` request with, by which Event Grid asks whether it may deliver.
    ///
    /// # Errors
    /// Why that is not for this sender, or not from an expected origin.
    pub fn consent(&self, headers: &HeaderMap) -> Result<HeaderMap, Reason> {
        match &self.sender {
            Sender::EventGrid { origins } => event_grid_options(headers, origins),
            _ => Err(Reason::UnknownShape),
        }
    }

    fn kind(&self) -> SourceKind {
        match self.sender {
            Sender::EventBridge => SourceKind::EventBridge,
            Sender::Sns(_) => SourceKind::Sns,
            Sender::PubSub => SourceKind::PubSub,
            Sender::EventGrid { .. } => SourceKind::EventGrid,
            Sender::GitHub(_) => SourceKind::GitHub,
            Sender::StandardWebhooks(_) => SourceKind::StandardWebhooks,
        }
    }
}
