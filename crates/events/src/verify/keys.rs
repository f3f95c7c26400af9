//! [`Keys`]: the secrets that a sender and we share; two or more while one takes over from another.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use lockstep_core::{Error, ErrorKind, Result, SecretValue};
use sha2::Sha256;

use super::Refusal;

/// The shortest secret in bytes: what can be guessed verifies nothing.
pub const MIN_KEY_BYTES: usize = 16;

/// The most secrets at once.
pub const MAX_KEYS: usize = 4;

/// The secrets that a sender and we share.
#[derive(Debug)]
pub(super) struct Keys(Vec<SecretValue>);

impl Keys {
    /// # Errors
    /// `Config` when there is none, one is too short, or there are too many.
    pub(super) fn new(keys: Vec<SecretValue>) -> Result<Self> {
        let wrong = |message: String| Err(Error::new(ErrorKind::Config, message));
        if keys.is_empty() || keys.len() > MAX_KEYS {
            return wrong(format!("a webhook has 1 to {MAX_KEYS} secrets; write the one it is signed with"));
        }
        if keys.iter().any(|key| key.expose().len() < MIN_KEY_BYTES) {
            return wrong(format!(
                "the secret of a webhook is shorter than {MIN_KEY_BYTES} bytes, so it can be guessed; make a random one"
            ));
        }
        Ok(Self(keys))
    }

    /// What the first of them makes of this.
    pub(super) fn sign(&self, parts: &[&[u8]]) -> Option<[u8; 32]> {
        Some(mac(self.0.first()?, parts)?.finalize().into_bytes().into())
    }

    /// Whether one of them made one of these signatures. Every pair is looked at, whatever came of the others, and each in
    /// constant time.
    pub(super) fn made(&self, signatures: &[[u8; 32]], parts: &[&[u8]]) -> bool {
        let mut made = false;
        for mac in self.0.iter().filter_map(|key| mac(key, parts)) {
            for signature in signatures {
                made |= mac.clone().verify_slice(signature).is_ok();
            }
        }
        made
    }
}

/// HMAC takes keys of any length, so there always is one.
fn mac(key: &SecretValue, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}

/// The one value of a header. Of two nobody knows which one is meant.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    if values.next().is_some() {
        return Err(Refusal::Doubled);
    }
    value.to_str().map_err(|_| Refusal::Malformed)
}
