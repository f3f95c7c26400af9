//! Request ids, and the trace a caller says it belongs to.
//!
//! Both come from a header, so both are checked before they reach a log: an id of other characters is replaced, a trace
//! that is not W3C's is dropped.

use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;
use lockstep_core::{Random, RequestId, TraceParent};

/// The longest id taken from a caller, in bytes.
const MAX_GIVEN: usize = 128;

/// Makes ids: a random half per process, a counter for the other.
pub(crate) struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(random: &dyn Random) -> Self {
        let mut seed = [0; 8];
        random.fill(&mut seed);
        Self { process: u64::from_be_bytes(seed), next: AtomicU64::new(1) }
    }

    /// The caller's id when it is 1 to 128 letters, digits, `-`, `_`, `.` and `:`; else a new one.
    pub(crate) fn of(&self, given: Option<&[u8]>) -> RequestId {
        let fits = |id: &&str| {
            (1..=MAX_GIVEN).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
        };
        if let Some(id) = given.and_then(|bytes| std::str::from_utf8(bytes).ok()).filter(fits) {
            return RequestId::from(id);
        }
        RequestId::Made { process: self.process, number: self.next.fetch_add(1, Ordering::Relaxed) }
    }
}

/// The id as a header's value.
pub(crate) fn header(id: &RequestId) -> Option<HeaderValue> {
    match id {
        RequestId::Given(text) => HeaderValue::from_str(text).ok(),
        RequestId::Made { process, number } => {
            let mut digits = [0; 32];
            digits[..16].copy_from_slice(&hex(*process));
            digits[16..].copy_from_slice(&hex(*number));
            HeaderValue::from_bytes(&digits).ok()
        }
    }
}

fn hex(number: u64) -> [u8; 16] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 16];
    for (at, digit) in digits.iter_mut().enumerate() {
        *digit = HEX[(number >> (60 - 4 * at) & 0xf) as usize];
    }
    digits
}

/// Reads a `traceparent` header (W3C Trace Context, version 00: `00-<32 hex>-<16 hex>-<2 hex>`, lower case, neither id
/// all zeros). Anything else is no trace.
pub(crate) fn trace(header: Option<&[u8]>) -> TraceParent {
    let text = header.and_then(|bytes| std::str::from_utf8(bytes).ok());
    TraceParent(text.filter(|text| is_trace(text)).map(Box::from))
}

fn is_trace(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut part = |length: usize| {
        parts.next().filter(|part| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
    };
    let not_zero = |part: &str| part.bytes().any(|b| b != b'0');
    part(2) == Some("00")
        && part(32).is_some_and(not_zero)
        && part(16).is_some_and(not_zero)
        && part(2).is_some()
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xab);
        }
    }

    /// Break: either half of `fits`.
    #[test]
    fn m6_a_request_id_with_other_characters_is_replaced() {
        let ids = RequestIds::new(&Fixed);
        for good in ["a", "req-1_2.3:4", &"x".repeat(128)] {
            assert_eq!(ids.of(Some(good.as_bytes())).to_string(), good);
        }
        for bad in ["", "a b", "a\nb", "\u{1b}[31m", "<script>", "ä", &"x".repeat(129)] {
            assert!(ids.of(Some(bad.as_bytes())).to_string().starts_with("abababababababab"), "{bad:?}");
        }
        assert_ne!(ids.of(None), ids.of(None));
        let made = ids.of(None);
        assert_eq!(header(&made).unwrap(), made.to_string());
    }

    #[test]
    fn a_trace_is_w3c_or_nothing() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace(Some(good.as_bytes())).0.as_deref(), Some(good));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\n",
        ] {
            assert_eq!(trace(Some(bad.as_bytes())).0, None, "{bad:?}");
        }
    }
}
