//! Logging in: one file per method, and one life-cycle for the tokens of all of them (`cycle`).
//!
//! A method only says what is asked for a token, and what a refusal means. Where requests log in by themselves
//! (`inline`), the same fields go into headers and there is no token at all.

mod approle;
#[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store"))]
mod aws;
mod cert;
mod cycle;
mod handed;
mod inline;
mod jwt;
mod kubernetes;
mod token;
mod userpass;

use std::sync::{Arc, Mutex as StdMutex};

use ::http::{Response, StatusCode};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::lock::Mutex;
use lockstep_core::{Call, Error, ErrorKind, Operation, Result, SecretValue, Timeline};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use self::cycle::Token;
use self::handed::Secret;
use super::http::{Ask, Http, body, encoded};
use super::settings::VaultAuth;
use super::status::login_refusal;
use crate::Ports;
use crate::refusal::Row;

/// A method of logging in.
#[async_trait]
trait Method: Send + Sync {
    /// What is asked for a token. Credentials are read anew.
    async fn form(&self, call: &Call, with: With<'_>) -> Result<Form>;

    /// What an answer without a token means, before what is said for all methods.
    fn refusals(&self) -> &'static [Row];

    /// What tells two logins apart, without a credential.
    fn identity(&self) -> String;
}

/// What a method may ask and read.
#[derive(Clone, Copy)]
struct With<'a> {
    http: &'a Arc<Http>,
    ports: &'a Ports,
}

/// A login: where it is posted, and its fields. Roles and names are no secrets, but some of the rest are.
struct Form {
    path: String,
    fields: Vec<(&'static str, SecretValue)>,
}

/// Members of an answer that are text, each name once.
type Fields = Vec<(String, SecretValue)>;

/// The refusals of every method, by its name: the error table of logging in.
#[cfg(test)]
pub(super) const REFUSALS: &[(&str, &[Row])] = &[
    ("approle", approle::REFUSALS),
    #[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store"))]
    ("aws", aws::REFUSALS),
    ("cert", cert::REFUSALS),
    ("jwt", jwt::REFUSALS),
    ("kubernetes", kubernetes::REFUSALS),
    ("userpass", userpass::REFUSALS),
];

/// Where tokens come from.
enum Source {
    /// From somebody else.
    Token(Secret),
    /// From the server, for a login.
    Method(Box<dyn Method>),
}

/// The login of one provider, shared by all its calls.
pub(super) struct Login {
    source: Source,
    inline: bool,
    ports: Ports,
    timeline: Timeline,
    current: Mutex<Option<Arc<Token>>>,
    attempts: std::sync::atomic::AtomicU64,
    last_failure: StdMutex<Option<Error>>,
}

/// Who asks.
pub(super) enum Access {
    /// Whoever has this token.
    Token(Arc<Token>),
    /// Whoever the headers say, for this request alone.
    Inline(Vec<(::http::HeaderName, ::http::HeaderValue)>),
}

impl Login {
    /// # Errors
    /// `Config` when the method can't do what is asked of it.
    pub(super) fn new(auth: VaultAuth, inline: bool, ports: Ports) -> Result<Self> {
        let can_inline = matches!(
            auth,
            VaultAuth::AppRole { .. }
                | VaultAuth::Kubernetes { .. }
                | VaultAuth::Jwt { .. }
                | VaultAuth::Userpass { .. }
        );
        if inline && !can_inline {
            let message = "this method can't log in within a request; remove `inline`, or use another method";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let timeline = Timeline::new(ports.clock.clone());
        Ok(Self {
            source: source(auth)?,
            inline,
            ports,
            timeline,
            current: Mutex::new(None),
            attempts: std::sync::atomic::AtomicU64::new(0),
            last_failure: StdMutex::default(),
        })
    }

    /// What tells two logins apart, without a credential.
    pub(super) fn identity(&self) -> String {
        match &self.source {
            Source::Token(token) => format!("token {token:?}"),
            Source::Method(method) => method.identity(),
        }
    }

    /// Whether each request logs in by itself.
    pub(super) fn is_inline(&self) -> bool {
        self.inline
    }

    /// What to ask with.
    pub(super) async fn access(&self, call: &Call, http: &Arc<Http>) -> Result<Access> {
        match &self.source {
            Source::Method(method) if self.inline => {
                let form = method.form(call, self.with(http)).await.map_err(|error| error.during(Operation::Login))?;
                inline::headers(&form, http.namespace.as_ref()).map(Access::Inline)
            }
            _ => self.token(call, http).await.map(Access::Token),
        }
    }

    /// The answer, or what it means when it is about who asked.
    pub(super) async fn judged(
        &self,
        call: &Call,
        http: &Arc<Http>,
        access: &Access,
        response: Response<Bytes>,
    ) -> Result<Response<Bytes>> {
        match (access, &self.source) {
            (Access::Inline(_), Source::Method(method)) => {
                inline::judged(&response, method.refusals())?;
                if response.status() == StatusCode::FORBIDDEN {
                    return Err(cycle::denied());
                }
            }
            (Access::Token(token), _) if response.status() == StatusCode::FORBIDDEN => {
                return Err(self.refused(call, http, token).await);
            }
            _ => {}
        }
        Ok(response)
    }

    fn with<'a>(&'a self, http: &'a Arc<Http>) -> With<'a> {
        With { http, ports: &self.ports }
    }
}

impl Access {
    /// A request of whoever this is.
    pub(super) fn on(&self, ask: Ask) -> Result<Ask> {
        match self {
            Self::Token(token) => ask.with(&token.value),
            Self::Inline(headers) => Ok(ask.with_headers(headers.clone())),
        }
    }
}

impl Form {
    /// As a JSON object, in a buffer that is wiped and never moves.
    fn body(&self) -> Result<Zeroizing<Vec<u8>>> {
        struct Object<'a>(&'a [(&'static str, SecretValue)]);
        impl Serialize for Object<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(name, value)| (name, value.expose_text())))
            }
        }
        body(&Object(&self.fields), self.room())
    }

