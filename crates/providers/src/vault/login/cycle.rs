//! Tokens: when they are renewed, when they are replaced, and what a 403 means. One life-cycle for all methods.
//!
//! Vault answers 403 both to a token that is over and to a policy that refuses. The token itself is asked (`lookup-self`)
//! before a refusal is believed, unless it was confirmed a moment ago.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use ::http::StatusCode;
use lockstep_core::{Call, Error, ErrorKind, Moment, Operation, Result, Retry, SecretValue};
use serde::Deserialize;

use super::super::answer::{Auth, Envelope};
use super::super::http::{Ask, Http, body};
use super::super::status::malformed;
use super::{Login, Source, refused};
use crate::login;
use crate::refusal::Row;

/// A token that was confirmed this recently is not asked again whether a 403 is its own.
const CONFIRMED_FOR: Duration = Duration::from_secs(5);
/// The pause after a renewal that failed while the token still lives.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// A token in use.
pub(in crate::vault) struct Token {
    pub(super) value: SecretValue,
    life: StdMutex<Life>,
}

#[derive(Clone, Copy)]
struct Life {
    /// When the server last said that the token is good; `None` when it never did.
    confirmed: Option<Moment>,
    granted: Moment,
    /// From `granted`; `None` never ends.
    ttl: Option<Duration>,
    renewable: bool,
    /// Since when the renewal is left alone.
    paused: Option<Moment>,
}

#[derive(Deserialize)]
struct LookupData {
    ttl: u64,
    #[serde(default)]
    renewable: bool,
}

impl Login {
    /// A token to use now. Whoever comes while a login is under way shares its outcome, also a failure.
    pub(super) async fn token(&self, call: &Call, http: &Arc<Http>) -> Result<Arc<Token>> {
        let attempts = self.attempts.load(Ordering::Acquire);
        let mut current = self.current.lock().await;
        let now = self.timeline.now();
        if let Some(token) = &*current {
            let life = token.life();
            if !life.is_due(now) {
                return Ok(token.clone());
            }
            if let Some(token) = self.prolonged(call, http, token, now).await? {
                *current = Some(token.clone());
                return Ok(token);
            }
            *current = None;
        } else if self.attempts.load(Ordering::Acquire) != attempts
            && let Some(failure) = self.last_failure().clone()
        {
            return Err(failure);
        }
        let outcome = self.fresh(call, http).await.map_err(|error| of_login(error).during(Operation::Login));
        *self.last_failure() = outcome.as_ref().err().cloned();
        self.attempts.fetch_add(1, Ordering::AcqRel);
        let token = Arc::new(outcome?);
        *current = Some(token.clone());
        Ok(token)
    }

    /// What a 403 to a request with this token means. When the token is over, it is dropped before this says so.
    pub(super) async fn refused(&self, call: &Call, http: &Arc<Http>, token: &Arc<Token>) -> Error {
        let now = self.timeline.now();
        let confirmed = token.life().confirmed;
        if confirmed.is_some_and(|at| !now.is_past(at, CONFIRMED_FOR)) {
            return denied();
        }
        match self.look_up(call, http, &token.value).await {
            Ok(Some(_)) => {
                token.change(|life| life.confirmed = Some(now));
                denied()
            }
            Ok(None) => {
                self.drop_token(token).await;
                let message = "the server does not accept the token, or not any more; look at where it comes from";
                let error = Error::new(ErrorKind::Unauthenticated, message);
                // A token whose very first look-up was refused is read from the same place again: once is enough.
                let is_new = confirmed.is_none() && !now.is_past(token.life().granted, CONFIRMED_FOR);
                error.retry(if is_new { Retry::Never } else { Retry::OnceWithFreshCredentials })
            }
            Err(error) => of_login(error),
        }
    }

