//! [`KeySet`]: the public keys of an issuer, read from a JSON Web Key Set (RFC 7517).
//!
//! A key that can't be used here (of another kind, for encryption, too short) is passed over: issuers publish such
//! beside the others. A set without any key that can be used is an error, so that it never replaces one that can.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lockstep_core::Structure;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::algorithm::Algorithm;
use super::key::PublicKey;
use crate::strict_json::object;

/// The largest set in bytes.
pub(crate) const MAX_SET_BYTES: usize = 512 << 10;
/// The most keys of a set, those that are passed over included.
pub(crate) const MAX_KEYS: usize = 100;
/// Keys and items of a set, certificates among them.
const STRUCTURE: Structure = Structure { members: 10_000, depth: 8 };
/// The longest `kid` in bytes.
pub(crate) const MAX_KID_BYTES: usize = 256;
/// How many keys of one `kid` are tried: an issuer that has two kinds of keys may name them alike.
const TRIES: usize = 4;

/// What a key is known by, for whoever was verified with it: a digest of all that it is.
pub(crate) type KeyMark = [u8; 32];

/// A key of a set.
pub(crate) struct Key {
    kid: Option<Box<str>>,
    /// The only algorithm that it is for, if it says so.
    algorithm: Option<Algorithm>,
    public: PublicKey,
    pub(crate) mark: KeyMark,
}

impl Key {
    fn fits(&self, algorithm: Algorithm) -> bool {
        self.public.takes(algorithm) && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// Whether the message was signed with its other half.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.fits(algorithm) && self.public.verifies(algorithm, message, signature)
    }
}

/// The keys of an issuer, at least one.
pub(crate) struct KeySet(Vec<Key>);

/// Why a text is no [`KeySet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error("it is larger than 512 KiB")]
    TooLarge,
    #[error("it is no JSON object with a list `keys`, or says something twice")]
    Malformed,
    #[error("it has more than 100 keys")]
    TooMany,
    #[error("it has no key that can be used: RSA of 2048 bits or more, P-256, P-384 or Ed25519, for signatures")]
    Unusable,
}

impl KeySet {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        if text.len() > MAX_SET_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let members = object(text, STRUCTURE).ok_or(KeySetError::Malformed)?;
        let Some(Value::Array(keys)) = members.get("keys") else { return Err(KeySetError::Malformed) };
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        let keys: Vec<_> = keys.iter().filter_map(|key| key.as_object().and_then(usable)).collect();
        if keys.is_empty() { Err(KeySetError::Unusable) } else { Ok(Self(keys)) }
    }

    /// The keys that a token names. One that names none means the only key of its algorithm, where there is one.
    pub(crate) fn named(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<&Key> {
        let mut fitting = self.0.iter().filter(|key| key.fits(algorithm));
        match kid {
            Some(kid) => fitting.filter(|key| key.kid.as_deref() == Some(kid)).take(TRIES).collect(),
            None => match (fitting.next(), fitting.next()) {
                (Some(only), None) => vec![only],
                _ => Vec::new(),
            },
        }
    }

    /// Whether this key is one of them still.
    pub(crate) fn has(&self, mark: &KeyMark) -> bool {
        self.0.iter().any(|key| key.mark == *mark)
    }
}

/// The key of a JWK, if it is one that signatures are verified with here.
fn usable(jwk: &Map<String, Value>) -> Option<Key> {
    // A member of another type is no reason to take the key for one without it.
    let text = |name: &str| match jwk.get(name) {
        None => Some(None),
        Some(Value::String(text)) => Some(Some(text.as_str())),
        Some(_) => None,
    };
    if text("use")?.is_some_and(|what| what != "sig") {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops")
        && !operations.as_array()?.iter().any(|operation| operation == "verify")
    {
        return None;
    }
    let kid = text("kid")?.map(Box::<str>::from);
    if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
        return None;
    }
    let algorithm = match text("alg")? {
        None => None,
        Some(name) => Some(Algorithm::parse(name)?),
    };
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)??).ok();
    let (family, curve) = (text("kty")??, text("crv")?);
    let (parts, key) = match (family, curve) {
        ("RSA", _) => {
            let (modulus, exponent) = (bytes("n")?, bytes("e")?);
            let key = PublicKey::rsa(&modulus, &exponent)?;
            ([modulus, exponent], key)
        }
        ("EC", Some(curve @ ("P-256" | "P-384"))) => {
            let (x, y) = (bytes("x")?, bytes("y")?);
            let key = if curve == "P-256" { PublicKey::p256(&x, &y) } else { PublicKey::p384(&x, &y) }?;
            ([x, y], key)
        }
        ("OKP", Some("Ed25519")) => {
            let x = bytes("x")?;
            let key = PublicKey::ed25519(&x)?;
            ([x, Vec::new()], key)
        }
        _ => return None,
    };
    if algorithm.is_some_and(|algorithm| !key.takes(algorithm)) {
        return None;
    }
    let mark = mark(&[
        family.as_bytes(),
        curve.unwrap_or_default().as_bytes(),
        kid.as_deref().unwrap_or_default().as_bytes(),
        algorithm.map_or("", Algorithm::name).as_bytes(),
        &parts[0],
        &parts[1],
    ]);
    Some(Key { kid, algorithm, public: key, mark })
}

/// A digest of parts, each with its length before it, so that none runs into the next.
fn mark(parts: &[&[u8]]) -> KeyMark {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[cfg(test)]
#[path = "jwks/tests.rs"]
mod tests;
