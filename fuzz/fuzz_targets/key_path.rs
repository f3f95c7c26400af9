//! No key and no document makes `Payload::select` panic, and what it reads as text is what serde_json reads.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockstep_core::{Encoding, KeyPath, Payload};

fuzz_target!(|input: (&str, &str)| {
    let (path, document) = input;
    let Ok(key) = KeyPath::parse(path) else { return };
    let Ok(field) = Payload::text(document).select(&key) else { return };
    if let Ok(parsed) = serde_json::from_str::<serde_json::Value>(document) {
        let found = if path.starts_with('/') { parsed.pointer(path) } else { parsed.get(path) };
        let text = found.and_then(serde_json::Value::as_str).map(str::as_bytes);
        assert_eq!(text, (field.encoding == Encoding::Text).then(|| field.value.expose()));
    }
});
