//! Tokens: which were given, for whom, for how long; and assertions that are signed with a key.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lockstep_core::UnixMillis;
use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use super::wire::Refusal;
use super::{ACCOUNT, KEY_ID};

/// The scope that Secret Manager wants.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// The audience of an assertion, wherever the endpoint is.
pub(super) const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// The audience of a token that is signed by its own bearer.
const SELF_AUDIENCE: &str = "https://secretmanager.googleapis.com/";
/// How long a token lives.
pub(super) const SECONDS: u64 = 3599;
/// How far clocks may be apart, in seconds.
const SKEW: u64 = 300;

struct Given {
    subject: String,
    scopes: String,
    end: UnixMillis,
}

pub(super) struct Tokens {
    given: BTreeMap<String, Given>,
    number: u64,
    pub(super) metadata_scopes: String,
    /// The metadata server gives the same token until shortly before its end.
    pub(super) metadata: Option<(String, UnixMillis)>,
    pub(super) subject: String,
    keys_revoked: bool,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            given: BTreeMap::new(),
            number: 0,
            metadata_scopes: SCOPE.to_owned(),
            metadata: None,
            subject: "subject-c4n4ry".to_owned(),
            keys_revoked: false,
        }
    }
}

impl Tokens {
    /// Gives a token, and when it ends.
    pub(super) fn give(&mut self, subject: &str, scopes: &str, now: UnixMillis) -> (String, UnixMillis) {
        self.number += 1;
        let token = format!("ya29.c4n4ry-{}", self.number);
        let end = now.plus(Duration::from_secs(SECONDS));
        let given = Given { subject: subject.to_owned(), scopes: scopes.to_owned(), end };
        self.given.insert(token.clone(), given);
        (token, end)
    }

    pub(super) fn revoke_all(&mut self) {
        self.given.clear();
        self.metadata = None;
        self.keys_revoked = true;
    }

    /// Whose bearer token this is.
    pub(super) fn look_at(&self, token: &str, scopes: &[&str], now: UnixMillis) -> Result<String, Refusal> {
        if let Some(given) = self.given.get(token) {
            if given.end <= now {
                return Err(unauthenticated("ACCESS_TOKEN_EXPIRED"));
            }
            if !given.scopes.split(' ').any(|scope| scopes.contains(&scope)) {
                let message = "Request had insufficient authentication scopes.";
                let refusal = Refusal::new(403, "PERMISSION_DENIED", message);
                return Err(refusal.reason("ACCESS_TOKEN_SCOPE_INSUFFICIENT"));
            }
            return Ok(given.subject.clone());
        }
        // AIP-4111: a token that its bearer has signed, for one audience or with scopes, never both.
        let claims = self.verified(token, now).map_err(|_| unauthenticated("ACCESS_TOKEN_TYPE_UNSUPPORTED"))?;
        let (aud, scope) = (claims["aud"].as_str(), claims["scope"].as_str());
        let is_for_us = match (aud, scope) {
            (Some(aud), None) => aud == SELF_AUDIENCE,
            (None, Some(scope)) => scope.split(' ').any(|scope| scopes.contains(&scope)),
            _ => false,
        };
        if claims["sub"] != ACCOUNT || !is_for_us {
            return Err(unauthenticated("ACCESS_TOKEN_TYPE_UNSUPPORTED"));
        }
        Ok(ACCOUNT.to_owned())
    }

    /// The claims of an assertion of [`ACCOUNT`], if it is signed and in time. RSA signatures by PKCS #1 are the same
    /// every time, so ours is made again and compared.
    pub(super) fn verified(&self, assertion: &str, now: UnixMillis) -> Result<Value, &'static str> {
        let parts: Vec<&str> = assertion.split('.').collect();
        let [header, claims, signature] = parts[..] else { return Err("no JWT") };
        let read = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
        let (head, said) = read(header).zip(read(claims)).ok_or("no JWT")?;
        if head["alg"] != "RS256" || head["typ"] != "JWT" || head["kid"] != KEY_ID || self.keys_revoked {
            return Err("an unknown key");
        }
        let signed = sign(format!("{header}.{claims}").as_bytes());
        if URL_SAFE_NO_PAD.decode(signature).ok().as_ref() != Some(&signed) {
            return Err("a wrong signature");
        }
        let (iat, exp) = said["iat"].as_u64().zip(said["exp"].as_u64()).ok_or("no times")?;
        let now = now.seconds();
        if said["iss"] != ACCOUNT || exp <= now || iat > now + SKEW || exp.saturating_sub(iat) > 3600 || exp <= iat {
            return Err("not its time, or not its issuer");
        }
        Ok(said)
    }
}

fn sign(message: &[u8]) -> Vec<u8> {
    let key = PrivateKeyDer::from_pem_slice(crate::RSA_KEY.as_bytes()).unwrap_or_else(|_| panic!("the key is none"));
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap_or_else(|_| panic!("the key is none"));
    let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).unwrap_or_else(|| panic!("it is no RSA key"));
    signer.sign(message).unwrap_or_else(|error| panic!("sign: {error}"))
}

pub(super) fn unauthenticated(reason: &'static str) -> Refusal {
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token.";
    Refusal::new(401, "UNAUTHENTICATED", message).reason(reason)
}
