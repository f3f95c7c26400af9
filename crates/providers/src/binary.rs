//! Base64 to and from memory that is wiped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::SecretValue;
use zeroize::Zeroizing;

/// The bytes behind base64 with its padding; nothing when it is none.
pub(crate) fn decoded(text: &[u8]) -> Option<SecretValue> {
    let mut bytes = Zeroizing::new(vec![0; text.len().div_ceil(4) * 3]);
    let length = STANDARD.decode_slice(text, &mut bytes).ok()?;
    Some(SecretValue::from(&bytes[..length]))
}

/// Base64 of these bytes, with its padding: text of its whole length from the beginning, which never moves.
#[cfg(feature = "simulation")]
pub(crate) fn encoded(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(vec![0; bytes.len().div_ceil(3) * 4]);
    let written = STANDARD.encode_slice(bytes, &mut text).unwrap_or_default();
    text.truncate(written);
    text
}
