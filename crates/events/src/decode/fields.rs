//! Reading single fields of a notification, as tolerant as real senders need it and no more.

use lockstep_core::UnixMillis;
use serde_json::Value;

/// The longest text that is read from a field, but for messages in envelopes. Names end at 2048 bytes.
const MAX_TEXT_BYTES: usize = 4096;

/// The text at a JSON Pointer; none when it is empty, absurdly long or no text.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    plain(value.pointer(pointer)?)
}

/// The first of these pointers that leads to a text.
pub(super) fn first<'v>(value: &'v Value, pointers: &[&str]) -> Option<&'v str> {
    pointers.iter().find_map(|pointer| text(value, pointer))
}

/// A time in RFC 3339 at a JSON Pointer.
pub(super) fn time(value: &Value, pointer: &str) -> Option<UnixMillis> {
    UnixMillis::from_rfc3339(text(value, pointer)?)
}

/// Whether something is there that is not `null`.
pub(super) fn has(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).is_some_and(|value| !value.is_null())
}

/// A member of an object by its name in any case, with spaces around name and text: Azure's own sample has both.
pub(super) fn lenient<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    let members = object.as_object()?;
    let (_, value) = members.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    plain(value)
}

/// The texts of a list, or the one text that stands in its place.
pub(super) fn texts<'v>(value: &'v Value, pointer: &str) -> Vec<&'v str> {
    match value.pointer(pointer) {
        Some(Value::Array(items)) => items.iter().filter_map(plain).collect(),
        Some(one) => plain(one).into_iter().collect(),
        None => Vec::new(),
    }
}

fn plain(value: &Value) -> Option<&str> {
    let text = value.as_str()?.trim();
    (!text.is_empty() && text.len() <= MAX_TEXT_BYTES).then_some(text)
}
