//! [`Message`]: what is told, in the two forms.

use std::fmt::Write as _;

use bytes::Bytes;
use lockstep_core::{Change, ChangedName, UnixMillis, hex};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Occasion;

/// The most secrets that are named; of the others there is a number.
const MAX_NAMED: usize = 20;

pub(super) struct Message {
    id: String,
    json: Bytes,
    slack: Bytes,
}

impl Message {
    /// What is told of these.
    pub(super) fn new(occasion: Occasion, about: &[&Change], now: UnixMillis) -> Self {
        let mut digest = Sha256::new();
        digest.update(occasion.as_str());
        for change in about {
            digest.update((change.id.len() as u64).to_be_bytes());
            digest.update(change.id.as_bytes());
        }
        let (named, others) = about.split_at(about.len().min(MAX_NAMED));
        let changes: Vec<Value> = named.iter().map(|change| record(change)).collect();
        let json = json!({
            "type": format!("secret.{}", occasion.as_str()),
            "timestamp": now.to_rfc3339(),
            "data": { "changes": changes, "others": others.len() },
        });
        Self {
            id: format!("lockstep_{}", hex::text(&digest.finalize()[..16])),
            json: json.to_string().into(),
            slack: json!({ "text": text(occasion, named, others.len()) }).to_string().into(),
        }
    }

    /// The same for the same, however often it is told.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn json(&self) -> Bytes {
        self.json.clone()
    }

    pub(super) fn slack(&self) -> Bytes {
        self.slack.clone()
    }
}

/// A change with the members that a webhook of ours takes in.
fn record(change: &Change) -> Value {
    let mut record = json!({
        "id": change.id, "provider": change.source.provider, "name": name(change), "kind": change.kind,
        "at": change.at.to_rfc3339(),
    });
    let more = [
        ("account", Some(&*change.source.account)),
        ("region", Some(&*change.source.region)),
        ("label", change.label.as_deref()),
        ("version", change.version.as_deref()),
    ];
    for (member, value) in more {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            record[member] = value.into();
        }
    }
    record
}

fn name(change: &Change) -> &str {
    match &change.name {
        ChangedName::One(name) => name,
        ChangedName::All => "*",
    }
}

/// A line for each, in Slack's own marks. Nothing of a name is one.
fn text(occasion: Occasion, named: &[&Change], others: usize) -> String {
    let mut text = match occasion {
        Occasion::Rotated => "*Rotated*",
        Occasion::Failed => "*Rotation failed*: the value stayed as it was",
        Occasion::Overdue => "*Rotation overdue*",
    }
    .to_owned();
    for change in named {
        // Writing to a text never fails.
        let _ = write!(text, "\n• `{}` of {}", plain(name(change)), plain(&change.source.provider));
        for part in [&change.source.account, &change.source.region].into_iter().filter(|part| !part.is_empty()) {
            let _ = write!(text, ", {}", plain(part));
        }
        if let Some(version) = &change.version {
            let _ = write!(text, ", version `{}`", plain(version));
        }
        let word = if occasion == Occasion::Overdue { "due" } else { "at" };
        let _ = write!(text, ", {word} {}", change.at.to_rfc3339());
    }
    if others > 0 {
        let _ = write!(text, "\n• and {others} more");
    }
    text
}

fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, c| {
        match c {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '`' => plain.push('\''),
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
        plain
    })
}
