//! The challenge in a 401 (`WWW-Authenticate`): read, and held against what is configured.
//!
//! Nothing that a challenge says decides where a token comes from, what it is for, or where it goes: whoever could make
//! it do that would get a token of ours. It can say that a token is over, or that another one is wanted with certain
//! claims (continuous access evaluation); everything else must be what is configured already.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Uri};
use lockstep_core::{Error, ErrorKind, Result};

use super::address::Address;

/// The longest challenge, and the longest claims, in bytes.
const LONGEST: usize = 8 << 10;

/// What is configured.
pub(super) struct Expected<'a> {
    /// The vault.
    pub(super) vault: &'a Address,
    /// Where tokens are given.
    pub(super) authority: &'a Address,
    /// The tenant; a managed identity has none here.
    pub(super) tenant: Option<&'a str>,
    /// The host of the resource that tokens are for.
    pub(super) resource: &'a str,
    /// Whether the vault need not be one of the cloud's.
    pub(super) any_host: bool,
}

/// What a challenge wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Another token: this one is not good, or not any more.
    Fresh,
    /// A token with these claims, as JSON.
    Claims(String),
}

impl Expected<'_> {
    /// What the challenge of this answer wants, once it is found to be no other than it should be.
    ///
    /// # Errors
    /// `Unauthenticated` when it is none, or names another authority, tenant or resource.
    pub(super) fn read(&self, headers: &HeaderMap) -> Result<Wanted> {
        let parameters = parameters(headers).ok_or_else(|| {
            refused("something before the vault asks for another kind of login; look at the address of the vault")
        })?;
        let get = |name: &str| parameters.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let authority = get("authorization").or_else(|| get("authorization_uri"));
        let resource = get("resource").or_else(|| get("scope"));
        let claims = get("claims");
        if let Some(text) = authority {
            self.check_authority(text)?;
        }
        if let Some(text) = resource {
            self.check_resource(text)?;
        }
        match claims {
            Some(text) => decoded(text)
                .map(Wanted::Claims)
                .ok_or_else(|| refused("the vault wants a token with claims that can't be read; look at its address")),
            None if authority.is_none() || resource.is_none() => {
                Err(refused("the 401 names no authority and resource; look at the address of the vault"))
            }
            None => Ok(Wanted::Fresh),
        }
    }

    fn check_authority(&self, text: &str) -> Result<()> {
        let uri: Option<Uri> = text.parse().ok();
        let named = uri.as_ref().and_then(Address::of);
        if named.as_ref() != Some(self.authority) {
            return Err(refused(
                "the vault sends us to an authority that is not the configured one, and nothing was sent there; look \
                 at `cloud`, at the variable AZURE_AUTHORITY_HOST, and at the address of the vault",
            ));
        }
        let tenant = uri.as_ref().and_then(|uri| uri.path().split('/').nth(1)).unwrap_or_default();
        // A domain is a second name of a tenant, and can't be compared.
        let differs = |ours: &&str| is_id(ours) && !ours.eq_ignore_ascii_case(tenant);
        if self.tenant.as_ref().is_some_and(differs) {
            return Err(refused(
                "the vault belongs to another tenant; look at `tenant` and at the address of the vault",
            ));
        }
        Ok(())
    }

    fn check_resource(&self, text: &str) -> Result<()> {
        let text = text.strip_suffix("/.default").unwrap_or(text);
        let uri: Option<Uri> = text.parse().ok();
        let host = uri.as_ref().filter(|uri| uri.scheme_str() == Some("https")).and_then(Uri::host);
        if !host.is_some_and(|host| host.eq_ignore_ascii_case(self.resource)) {
            return Err(refused(
                "the vault wants a token for something else than secrets of this cloud, and gets none; look at `cloud` \
                 and at the address of the vault",
            ));
        }
        let is_below = self.vault.host().strip_suffix(self.resource).is_some_and(|rest| rest.ends_with('.'));
        if !is_below && !self.any_host {
            return Err(refused("the host is not a vault of this cloud; look at the address of the vault"));
        }
        Ok(())
    }
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::Unauthenticated, message).upstream("", 401)
}

/// Whether it is an id (`8-4-4-4-12` hex digits) and not a domain.
fn is_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Claims are base64, of either alphabet, padded or not, and JSON inside.
fn decoded(text: &str) -> Option<String> {
    let text = text.trim_end_matches('=');
    let bytes = STANDARD_NO_PAD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()?;
    let json = String::from_utf8(bytes).ok()?;
    serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(json.as_bytes()).ok().map(|_| json)
}