    async fn drop_token(&self, token: &Arc<Token>) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|now| Arc::ptr_eq(now, token)) {
            *current = None;
        }
    }

    /// The same token with more life, or another one from where it came; `None` when a new login is due.
    async fn prolonged(
        &self,
        call: &Call,
        http: &Arc<Http>,
        token: &Arc<Token>,
        now: Moment,
    ) -> Result<Option<Arc<Token>>> {
        let life = token.life();
        let over = life.is_over(now);
        if over {
            return Ok(None);
        }
        if let Source::Token(from) = &self.source
            // An agent may have put another one there. One that can't be read says nothing about the one in use.
            && from.read(call, self.with(http)).await.is_ok_and(|read| read != token.value)
        {
            return Ok(None);
        }
        let pause = |life: &mut Life| life.paused = Some(now);
        if life.renewable {
            match self.renew(call, http, token, now).await {
                Ok(true) => return Ok(Some(token.clone())),
                Err(error) if error.is_transient() => {
                    token.change(pause);
                    return Ok(Some(token.clone()));
                }
                Ok(false) | Err(_) => token.change(|life| life.renewable = false),
            }
        }
        if matches!(self.source, Source::Token(_)) {
            // Nothing to log in with: it is used until its end.
            token.change(pause);
            return Ok(Some(token.clone()));
        }
        if let Ok(fresh) = self.fresh(call, http).await {
            return Ok(Some(Arc::new(fresh)));
        }
        // What is still accepted is used until its end, whatever is wrong with the next login.
        token.change(pause);
        Ok(Some(token.clone()))
    }

    /// Renews; `false` when the server grants so little that a new login is better.
    async fn renew(&self, call: &Call, http: &Arc<Http>, token: &Token, now: Moment) -> Result<bool> {
        let before = token.life().ttl.unwrap_or_default();
        let sent = body(&serde_json::json!({}), 2)?;
        let ask = Ask::post("auth/token/renew-self", sent).with(&token.value)?;
        let response = http.send(call, &ask).await?;
        if response.status() == StatusCode::FORBIDDEN {
            return Ok(false);
        }
        let envelope = Envelope::of(&response)?;
        let auth = envelope.auth.ok_or_else(malformed)?;
        let ttl = Duration::from_secs(auth.lease_duration);
        token.change(|life| {
            *life = Life {
                confirmed: Some(now),
                granted: now,
                ttl: (!ttl.is_zero()).then_some(ttl),
                // Near its longest life a token is granted less and less; then the next turn logs in.
                renewable: auth.renewable && ttl >= before / 2,
                paused: None,
            };
        });
        Ok(true)
    }

    async fn fresh(&self, call: &Call, http: &Arc<Http>) -> Result<Token> {
        match &self.source {
            Source::Token(from) => {
                let value = from.read(call, self.with(http)).await?;
                let found = self.look_up(call, http, &value).await?;
                let now = self.timeline.now();
                let ttl = found.as_ref().map_or(0, |found| found.ttl);
                let life = Life {
                    // A policy may forbid the look-up itself; then the first read tells.
                    confirmed: found.is_some().then_some(now),
                    granted: now,
                    ttl: (ttl > 0).then(|| Duration::from_secs(ttl)),
                    renewable: found.is_some_and(|found| found.renewable),
                    paused: None,
                };
                Ok(Token { value, life: StdMutex::new(life) })
            }
            Source::Method(method) => {
                let form = method.form(call, self.with(http)).await?;
                let now = self.timeline.now();
                let response = http.send(call, &Ask::post(form.path.as_str(), form.body()?)).await?;
                granted(&response, now, method.refusals())
            }
        }
    }

    /// What the server says of a token; `None` when it refuses it.
    async fn look_up(&self, call: &Call, http: &Arc<Http>, token: &SecretValue) -> Result<Option<LookupData>> {
        let response = http.send(call, &Ask::get("auth/token/lookup-self").with(token)?).await?;
        if response.status() == StatusCode::FORBIDDEN {
            return Ok(None);
        }
        Envelope::of(&response)?.data().map(Some)
    }

    fn last_failure(&self) -> std::sync::MutexGuard<'_, Option<Error>> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    fn life(&self) -> Life {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, work: impl FnOnce(&mut Life)) {
        work(&mut self.life.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Life {
    /// Whether it should be renewed or replaced: at two thirds of its life.
    fn is_due(&self, now: Moment) -> bool {
        let paused = self.paused.is_some_and(|since| !now.is_past(since, RENEWAL_PAUSE));
        self.is_over(now)
            || (!paused && self.ttl.is_some_and(|ttl| now.is_past(self.granted, ttl.saturating_sub(ttl / 3))))
    }

    fn is_over(&self, now: Moment) -> bool {
        self.ttl.is_some_and(|ttl| now.is_past(self.granted, ttl))
    }
}

/// The token of a login.
fn granted(response: &::http::Response<bytes::Bytes>, now: Moment, refusals: &[Row]) -> Result<Token> {
    if !response.status().is_success() {
        return Err(refused(response, refusals));
    }
    let envelope = Envelope::of(response)?;
    let Auth { client_token, lease_duration, renewable, mfa_requirement } = envelope.auth.ok_or_else(malformed)?;
    if client_token.is_empty() {
        return Err(match mfa_requirement {
            Some(_) => {
                let message = "the login wants a second factor, which can't be given here; use another role or method";
                Error::new(ErrorKind::Unauthenticated, message).upstream("", response.status().as_u16())
            }
            None => malformed(),
        });
    }
    let ttl = Duration::from_secs(lease_duration);
    let life =
        Life { confirmed: Some(now), granted: now, ttl: (!ttl.is_zero()).then_some(ttl), renewable, paused: None };
    Ok(Token { value: SecretValue::from(&*client_token), life: StdMutex::new(life) })
}

/// What goes wrong on the way in is no answer about a secret: that nothing is there would be remembered as one, and that
/// it is too large would end a chain.
fn of_login(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => {
            let message =
                "the server has no such way to log in; look at the address, the namespace and the mount of `auth`";
            Error::new(ErrorKind::Unauthenticated, message).during(Operation::Login).because(error)
        }
        // With a status it is the request that was too large, and the server that says so.
        ErrorKind::TooLarge if error.upstream_status().is_none() => login::of_login(error),
        _ => error,
    }
}

pub(super) fn denied() -> Error {
    let message = "the server's policies refuse this path; look at the policies of the token or role";
    Error::new(ErrorKind::Denied, message).upstream("", 403)
}
