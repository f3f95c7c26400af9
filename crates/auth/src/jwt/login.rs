//! [`JwtLogin`]: from the bytes of a token to the caller that its issuer vouches for.

use std::fmt;
use std::sync::Arc;

use lockstep_core::{Call, Error, ErrorKind, Login, Principal, Result, Timeline, Transports};
use serde_json::Value;

use super::claims::verified;
use super::fetch::Fetch;
use super::issuer::{Issuer, IssuerSettings};
use super::jwks::KeyMark;
use super::keys::{KeySettings, Keys};
use super::token::{MAX_JWT_BYTES, Token};
use crate::refused::Refused;
use crate::remembered::{Entry, Remembered, RememberedSettings, mark};

/// How keys and verified tokens are kept, for all issuers alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JwtSettings {
    /// How keys are kept and fetched.
    pub keys: KeySettings,
    /// How verified tokens are remembered.
    pub remembered: RememberedSettings,
}

struct Known {
    issuer: Arc<Issuer>,
    keys: Keys,
}

/// Verifies the tokens of the issuers that were written down.
///
/// The issuer is chosen by what the token says in `iss`, before anything is verified; from there on everything is
/// checked against the settings of that issuer and its keys. The caller is `jwt:<name>:<subject>`, where the subject has
/// letters, digits and `-._~:/@=` as they are and everything else percent-encoded: no character of it can stand for
/// anything else in a policy. Its claims are those of the token.
pub struct JwtLogin {
    issuers: Vec<Known>,
    timeline: Arc<Timeline>,
    /// What was verified: by which issuer's entry, with which key.
    remembered: Remembered<(usize, KeyMark)>,
}

impl JwtLogin {
    /// A login for the tokens of these issuers. Nothing is fetched yet.
    ///
    /// # Errors
    /// `Config`, with what to write, when settings are wrong or two issuers have one name or one `iss`; and what
    /// `transports` says to a TLS profile.
    pub fn new(
        issuers: Vec<IssuerSettings>,
        settings: JwtSettings,
        transports: &dyn Transports,
        timeline: Arc<Timeline>,
    ) -> Result<Self> {
        settings.keys.check()?;
        let mut known: Vec<Known> = Vec::with_capacity(issuers.len());
        for issuer in issuers {
            let issuer = Arc::new(Issuer::new(issuer)?);
            let (name, url) = (&issuer.settings.name, &issuer.settings.issuer);
            let is_taken = |other: &Known| other.issuer.settings.name == *name || other.issuer.settings.issuer == *url;
            if known.iter().any(is_taken) {
                let message =
                    format!("the issuer `{name}` is there twice, by its name or by `issuer`; write each of them once");
                return Err(Error::new(ErrorKind::Config, message));
            }
            let transport = transports.build(&issuer.settings.tls)?;
            let fetch = Fetch { issuer: issuer.clone(), transport, time: settings.keys.fetch_time };
            let keys = Keys::new(fetch, settings.keys, timeline.clone());
            known.push(Known { issuer, keys });
        }
        Ok(Self { issuers: known, timeline, remembered: Remembered::new(settings.remembered) })
    }

    /// Who a token is, if it was verified a moment ago and what it was verified with still holds. It takes a hash and no
    /// waiting. `None` says nothing about the token: [`verify`](Self::verify) does.
    pub fn verify_at_once(&self, token: &[u8]) -> Option<Principal> {
        if token.len() > MAX_JWT_BYTES {
            return None;
        }
        let holds = |(at, key): &(usize, KeyMark)| self.issuers.get(*at).is_some_and(|known| known.keys.hold(key));
        self.remembered.get(&mark(token), self.timeline.now(), holds)
    }

    /// Who a token is. The issuer's keys may have to be fetched first.
    ///
    /// # Errors
    /// Why it gets nobody in; of kind [`NotNow`](crate::RefusedKind::NotNow) when its issuer's keys can't be had.
    pub async fn verify(&self, call: &Call, token: &[u8]) -> Result<Principal, Refused> {
        if let Some(principal) = self.verify_at_once(token) {
            return Ok(principal);
        }
        let parsed = Token::parse(token)?;
        let (at, known) = self.issuer_of(&parsed)?;
        let settings = &known.issuer.settings;
        if !settings.algorithms.contains(&parsed.algorithm) {
            let detail = format!("the issuer's settings do not list {}", parsed.algorithm);
            return Err(Refused::credential("jwt_algorithm_refused", detail));
        }
        if !known.issuer.takes_type(parsed.typ.as_deref()) {
            return Err(Refused::credential("jwt_wrong_type", "the token's `typ` is none of the issuer's settings"));
        }
        let set = known.keys.find(call, parsed.kid.as_deref(), parsed.algorithm).await?;
        let named = set.named(parsed.kid.as_deref(), parsed.algorithm);
        let key = named.iter().find(|key| key.verifies(parsed.algorithm, parsed.message, &parsed.signature));
        let key = key.ok_or_else(|| {
            Refused::credential("jwt_bad_signature", "the token was not signed with its issuer's key, or was changed")
        })?;
        let now = self.timeline.now();
        let verified = verified(&parsed.claims, &known.issuer, now.wall)?;
        let principal = Principal {
            id: Arc::from(verified.id),
            login: Login::Jwt,
            claims: Some(Arc::new(parsed.claims)),
            peer: None,
            mtls: false,
        };
        let entry = Entry { principal: principal.clone(), with: (at, key.mark), end: verified.end };
        self.remembered.put(mark(token), now, entry);
        Ok(principal)
    }

    /// The issuer that a token says it is from.
    fn issuer_of(&self, token: &Token<'_>) -> Result<(usize, &Known), Refused> {
        let named = match token.claims.get("iss") {
            Some(Value::String(named)) => named,
            Some(_) => return Err(Refused::credential("jwt_claim_malformed", "the claim `iss` is no text")),
            None => return Err(Refused::credential("jwt_claim_missing", "the token has no claim `iss`")),
        };
        let known = self.issuers.iter().enumerate().find(|(_, known)| known.issuer.settings.issuer == *named);
        known.ok_or_else(|| {
            let detail =
                "the token is of an issuer that is not configured here; its `iss` has to be the same to the letter";
            Refused::credential("jwt_unknown_issuer", detail)
        })
    }
}

impl fmt::Debug for JwtLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.issuers.iter().map(|known| &known.issuer.settings.name)).finish()
    }
}
