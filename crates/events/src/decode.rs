//! Decoding: a [`Delivery`] becomes [`Decoded`], whoever sent it.
//!
//! Pure. Nothing here knows whether the delivery is genuine: see [`verify`](crate::verify). How much a body may hold is
//! counted before it is parsed, for each text anew: an envelope holds another JSON text in a string, which has to keep the
//! same bounds.

mod accepted;
mod arn;
mod aws;
mod cloud_trail;
mod draft;
mod event_grid;
mod fields;
mod gathered;
mod kind;
mod outcome;
mod parameter_store;
mod pub_sub;
mod sns;
mod sqs;
mod vault;
mod webhook;

use http::HeaderMap;
use lockstep_core::{Structure, UnixMillis};
use serde_json::Value;

pub use self::accepted::Accepted;
pub use self::event_grid::event_grid_options;
use self::gathered::Gathered;
pub use self::kind::SourceKind;
pub use self::outcome::{Decoded, Handshake, Ignored, Reason};
#[cfg(feature = "sns")]
pub(crate) use self::sns::Envelope as SnsEnvelope;
pub use self::sns::SnsConfirmation;

/// The largest body in bytes: what Lambda hands to a function at once. Whoever listens on HTTP allows less.
pub const MAX_BYTES: usize = 6 << 20;

/// Keys, items and levels of a whole body.
const BODY: Structure = Structure { members: 200_000, depth: 32 };

/// Keys, items and levels of one message inside an envelope.
const MESSAGE: Structure = Structure { members: 5_000, depth: 32 };

/// The most records of one body: the largest batch that SQS hands to a function.
const MAX_RECORDS: usize = 10_000;

/// What somebody has sent, or a queue has handed over.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// Who sends it, by the route that it came in on.
    pub source: SourceKind,
    /// The headers of the request; empty where there was none.
    pub headers: &'a HeaderMap,
    /// The body, as it came.
    pub body: &'a [u8],
}

/// Says which Changes a notification means. `now` is the wall clock: a time to come is taken for now, since the newest
/// Change of a name is the one that counts.
///
/// ```
/// use http::HeaderMap;
/// use lockstep_core::UnixMillis;
/// use lockstep_events::decode::{Accepted, Delivery, SourceKind, decode};
/// let body = br#"{"id": "6a7e8feb", "detail-type": "Parameter Store Change", "source": "aws.ssm",
///     "account": "123456789012", "region": "us-east-1", "time": "2026-05-22T16:44:48Z",
///     "detail": {"operation": "Update", "name": "/db/password"}}"#;
/// let delivery = Delivery { source: SourceKind::EventBridge, headers: &HeaderMap::new(), body };
/// let decoded = decode(&delivery, &Accepted::anything(), UnixMillis(1_800_000_000_000));
/// assert_eq!(decoded.changes.len(), 1);
/// assert_eq!(decoded.changes[0].source.provider, "aws-parameter-store");
/// ```
pub fn decode(delivery: &Delivery<'_>, accepted: &Accepted, now: UnixMillis) -> Decoded {
    let mut gathered = Gathered::new(accepted, now);
    match json(delivery.body, MAX_BYTES, BODY) {
        Err(reason) => gathered.ignore(reason),
        Ok(body) => match delivery.source {
            SourceKind::EventBridge => aws::event(&body, &mut gathered),
            SourceKind::Sqs => sqs::batch(&body, &mut gathered),
            SourceKind::Sns => sns::delivered(&body, &mut gathered),
            SourceKind::PubSub => pub_sub::delivered(&body, &mut gathered),
            SourceKind::EventGrid => event_grid::delivered(&body, delivery.headers, &mut gathered),
            SourceKind::Vault => vault::event(&body, &mut gathered),
            SourceKind::GitHub => webhook::delivered(&body, None, &mut gathered),
            SourceKind::StandardWebhooks => webhook::delivered(&body, Some(delivery.headers), &mut gathered),
        },
    }
    gathered.end()
}

/// Parses a JSON text within bounds.
fn json(text: &[u8], bytes: usize, bound: Structure) -> Result<Value, Reason> {
    if text.len() > bytes {
        return Err(Reason::TooLarge);
    }
    bound.check(text).map_err(|_| Reason::TooLarge)?;
    serde_json::from_slice(text).map_err(|_| Reason::NotJson)
}

/// Parses the JSON text that stands in a string of an envelope.
fn message(text: &str) -> Result<Value, Reason> {
    json(text.as_bytes(), MAX_BYTES, MESSAGE)
}

#[cfg(test)]
mod tests;