/// The parameters of the first `Bearer` challenge (RFC 9110, 11.6.1); names in lower case.
fn parameters(headers: &HeaderMap) -> Option<BTreeMap<String, String>> {
    let bearer = |text: &str| {
        let (scheme, rest) = text.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| rest.to_owned())
    };
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let text = values.filter(|text| text.len() <= LONGEST).find_map(bearer)?;
    let mut rest = text.trim_start_matches([' ', ',']);
    let mut found = BTreeMap::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find([',', ' ']).unwrap_or(after.len())),
        };
        // Said twice, nobody knows which one counts.
        if found.insert(name.trim().to_ascii_lowercase(), value.to_owned()).is_some() {
            return None;
        }
        rest = after.trim_start_matches([' ', ',']);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

    fn read(vault: &str, tenant: Option<&str>, challenge: &str) -> Result<Wanted> {
        let address = |text: &str| Address::parse(text, "address", false).unwrap();
        let expected = Expected {
            vault: &address(vault),
            authority: &address("https://login.microsoftonline.com"),
            tenant,
            resource: "vault.azure.net",
            any_host: false,
        };
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
        expected.read(&headers)
    }

    #[test]
    fn each_documented_form_is_read() {
        let vault = "https://kv.vault.azure.net";
        let claims = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwgInZhbHVlIjoiMTYwMzc0MjgwMCJ9fX0=";
        let claimed = r#"{"access_token":{"nbf":{"essential":true, "value":"1603742800"}}}"#;
        for (challenge, expected) in [
            (
                format!(
                    r#"Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="https://vault.azure.net""#
                ),
                Wanted::Fresh,
            ),
            (
                format!(
                    r#"bearer authorization_uri="https://login.microsoftonline.com:443/{TENANT}",scope="https://vault.azure.net/.default""#
                ),
                Wanted::Fresh,
            ),
            (
                format!(
                    r#"Bearer realm="", authorization_uri="https://login.microsoftonline.com/{TENANT}", error="insufficient_claims", claims="{claims}""#
                ),
                Wanted::Claims(claimed.to_owned()),
            ),
            (format!("Bearer error=insufficient_claims, claims={claims}"), Wanted::Claims(claimed.to_owned())),
        ] {
            assert_eq!(read(vault, Some(TENANT), &challenge).unwrap(), expected, "{challenge}");
        }
    }

    /// O5. Break: any check of `check_authority` or `check_resource`.
    #[test]
    fn o5_a_challenge_that_leads_elsewhere_is_refused() {
        let vault = "https://kv.vault.azure.net";
        let fine = format!("https://login.microsoftonline.com/{TENANT}");
        let ours = "https://vault.azure.net";
        for (vault, authority, resource, part) in [
            (vault, "https://login.evil.test/t", ours, "authority"),
            (vault, "https://login.microsoftonline.com.evil.test/t", ours, "authority"),
            (vault, "https://login.microsoftonline.com@evil.test/t", ours, "authority"),
            (vault, "https://login.microsoftonline.com:8443/t", ours, "authority"),
            (vault, "http://login.microsoftonline.com/t", ours, "authority"),
            (vault, "https://login.chinacloudapi.cn/t", ours, "authority"),
            (vault, "not a uri", ours, "authority"),
            (vault, "https://login.microsoftonline.com/72f988bf-0000-0000-0000-000000000000", ours, "tenant"),
            (vault, "https://login.microsoftonline.com", ours, "tenant"),
            (vault, &fine, "https://management.azure.com", "something else"),
            (vault, &fine, "https://graph.microsoft.com/.default", "something else"),
            (vault, &fine, "https://evil.vault.azure.net", "something else"),
            (vault, &fine, "https://vault.azure.net.evil.test", "something else"),
            (vault, &fine, "http://vault.azure.net", "something else"),
            (vault, &fine, "https://azure.net", "something else"),
            ("https://evilvault.azure.net", &fine, ours, "not a vault"),
            ("https://evil.test", &fine, ours, "not a vault"),
            ("https://kv.vault.azure.cn", &fine, ours, "not a vault"),
            ("https://vault.azure.net", &fine, ours, "not a vault"),
        ] {
            let challenge = format!(r#"Bearer authorization="{authority}", resource="{resource}""#);
            let error = read(vault, Some(TENANT), &challenge).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{challenge}");
            assert!(error.message().contains(part), "{challenge}: {error}");
            assert!(!error.message().contains("evil"), "{error}");
        }
    }

    #[test]
    fn a_domain_or_a_managed_identity_has_no_tenant_to_compare() {
        let challenge = format!(
            r#"Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="https://vault.azure.net""#
        );
        for tenant in [None, Some("contoso.onmicrosoft.com")] {
            assert_eq!(read("https://kv.vault.azure.net", tenant, &challenge).unwrap(), Wanted::Fresh);
        }
    }

    #[test]
    fn what_is_no_challenge_of_a_vault_is_refused() {
        for text in [
            "Basic realm=\"x\"",
            "Bearer",
            "Bearer realm=\"x\"",
            "Bearer authorization=\"https://login.microsoftonline.com/t",
            "Bearer claims=\"!!\"",
            "Bearer claims=\"WyJhcnJheSJd\"",
            "Bearer resource=\"https://vault.azure.net\", resource=\"https://evil.test\"",
        ] {
            let error = read("https://kv.vault.azure.net", None, text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{text}");
        }
    }
}
