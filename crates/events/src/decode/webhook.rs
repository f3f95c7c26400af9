//! Webhooks with our own body, for whatever can send one:
//!
//! ```json
//! {"changes": [{"provider": "vault", "name": "secret/db", "kind": "rotated", "version": "7",
//!               "id": "…", "account": "…", "region": "…", "label": "…", "at": "2026-05-01T10:00:00Z"}]}
//! ```
//!
//! `provider`, `name` and `kind` have to be there, and `id` or `at` where the delivery has no signed id. A member that is
//! not known refuses its record: whoever sends a value has misunderstood what a notification is, and should learn it.

use http::HeaderMap;
use lockstep_core::{Alias, ChangeKind, Source, UnixMillis};
use serde::Deserialize;
use serde_json::Value;

use super::draft::Draft;
use super::gathered::Gathered;
use super::outcome::Reason;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    id: Option<String>,
    provider: String,
    #[serde(default)]
    account: String,
    #[serde(default)]
    region: String,
    /// One name. `*` is none: all of a source at once is for an operator who has logged in.
    name: String,
    label: Option<String>,
    version: Option<String>,
    kind: ChangeKind,
    at: Option<String>,
}

/// Reads a body. `headers` are those whose `webhook-id` is signed with it.
pub(super) fn delivered(body: &Value, headers: Option<&HeaderMap>, gathered: &mut Gathered<'_>) {
    let Some(records) = body.get("changes").and_then(Value::as_array) else {
        return gathered.ignore(Reason::UnknownShape);
    };
    let delivery = headers.and_then(|headers| headers.get("webhook-id")?.to_str().ok()).filter(|id| !id.is_empty());
    gathered.each(
        records,
        |_| None,
        |record, gathered| match Record::deserialize(record) {
            Ok(record) => take(&record, delivery, gathered),
            Err(_) => gathered.ignore(Reason::Malformed),
        },
    );
}

fn take(record: &Record, delivery: Option<&str>, gathered: &mut Gathered<'_>) {
    let at = match record.at.as_deref().map(UnixMillis::from_rfc3339) {
        Some(None) => return gathered.ignore(Reason::Malformed),
        Some(at) => at,
        None => None,
    };
    let own_id = record.id.as_deref().filter(|id| !id.is_empty()).or(delivery);
    if own_id.is_none() && at.is_none() {
        // Sent once more, by whoever has recorded it, it would be another Change each time.
        return gathered.ignore(Reason::Unidentified);
    }
    // Types of providers are written like aliases.
    if Alias::parse(&record.provider).is_err() {
        return gathered.ignore(Reason::Malformed);
    }
    gathered.change(Draft {
        sender: "webhook",
        own_id,
        source: Source {
            provider: record.provider.clone(),
            account: record.account.clone(),
            region: record.region.clone(),
        },
        name: &record.name,
        label: record.label.as_deref(),
        version: record.version.as_deref(),
        kind: record.kind,
        at,
    });
}
