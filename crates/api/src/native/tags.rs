//! Entity tags: a keyed digest of (canonical id, version), never of the value, and `If-None-Match`.
//!
//! The key is made at start and never leaves the process, so a tag tells nobody which version of which secret it is of,
//! and none survives a restart.

use hmac::{Hmac, KeyInit, Mac};
use http::header::{HeaderMap, HeaderValue, IF_NONE_MATCH};
use lockstep_core::{KeyPath, Secret};
use sha2::Sha256;

/// Makes entity tags.
pub(crate) struct Tags(Hmac<Sha256>);

impl Tags {
    /// The key is one block of the hash, so it is used as it is.
    pub(crate) fn new(key: [u8; 64]) -> Self {
        Self(Hmac::new(&key.into()))
    }

    /// The tag of what is read of this secret. What has no version has no tag: nobody could say when it changed.
    pub(crate) fn of(&self, secret: &Secret, key: Option<&KeyPath>) -> Option<HeaderValue> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let version = secret.version.as_ref()?;
        let scope = secret.id.scope.parts();
        let mut digest = self.0.clone();
        // Each part with its length, so that no two lists of parts are one text.
        for part in [
            &*scope.provider,
            &scope.endpoint,
            &scope.account,
            &scope.region,
            &scope.identity,
            &scope.namespace,
            &scope.mount,
            &scope.environment,
            &scope.transform,
            secret.id.name.as_str(),
            &version.id,
            key.map_or("", KeyPath::as_str),
        ] {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        // A version number can come again in another life of the secret; when it was made can't.
        digest.update(&secret.created.map_or(0, |created| created.0).to_be_bytes());
        let digest = digest.finalize().into_bytes();
        let mut tag = [b'"'; 34];
        for (slot, byte) in tag[1..33].chunks_exact_mut(2).zip(&digest[..16]) {
            slot[0] = HEX[usize::from(byte >> 4)];
            slot[1] = HEX[usize::from(byte & 0xf)];
        }
        HeaderValue::from_bytes(&tag).ok()
    }
}

/// Whether one of the tags that the caller holds is this one (RFC 9110 §13.1.2; weak comparison).
pub(super) fn matches(headers: Option<&HeaderMap>, tag: &HeaderValue) -> bool {
    headers.into_iter().flat_map(|headers| headers.get_all(IF_NONE_MATCH)).any(|value| {
        value.as_bytes().split(|&b| b == b',').map(<[u8]>::trim_ascii).any(|held| {
            let strong = held.strip_prefix(b"W/").unwrap_or(held);
            held == b"*" || strong == tag.as_bytes()
        })
    })
}

#[cfg(test)]
mod tests {
    use lockstep_core::{CanonicalId, Payload, Scope, SecretName, UnixMillis, Version};

    use super::*;

    fn secret(name: &str, version: &str, value: &str) -> Secret {
        let name = SecretName::parse(name).unwrap();
        let mut secret =
            Secret::new(CanonicalId { scope: Scope::default(), name: name.clone() }, name, Payload::text(value));
        secret.version = (!version.is_empty()).then(|| Version::unordered(version));
        secret
    }

    #[test]
    fn a_tag_follows_name_version_life_and_key_and_never_the_value() {
        let tags = Tags::new([7; 64]);
        let of = |secret: &Secret| tags.of(secret, None).unwrap();
        let tag = of(&secret("a", "1", "x"));
        assert_eq!(tag, of(&secret("a", "1", "another value")));
        assert_ne!(tag, of(&secret("a", "2", "x")));
        assert_ne!(tag, of(&secret("b", "1", "x")));
        assert_ne!(of(&secret("a", "bc", "x")), of(&secret("ab", "c", "x")));
        assert_ne!(tag, tags.of(&secret("a", "1", "x"), Some(&KeyPath::parse("k").unwrap())).unwrap());
        assert_ne!(tag, Tags::new([8; 64]).of(&secret("a", "1", "x"), None).unwrap());
        let mut reborn = secret("a", "1", "x");
        reborn.created = Some(UnixMillis(5));
        assert_ne!(tag, of(&reborn));
        assert!(tags.of(&secret("a", "", "x"), None).is_none());
        assert_eq!(tag.len(), 34);
    }

    #[test]
    fn if_none_match_is_a_list_of_tags_weak_or_strong() {
        let tag = HeaderValue::from_static("\"abc\"");
        for (held, expected) in [
            ("\"abc\"", true),
            ("W/\"abc\"", true),
            ("\"x\", \"abc\"", true),
            ("*", true),
            ("\"x\"", false),
            ("abc", false),
        ] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(held))]);
            assert_eq!(matches(Some(&headers), &tag), expected, "{held}");
        }
        assert!(!matches(None, &tag));
    }
}
