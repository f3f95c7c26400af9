//! [`WebIdentityTokens`]: who we are in AWS, as a JWT that others accept: `GetWebIdentityToken` of STS.
//!
//! Whoever trusts the account's issuer (Vault's JWT login, a federation of Azure or Google) needs no key of ours.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::{Call, Error, ErrorKind, Operation, Result, SecretValue};

use super::credentials::{ahead, visible};
use super::session::Session;
use super::sts::{Sts, element, text, time};
use crate::body::{Body, unexpected};
use crate::login::{End, Granted, LoginCache, LoginSource};

/// What a token is signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// RSA, which everybody can check.
    Rs256,
    /// An elliptic curve: shorter tokens.
    Es384,
}

impl SigningAlgorithm {
    fn word(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es384 => "ES384",
        }
    }
}

/// Which tokens are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebIdentityTokenSettings {
    /// For whom they are: 1 to 10 of 1 to 1000 characters.
    pub audiences: Vec<String>,
    /// What they are signed with.
    pub algorithm: SigningAlgorithm,
    /// How long one lives: 1 min to 1 h.
    pub lifetime: Duration,
}

/// Tokens of one identity for one audience, each kept until shortly before its end.
pub struct WebIdentityTokens {
    tokens: LoginCache<Tokens>,
}

impl WebIdentityTokens {
    /// Tokens of the identity that the session has. Nothing is sent yet.
    ///
    /// # Errors
    /// `Config` when there are too many or too few audiences, or the lifetime is out of range.
    pub fn new(session: &Arc<Session>, settings: WebIdentityTokenSettings) -> Result<Self> {
        let wrong = |what: &str| Err(Error::new(ErrorKind::Config, what));
        let audiences = &settings.audiences;
        if !(1..=10).contains(&audiences.len()) || audiences.iter().any(|text| !(1..=1000).contains(&text.len())) {
            return wrong("a token has 1 to 10 audiences of 1 to 1000 characters");
        }
        if !(Duration::from_mins(1)..=Duration::from_hours(1)).contains(&settings.lifetime) {
            return wrong("a token lives from 1 min to 1 h");
        }
        // The global endpoint does not have this call.
        let place = session.addresses.regional_sts(&session.region)?;
        let sts = Sts::new(session.ports.transport.clone(), Arc::clone(&session.clock), place);
        let (ahead, timeline) = (ahead(settings.lifetime), session.clock.timeline());
        let tokens = Tokens { session: Arc::clone(session), sts, settings };
        Ok(Self { tokens: LoginCache::new(tokens, ahead, timeline) })
    }

    /// A token that is accepted, as far as the clock can tell.
    ///
    /// # Errors
    /// What the table of errors says of STS; `Malformed` when an answer has no token.
    pub async fn token(&self, call: &Call) -> Result<Arc<SecretValue>> {
        self.tokens.get(call).await.map(|loaded| loaded.credential)
    }
}

impl fmt::Debug for WebIdentityTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebIdentityTokens").finish_non_exhaustive()
    }
}

/// Asks for tokens.
pub(crate) struct Tokens {
    session: Arc<Session>,
    sts: Sts,
    settings: WebIdentityTokenSettings,
}

#[async_trait]
impl LoginSource for Tokens {
    type Credential = Arc<SecretValue>;

    async fn log_in(&self, call: &Call) -> Result<Granted<Arc<SecretValue>>> {
        let members: Vec<String> =
            (1..=self.settings.audiences.len()).map(|n| format!("Audience.member.{n}")).collect();
        let seconds = self.settings.lifetime.as_secs().to_string();
        let mut fields = vec![("SigningAlgorithm", self.settings.algorithm.word()), ("DurationSeconds", &*seconds)];
        fields.extend(members.iter().map(String::as_str).zip(self.settings.audiences.iter().map(String::as_str)));
        let loaded = self.session.credentials.get(call).await?;
        let asked = self.sts.ask(call, "GetWebIdentityToken", &fields, Some(&loaded.credential)).await;
        let refuse = || {
            self.session.credentials.refuse(&loaded);
            true
        };
        let body = asked.map_err(|verdict| verdict.settled(refuse))?;
        granted(&body).map_err(|error| error.during(Operation::Login))
    }
}

/// The token in STS's XML.
fn granted(body: &Body) -> Result<Granted<Arc<SecretValue>>> {
    let xml = text(body)?;
    let token: SecretValue = element(xml, "WebIdentityToken").ok_or_else(|| unexpected("has no token"))?.into();
    visible(&token, "token that STS answered")?;
    let end = element(xml, "Expiration").ok_or_else(|| unexpected("has no expiry"))?;
    Ok(Granted { credential: Arc::new(token), end: End::At(time(end)?), beyond: None })
}

#[cfg(test)]
mod tests;
