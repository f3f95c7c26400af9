//! [`ApiKeys`]: keys that the operator has handed out, for callers that have no identity of their own.
//!
//! A key is `lks_<id>_<secret>`: the id says which one it is, the secret is 32 random bytes in base64url. The
//! configuration holds the secret's SHA-256 alone: it has so many random bits that no slow hash is needed to keep it from
//! being found, and whoever reads the configuration can't log in with it. A presented secret is hashed and the digests are
//! compared in constant time; a key that is not there is compared too.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lockstep_core::{Alias, Claims, Error, ErrorKind, Login, Principal, Random, Result, SecretValue, UnixMillis, hex};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

use crate::refused::Refused;

/// What a key begins with, so that scanners of code and logs find one that got there.
pub const API_KEY_PREFIX: &str = "lks_";

/// How many secrets of one key are accepted at a time: the old one and the new one while it is replaced.
pub const MAX_API_KEY_HASHES: usize = 2;

/// How long the secret is: 32 bytes in base64url.
const SECRET_CHARS: usize = 43;
/// The longest id.
const MAX_ID_BYTES: usize = 32;

/// A key that may be presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeySettings {
    /// Which key: 1 to 32 small letters, digits and `-`. It stands in the key and is no secret.
    pub id: String,
    /// Who has it: the principal is `key:<name>`. 1 to 63 lower-case letters, digits, `-` and `_`, beginning with a
    /// letter.
    pub name: String,
    /// The secrets that are accepted, one or two.
    pub hashes: Vec<ApiKeyHash>,
    /// What policies may know of its holder, as the principal's claims.
    pub tags: BTreeMap<String, String>,
}

/// The SHA-256 of a key's secret, and until when it is accepted.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeyHash {
    digest: [u8; 32],
    /// When it stops to be accepted; never, when nothing is said.
    pub expires: Option<UnixMillis>,
}

impl ApiKeyHash {
    /// Reads `sha256:` and 64 hex digits.
    ///
    /// # Errors
    /// `Config` when it is none. The message does not hold it: it could be the key itself.
    pub fn parse(text: &str, expires: Option<UnixMillis>) -> Result<Self> {
        let digest = text.strip_prefix("sha256:").and_then(hex::digest).ok_or_else(|| {
            let message = "the hash of an API key is `sha256:` and 64 hex digits; write what was printed beside the key \
                           when it was made, and never the key itself";
            Error::new(ErrorKind::Config, message)
        })?;
        Ok(Self { digest, expires })
    }
}

impl fmt::Display for ApiKeyHash {
    /// As [`ApiKeyHash::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::text(&self.digest))
    }
}

impl fmt::Debug for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyHash").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// A key that was just made. Its text is there for its owner, once; the hash is for the configuration.
#[derive(Debug)]
pub struct NewApiKey {
    /// The key.
    pub text: SecretValue,
    /// What the configuration holds of it.
    pub hash: ApiKeyHash,
}

struct Kept {
    principal: Principal,
    hashes: Vec<ApiKeyHash>,
}

/// The keys that may be presented.
///
/// ```
/// use lockstep_auth::{ApiKeyHash, ApiKeySettings, ApiKeys};
/// use lockstep_core::UnixMillis;
/// // The secret of an example: nobody should have forty-three `A`s for one.
/// let hash = "sha256:0f007385b6f9d4b7eeb2748605afe1a984a0a3bfa3f014d09e2a784ce9e5cd1a";
/// let keys = ApiKeys::new(vec![ApiKeySettings {
///     id: "billing-1".to_owned(),
///     name: "billing".to_owned(),
///     hashes: vec![ApiKeyHash::parse(hash, None)?],
///     tags: [("team".to_owned(), "money".to_owned())].into(),
/// }])?;
/// let key = format!("lks_billing-1_{}", "A".repeat(43));
/// assert_eq!(&*keys.verify(key.as_bytes(), UnixMillis(0)).unwrap().id, "key:billing");
/// # Ok::<(), lockstep_core::Error>(())
/// ```
pub struct ApiKeys(BTreeMap<Box<str>, Kept>);

