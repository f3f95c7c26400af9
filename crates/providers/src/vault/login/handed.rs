//! [`Secret`]: a credential that is handed over, as it is or wrapped.
//!
//! A wrapping token opens once. That it is used up already means that somebody else may have what was in it, so nothing
//! is ever tried twice here: what came out is kept in memory for later logins, and so is the error.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::http::Response;
use bytes::Bytes;
use futures_util::lock::{Mutex, OwnedMutexGuard};
use lockstep_core::{Call, Error, ErrorKind, Operation, Result, Retry, SecretValue};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::answer::Envelope;
use super::super::http::{Ask, Http, body};
use super::super::settings::{Handed, Wrapping};
use super::super::status::{error_of, malformed, unwrap_refusal};
use super::{Fields, Form, With};
use crate::Credential;
use crate::body::text;

/// What unwrapping may take. It goes on when whoever wanted it has gone.
const TIME: Duration = Duration::from_secs(10);

/// Takes the credential out of what was wrapped: the token of a login, or a member.
type Pick = fn(Taken) -> Result<SecretValue>;

/// What was wrapped.
pub(super) struct Taken {
    /// The token of a login.
    pub(super) token: Option<SecretValue>,
    /// Its members.
    fields: Fields,
}

impl Taken {
    /// The member of this name.
    pub(super) fn field(self, name: &str) -> Option<SecretValue> {
        self.fields.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// A credential that is handed over.
pub(super) struct Secret {
    from: Credential,
    wrapped: Option<(Wrapping, Once)>,
    pick: Pick,
}

/// Whoever holds it opens.
type Once = Arc<Mutex<State>>;

#[derive(Default)]
struct State {
    /// The wrapping token that was used last, and what came of it.
    used: Option<Used>,
    /// Why the last one could not be tried.
    untouched: Option<Error>,
}

struct Used {
    token: SecretValue,
    outcome: Result<SecretValue>,
}

/// What came of trying to open it.
enum Opened {
    /// It may be open now, and is never tried again.
    Used(Result<SecretValue>),
    /// Nobody has looked at it.
    Untouched(Error),
}

impl Secret {
    pub(super) fn new(handed: Handed, pick: Pick) -> Self {
        Self { from: handed.from, wrapped: handed.wrapped.map(|wrapping| (wrapping, Once::default())), pick }
    }

    /// The credential itself. A wrapping token that was not seen before is opened.
    pub(super) async fn read(&self, call: &Call, with: With<'_>) -> Result<SecretValue> {
        let read = || self.from.read(&*with.ports.env, &*with.ports.files);
        let Some((wrapping, once)) = &self.wrapped else { return read() };
        let guard = Arc::clone(once).lock_owned().await;
        let token = match (read(), &guard.used) {
            // Whoever hands over a wrapping token mostly takes it away again. What came of it stays: also the alarm.
            (Err(_), Some(used)) => return used.answer(),
            (Err(error), None) => return Err(error),
            (Ok(token), Some(used)) if used.is_of(&token) => return used.answer(),
            (Ok(token), _) => token,
        };
        let opening =
            Opening { guard, token, wrapping: wrapping.clone(), pick: self.pick, http: Arc::clone(with.http) };
        let token_again = opening.token.duplicate();
        // It runs to its end, whoever waits for it: it can't be done twice.
        call.spawn(opening.run(call.detached(TIME)));
        let state = once.lock().await;
        match (&state.used, &state.untouched) {
            (Some(used), _) if used.is_of(&token_again) => used.answer(),
            (_, Some(error)) => Err(error.clone()),
            _ => Err(lost(None).during(Operation::Login)),
        }
    }
}

impl Used {
    /// Whether it was this wrapping token that was used; compared in constant time.
    fn is_of(&self, token: &SecretValue) -> bool {
        self.token.eq(token)
    }

    fn answer(&self) -> Result<SecretValue> {
        self.outcome.as_ref().map(SecretValue::duplicate).map_err(Error::clone)
    }
}

/// An opening that runs to its end, since it can't be done twice.
struct Opening {
    guard: OwnedMutexGuard<State>,
    token: SecretValue,
    wrapping: Wrapping,
    pick: Pick,
    http: Arc<Http>,
}

impl Opening {
    async fn run(mut self, call: Call) {
        let mut before = None;
        let opened = match self.look(&call).await {
            Ok(()) => {
                // Written down before it is sent: a task that is ended in between must not open it again.
                let lost = Used { token: self.token.duplicate(), outcome: Err(lost(None)) };
                before = self.guard.used.replace(lost);
                self.open(&call).await
            }
            Err(Opened::Untouched(error)) => {
                self.guard.untouched = Some(error.during(Operation::Login));
                return;
            }
            Err(opened) => opened,
        };
        match opened {
            Opened::Used(outcome) => {
                let outcome = outcome.map_err(|error| error.during(Operation::Login).retry(Retry::Never));
                self.guard.used = Some(Used { token: self.token, outcome });
            }
            Opened::Untouched(error) => {
                self.guard.used = before;
                self.guard.untouched = Some(error.during(Operation::Login));
            }
        }
    }

    /// Asks where the token comes from, when that is known beforehand. Looking does not open it.
    async fn look(&self, call: &Call) -> std::result::Result<(), Opened> {
        #[derive(Deserialize)]
        struct Looked {
            creation_path: String,
        }
        let Some(expected) = &self.wrapping.creation_path else { return Ok(()) };
        let fields = vec![("token", self.token.duplicate())];
        let form = Form { path: "sys/wrapping/lookup".into(), fields };
        let looked = async {
            let sent = form.body()?;
            self.http.send(call, &Ask::post(form.path.as_str(), sent)).await
        };
        let response = looked.await.map_err(Opened::Untouched)?;
        if !response.status().is_success() {
            return Err(refused(&response));
        }
        let looked = Envelope::of(&response).and_then(|envelope| envelope.data::<Looked>());
        let found = looked.map_err(Opened::Untouched)?.creation_path;
        if found.trim_matches('/') == expected.trim_matches('/') {
            return Ok(());
        }
        let message = "the wrapping token does not come from `creation_path`: somebody may have opened the right one and \
                       wrapped something else; look into the audit log, and issue a new one";
        Err(Opened::Used(Err(Error::new(ErrorKind::Unauthenticated, message))))
    }

    /// Opens it: the token says who asks, and stands nowhere else, or it is burnt.
    async fn open(&self, call: &Call) -> Opened {
        let ask = match body(&serde_json::json!({}), 2)
            .and_then(|sent| Ask::post("sys/wrapping/unwrap", sent).with(&self.token))
        {
            Ok(ask) => ask.once(),
            Err(error) => return Opened::Untouched(error),
        };
        match self.http.send(call, &ask).await {
            Ok(response) if response.status().is_success() => Opened::Used(self.taken_out(&response)),
            Ok(response) => refused(&response),
            Err(error) if error.is_unsent() => Opened::Untouched(error),
            Err(error) => Opened::Used(Err(lost(Some(error)))),
        }
    }

    fn taken_out(&self, response: &Response<Bytes>) -> Result<SecretValue> {
        let envelope = Envelope::of(response)?;
        let auth = envelope.auth.as_ref().map(|auth| SecretValue::from(&*auth.client_token));
        let mut fields = Fields::new();
        if envelope.data.is_some() {
            let members: BTreeMap<String, &RawValue> = envelope.data()?;
            for (name, raw) in members.into_iter().filter(|(_, raw)| raw.get().starts_with('"')) {
                fields.push((name, text(raw).map_err(|_| malformed())?));
            }
        }
        (self.pick)(Taken { token: auth.filter(|token| !token.is_empty()), fields })
    }
}

/// What a refusal to look or to open means. A node that can't serve, or is asked too often, has looked at nothing.
fn refused(response: &Response<Bytes>) -> Opened {
    let status = response.status();
    let untouched = matches!(status.as_u16(), 412 | 429 | 472..=474 | 501 | 503 | 530);
    if untouched {
        return Opened::Untouched(error_of(status, response.headers(), response.body()));
    }
    if !status.is_server_error() {
        return Opened::Used(Err(unwrap_refusal(status, response.headers(), response.body())));
    }
    Opened::Used(Err(lost(Some(error_of(status, response.headers(), response.body())))))
}

/// Nobody knows whether it was opened.
fn lost(cause: Option<Error>) -> Error {
    let message = "the answer to unwrapping was lost, and the wrapping token may be used up; issue a new one";
    let error = Error::new(ErrorKind::Unauthenticated, message).retry(Retry::Never);
    match cause {
        Some(cause) => error.because(cause),
        None => error,
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.from.fmt(f)?;
        if self.wrapped.is_some() { f.write_str(" wrapped") } else { Ok(()) }
    }
}
