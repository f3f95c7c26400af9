//! Answers of the vault, as "Key Vault REST API: secrets" documents them; times are seconds since 1970.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::Uri;
use lockstep_core::{Result, SecretName, UnixMillis};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::address::Address;
use crate::body::{or_default, unexpected};

/// The version of the API that is spoken: the oldest that all clouds have, and all that is read here is in it.
pub(super) const API_VERSION: &str = "7.4";
/// What a secret's name is made of here, 1 to [`NAME`] characters of letters, digits and `-`.
pub(super) const NAME: usize = 127;

/// A secret, one version of it, or one item of a list.
#[derive(Deserialize)]
pub(super) struct Bundle<'a> {
    #[serde(borrow)]
    pub(super) value: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(rename = "contentType", borrow, default)]
    pub(super) content_type: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) attributes: Attributes,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) tags: BTreeMap<String, String>,
    /// Of a deleted secret alone.
    #[serde(rename = "deletedDate", default)]
    pub(super) deleted: Option<u64>,
}

/// Of one version.
#[derive(Deserialize, Clone, Copy)]
#[serde(default)]
pub(super) struct Attributes {
    pub(super) enabled: bool,
    pub(super) nbf: Option<u64>,
    pub(super) exp: Option<u64>,
    pub(super) created: Option<u64>,
    pub(super) updated: Option<u64>,
}

impl Default for Attributes {
    /// What says nothing of itself is enabled.
    fn default() -> Self {
        Self { enabled: true, nbf: None, exp: None, created: None, updated: None }
    }
}

/// One page of a list.
#[derive(Deserialize)]
pub(super) struct Listed<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) value: Vec<Bundle<'a>>,
    #[serde(rename = "nextLink", borrow, default)]
    pub(super) next: Option<Cow<'a, str>>,
}

/// Seconds as the house counts time.
pub(super) fn time(seconds: u64) -> UnixMillis {
    UnixMillis(seconds.saturating_mul(1000))
}

impl Bundle<'_> {
    /// Name and version of the id, a URL. Items of lists have no version.
    pub(super) fn identity(&self) -> Result<(SecretName, Option<Box<str>>)> {
        let uri: Option<Uri> = self.id.parse().ok();
        let path = uri.as_ref().map(Uri::path).unwrap_or_default();
        let mut parts = path.strip_prefix("/secrets/").unwrap_or_default().trim_end_matches('/').split('/');
        let name = parts.next().filter(|name| is_name(name)).and_then(|name| SecretName::parse(name).ok());
        let version = parts.next().map(str::to_ascii_lowercase);
        match (name, version, parts.next()) {
            (Some(name), None, None) => Ok((name, None)),
            (Some(name), Some(version), None) if is_version(&version) => Ok((name, Some(version.into()))),
            _ => Err(unexpected("has an id that is none of a secret")),
        }
    }
}

impl Listed<'_> {
    /// The token of the next page out of its link, which must lead to the same list of the same vault.
    pub(super) fn next(&self, vault: &Address, path: &str) -> Result<Option<String>> {
        let Some(link) = self.next.as_deref().filter(|link| !link.is_empty()) else { return Ok(None) };
        let elsewhere = || unexpected("links to a next page that is not of this list");
        let uri: Uri = link.parse().map_err(|_| elsewhere())?;
        if Address::of(&uri).as_ref() != Some(vault) || !uri.path().eq_ignore_ascii_case(path) {
            return Err(elsewhere());
        }
        let query = uri.query().unwrap_or_default();
        let token =
            query.split('&').find_map(|pair| pair.strip_prefix("$skiptoken=").or(pair.strip_prefix("%24skiptoken=")));
        token.filter(|token| is_token(token)).map(|token| Some(token.to_owned())).ok_or_else(elsewhere)
    }
}

/// A name as the vault has it.
pub(super) fn is_name(name: &str) -> bool {
    (1..=NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// An id of a version.
pub(super) fn is_version(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What can stand in a query as it is: nothing that ends it or begins another parameter.
pub(super) fn is_token(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%!*'():@$,;/=".contains(&byte);
    (1..=4096).contains(&text.len()) && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// O1. Break: the comparison with `vault` or with `path` in `Listed::next`.
    #[test]
    fn o1_a_next_page_is_on_the_same_vault_or_refused() {
        let vault = Address::parse("https://kv.vault.azure.net", "address", false).unwrap();
        let next = |link: &str| {
            let json = serde_json::json!({ "value": [], "nextLink": link }).to_string();
            let listed: Listed<'_> = serde_json::from_str(&json).unwrap();
            listed.next(&vault, "/secrets").map_err(|error| error.kind())
        };
        let malformed = Err(lockstep_core::ErrorKind::Malformed);
        for (link, expected) in [
            (
                "https://kv.vault.azure.net:443/secrets?api-version=7.4&$skiptoken=eyJO%3D&maxresults=25",
                Ok(Some("eyJO%3D")),
            ),
            ("https://KV.vault.azure.net/secrets?$skiptoken=a", Ok(Some("a"))),
            ("", Ok(None)),
            ("https://evil.test/secrets?$skiptoken=a", malformed),
            ("http://kv.vault.azure.net/secrets?$skiptoken=a", malformed),
            ("https://kv.vault.azure.net:8443/secrets?$skiptoken=a", malformed),
            ("https://kv.vault.azure.net@evil.test/secrets?$skiptoken=a", malformed),
            ("https://kv.vault.azure.net/deletedsecrets?$skiptoken=a", malformed),
            ("https://kv.vault.azure.net/secrets?maxresults=25", malformed),
            ("/secrets?$skiptoken=a", malformed),
            ("no link", malformed),
        ] {
            assert_eq!(next(link), expected.map(|token: Option<&str>| token.map(str::to_owned)), "{link}");
        }
    }
}
