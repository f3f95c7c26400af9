//! Credentials of AWS and where they come from: one file per source, and a chain over them.
//!
//! The order is that of AWS's SDKs: environment, profile, web identity, container, instance metadata. The first source
//! that is configured decides; one that is configured and fails is an error, never a step to the next one.

mod assumed;
mod chain;
mod container;
mod environment;
mod imds;
mod profile;
mod web_identity;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Response, StatusCode};
use lockstep_core::{Call, Error, ErrorKind, Operation, Result, Retry, SecretValue, UnixMillis};
use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) use self::assumed::{AssumedRole, Source, ahead};
pub(crate) use self::chain::Chain;
use crate::body::{self, Body};
use crate::login::Ahead;

/// AWS's SDKs renew from 15 minutes before the end, and wait for it from 10 minutes before.
pub(crate) const AHEAD: Ahead = Ahead { advisory: Duration::from_mins(15), mandatory: Duration::from_mins(10) };

/// Access key, secret and session token. They redact themselves and are wiped on drop.
#[derive(Clone)]
pub(crate) struct Credentials {
    inner: aws_credential_types::Credentials,
    /// When AWS stops to accept them.
    pub(crate) expires: Option<UnixMillis>,
    /// How long they are used past their end while their source can't be asked (instance metadata).
    pub(crate) outlives_outage: Option<Duration>,
    /// The lifetime that a role's session was asked for: how long before its end it is renewed depends on it.
    pub(crate) assumed_for: Option<Duration>,
}

impl Credentials {
    /// Credentials that can stand in a header.
    ///
    /// # Errors
    /// `Unauthenticated` when a part is empty or holds anything but visible ASCII.
    pub(crate) fn new(
        access_key_id: &str,
        secret: &SecretValue,
        token: Option<&SecretValue>,
        expires: Option<UnixMillis>,
    ) -> Result<Self> {
        let secret = visible(secret, "secret access key")?.to_owned();
        let token = match token {
            Some(token) => Some(visible(token, "session token")?.to_owned()),
            None => None,
        };
        visible(&access_key_id.into(), "access key id")?;
        let inner = aws_credential_types::Credentials::new(access_key_id, secret, token, None, "lockstep");
        Ok(Self { inner, expires, outlives_outage: None, assumed_for: None })
    }

    /// For the signer.
    pub(crate) fn identity(&self) -> aws_credential_types::Credentials {
        self.inner.clone()
    }

    /// The id, which is no secret.
    #[cfg(test)]
    pub(crate) fn access_key_id(&self) -> &str {
        self.inner.access_key_id()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// A text that can stand in a header, without spaces around it.
pub(crate) fn visible<'a>(value: &'a SecretValue, what: &str) -> Result<&'a str> {
    value
        .expose_text()
        .map(str::trim)
        .filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()))
        .ok_or_else(|| {
            refused(format!("the {what} is empty, or has a space, control or non-ASCII character; set it anew"))
        })
}

/// Where credentials come from.
#[async_trait]
pub(crate) trait CredentialSource: Send + Sync {
    /// For messages: what it looks at.
    fn name(&self) -> &'static str;

    /// The credentials; `None` when this source is not configured.
    async fn load(&self, call: &Call) -> Result<Option<Credentials>>;
}

/// There are no usable credentials, and asking again gives the same.
fn refused(message: impl Into<Box<str>>) -> Error {
    Error::new(ErrorKind::Unauthenticated, message).during(Operation::Login)
}

/// The JSON that containers and instance metadata answer.
fn handed_out(source: &'static str, response: Response<Bytes>) -> Result<Credentials> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Shape<'a> {
        code: Option<String>,
        access_key_id: Option<String>,
        #[serde(borrow)]
        secret_access_key: Option<&'a RawValue>,
        #[serde(borrow)]
        token: Option<&'a RawValue>,
        expiration: Option<String>,
    }
    let status = response.status();
    let answer = Body::new(response.into_body());
    if status != StatusCode::OK {
        return Err(not_ok(source, status));
    }
    let login = |error: Error| error.during(Operation::Login);
    let shape: Shape<'_> = answer.json().map_err(login)?;
    let (Some(id), Some(secret)) = (shape.access_key_id, shape.secret_access_key) else {
        let code = shape.code.unwrap_or_default();
        return Err(
            refused(format!("{source} answered without credentials; look at the role it has")).upstream(&code, 200)
        );
    };
    let expires = match shape.expiration {
        Some(text) => {
            Some(UnixMillis::from_rfc3339(&text).ok_or_else(|| login(body::unexpected("has a wrong expiry")))?)
        }
        None => None,
    };
    let token = shape.token.map(body::text).transpose().map_err(login)?;
    Credentials::new(&id, &body::text(secret).map_err(login)?, token.as_ref(), expires)
}

/// A status other than 200 of what hands out credentials.
fn not_ok(source: &'static str, status: StatusCode) -> Error {
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT {
        let error = Error::new(ErrorKind::Unavailable, format!("{source} can't hand out credentials now"));
        return error.retry(Retry::After(None)).during(Operation::Login).upstream("", status.as_u16());
    }
    refused(format!("{source} refuses to hand out credentials (HTTP {}); look at the role it has", status.as_u16()))
}

#[cfg(test)]
mod tests;