    /// What the object takes at most: six bytes for a character.
    fn room(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + 6 * value.len() + 8).sum::<usize>() + 2
    }
}

fn source(auth: VaultAuth) -> Result<Source> {
    let mount = |mount: String| match mount.trim_matches('/') {
        "" => Err(Error::new(ErrorKind::Config, "`mount` of `auth` is empty; write where the method is mounted")),
        mount => Ok(mount.to_owned()),
    };
    let method: Box<dyn Method> = match auth {
        VaultAuth::Token(handed) => return Ok(Source::Token(Secret::new(handed, token::token))),
        VaultAuth::AppRole { mount: at, role_id, secret_id } => {
            let secret_id = secret_id.map(|handed| Secret::new(handed, approle::secret_id));
            Box::new(approle::AppRole { mount: mount(at)?, role_id, secret_id })
        }
        VaultAuth::Kubernetes { mount: at, role, jwt } => {
            Box::new(kubernetes::Kubernetes { mount: mount(at)?, role, jwt })
        }
        VaultAuth::Jwt { mount: at, role, jwt } => Box::new(jwt::Jwt { mount: mount(at)?, role, token: jwt }),
        #[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store"))]
        VaultAuth::Aws { mount: at, role, server_id, region, session } => {
            Box::new(aws::Aws::new(mount(at)?, role, server_id.as_deref(), region.as_deref(), session)?)
        }
        VaultAuth::Cert { mount: at, name, certificate } => {
            Box::new(cert::Cert { mount: mount(at)?, name, certificate })
        }
        VaultAuth::Userpass { mount: at, username, password } => {
            Box::new(userpass::Userpass { mount: mount(at)?, username, password })
        }
    };
    Ok(Source::Method(method))
}

/// The path of a method, encoded.
fn path(mount: &str, end: &str) -> String {
    format!("auth/{}/{end}", encoded(mount))
}

/// What an answer to a login means that gave no token.
fn refused(response: &Response<Bytes>, refusals: &[Row]) -> Error {
    login_refusal(response.status(), response.headers(), response.body(), refusals)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// M2. A buffer that grows leaves its old block behind. Break: `room` by any of its numbers.
    #[test]
    fn m2_the_buffer_of_a_login_never_grows() {
        for value in ["x".repeat(100), "\"\\".repeat(50), "\u{1}".repeat(100), String::new()] {
            let form =
                Form { path: String::new(), fields: vec![("a", value.as_str().into()), ("b", value.as_str().into())] };
            assert_eq!(form.body().unwrap().capacity(), form.room(), "{value:?}");
        }
    }
}