impl ApiKeys {
    /// These keys. Without any, every key is refused.
    ///
    /// # Errors
    /// `Config`, with what to write, when a key is wrong or two have one id or one name.
    pub fn new(keys: Vec<ApiKeySettings>) -> Result<Self> {
        let mut kept: BTreeMap<Box<str>, Kept> = BTreeMap::new();
        for ApiKeySettings { id, name, hashes, tags } in keys {
            check_id(&id)?;
            let wrong = |what: &str| Error::new(ErrorKind::Config, format!("the API key `{id}` {what}"));
            if Alias::parse(&name).is_err() {
                let advice = "has a wrong name; write 1 to 63 lower-case letters, digits, `-` and `_`, beginning with a \
                              letter, such as `billing`";
                return Err(wrong(advice));
            }
            if hashes.is_empty() || hashes.len() > MAX_API_KEY_HASHES {
                return Err(wrong("has no hash, or more than two; write one, and a second one while it is replaced"));
            }
            let mut claims = Claims::new();
            for (tag, value) in tags {
                claims.insert(tag, value.into());
            }
            let principal = Principal {
                id: Arc::from(format!("key:{name}")),
                login: Login::ApiKey,
                claims: Some(Arc::new(claims)),
                peer: None,
                mtls: false,
            };
            if kept.values().any(|other| other.principal.id == principal.id) {
                return Err(wrong("has the name of another one; give each its own"));
            }
            if kept.insert(id.as_str().into(), Kept { principal, hashes }).is_some() {
                return Err(wrong("is there twice; give each key its own id"));
            }
        }
        Ok(Self(kept))
    }

    /// Makes a key of this id.
    ///
    /// # Errors
    /// `Config` when it can't be an id.
    pub fn make(id: &str, random: &dyn Random) -> Result<NewApiKey> {
        check_id(id)?;
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(&mut *bytes);
        // Exactly as long as it gets: a buffer that grows leaves the beginning of the secret behind.
        let mut text = Zeroizing::new(String::with_capacity(API_KEY_PREFIX.len() + id.len() + 1 + SECRET_CHARS));
        text.push_str(API_KEY_PREFIX);
        text.push_str(id);
        text.push('_');
        let before = text.len();
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        let hash = ApiKeyHash { digest: digest(&text.as_bytes()[before..]), expires: None };
        Ok(NewApiKey { text: SecretValue::from(text.as_str()), hash })
    }

    /// Whether a credential is meant to be a key of this kind.
    pub fn is_one(presented: &[u8]) -> bool {
        presented.starts_with(API_KEY_PREFIX.as_bytes())
    }

    /// Whose key this is. A key that is not there takes as long as a wrong one.
    ///
    /// # Errors
    /// `key_malformed`, `key_unknown` (no such id, or a wrong secret), `key_expired`.
    pub fn verify(&self, presented: &[u8], now: UnixMillis) -> Result<Principal, Refused> {
        let malformed =
            || Refused::credential("key_malformed", "this is no API key: `lks_`, an id, `_`, 43 characters");
        let (id, secret) = parts(presented).ok_or_else(malformed)?;
        let digest = digest(secret);
        let found = self.0.get(id);
        // As many comparisons as there can be, whatever there is.
        let fits: [Choice; MAX_API_KEY_HASHES] = std::array::from_fn(|at| {
            let kept = found.and_then(|kept| kept.hashes.get(at));
            let other = kept.map_or([0; 32], |hash| hash.digest);
            digest.ct_eq(&other) & Choice::from(u8::from(kept.is_some()))
        });
        let fitting =
            found.into_iter().flat_map(|kept| kept.hashes.iter()).zip(fits).filter(|(_, fits)| (*fits).into());
        let mut is_known = false;
        for (hash, _) in fitting {
            is_known = true;
            if let Some(kept) = found
                && hash.expires.is_none_or(|end| now < end)
            {
                return Ok(kept.principal.clone());
            }
        }
        Err(if is_known {
            Refused::credential("key_expired", "the API key is over; make a new one")
        } else {
            Refused::credential("key_unknown", "there is no such API key")
        })
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Id and secret, if this has the shape of a key. An id has no `_`, so there is one way to read it.
fn parts(presented: &[u8]) -> Option<(&str, &[u8])> {
    let rest = presented.strip_prefix(API_KEY_PREFIX.as_bytes())?;
    let (id, secret) = rest.split_at_checked(rest.len().checked_sub(SECRET_CHARS + 1)?)?;
    let secret = secret.strip_prefix(b"_")?;
    let is_text = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_';
    let id = std::str::from_utf8(id).ok().filter(|id| is_id(id))?;
    secret.iter().all(is_text).then_some((id, secret))
}

fn is_id(id: &str) -> bool {
    let is_text = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(is_text)
}

fn check_id(id: &str) -> Result<()> {
    if is_id(id) {
        return Ok(());
    }
    // It could be a whole key, so it is not shown.
    let message = "the id of an API key is 1 to 32 small letters, digits and `-`; write one like `billing-1`";
    Err(Error::new(ErrorKind::Config, message))
}

fn digest(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
#[path = "api_keys/tests.rs"]
mod tests;
