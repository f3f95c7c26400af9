//! Batches of Amazon SQS: as a function is called with them, and as they are received from a queue.

use serde_json::Value;

use super::gathered::Gathered;
use super::outcome::Reason;
use super::{message, sns};

/// Reads a batch.
pub(super) fn batch(body: &Value, gathered: &mut Gathered<'_>) {
    let list = |name: &str| body.get(name).and_then(Value::as_array);
    match (list("Records"), list("Messages")) {
        (Some(records), _) => each(records, "messageId", "body", gathered),
        (None, Some(messages)) => each(messages, "MessageId", "Body", gathered),
        (None, None) => gathered.ignore(Reason::UnknownShape),
    }
}

fn each(records: &[Value], id: &str, body: &str, gathered: &mut Gathered<'_>) {
    let item = |record: &Value| record.get(id).and_then(Value::as_str).map(str::to_owned);
    let items: Vec<_> = records.iter().map(|record| (item(record), record)).collect();
    gathered.each(
        &items,
        |(item, _)| item.as_deref(),
        |(_, record), gathered| match record.get(body) {
            Some(Value::String(text)) => match message(text) {
                Ok(inner) => sns::enveloped(&inner, gathered),
                Err(reason) => gathered.ignore(reason),
            },
            _ => gathered.ignore(Reason::Malformed),
        },
    );
}
