//! Every documented sample, and what is done to samples by those who mean harm.

#![expect(clippy::needless_pass_by_value, reason = "`json!` reads better without a `&` before it")]

mod aws;
mod azure;
mod envelopes;
mod gcp;
mod hostile;
mod vault;
mod webhook;

use http::HeaderMap;
use lockstep_core::{Change, ChangedName, UnixMillis};
use serde_json::Value;

use super::{Accepted, Decoded, Delivery, Reason, SourceKind, decode};

/// 2027-01-15: after every sample.
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn decoded_by(source: SourceKind, headers: &HeaderMap, body: &[u8], accepted: &Accepted) -> Decoded {
    decode(&Delivery { source, headers, body }, accepted, NOW)
}

fn decoded(source: SourceKind, body: &Value) -> Decoded {
    decoded_by(source, &HeaderMap::new(), body.to_string().as_bytes(), &Accepted::anything())
}

/// A Change on one line: kind, name, label, version, and where it is.
fn told(change: &Change) -> String {
    let ChangedName::One(name) = &change.name else { panic!("nobody may say all: {change:?}") };
    let label = change.label.as_deref().map(|label| format!(" {label}")).unwrap_or_default();
    let version = change.version.as_deref().map(|version| format!(" -> {version}")).unwrap_or_default();
    let source = &change.source;
    let kind = format!("{:?}", change.kind).to_lowercase();
    format!("{kind} {name}{label}{version} of {} {} {}", source.provider, source.account, source.region)
}

/// What a delivery means, line by line: its Changes, then why its other records mean none.
fn lines(decoded: &Decoded) -> Vec<String> {
    let changes = decoded.changes.iter().map(|change| told(change).trim_end().to_owned());
    let ignored = decoded.ignored.iter().map(|ignored| ignored.reason.as_str().to_owned());
    changes.chain(ignored).collect()
}

fn reasons(decoded: &Decoded) -> Vec<Reason> {
    assert!(decoded.changes.is_empty(), "{decoded:?}");
    decoded.ignored.iter().map(|ignored| ignored.reason).collect()
}

/// A sample with another value at a JSON Pointer; `null` takes the member out.
fn with(sample: &Value, pointer: &str, value: Value) -> Value {
    let mut sample = sample.clone();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = sample.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(member);
    } else {
        parent.insert(member.to_owned(), value);
    }
    sample
}
