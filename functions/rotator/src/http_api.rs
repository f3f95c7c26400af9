//! [`HttpApi`]: something that takes its new value over HTTP: one request says the value, another shows that it is good.
//!
//! Where both go stands in the configuration and never in a secret. Redirects are not followed, and of an answer only
//! the status counts.

mod template;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use lockstep_config::settings::HttpRotator;
use lockstep_core::{Error, ErrorKind, Limits, MAX_MEMBERS, Result, SecretValue, Transport};
use lockstep_providers::aws::{RotationSecrets, Staged};

use self::template::{Body, Text, Values};
use crate::document::Document;
use crate::steps::Rotation;

/// What is read of an answer, which nobody looks at.
const MAX_ANSWER: usize = 64 << 10;

/// The requests of one rotator.
pub(crate) struct HttpApi {
    transport: Arc<dyn Transport>,
    limits: Limits,
    key: Option<Box<str>>,
    master: Option<Box<str>>,
    set: Asked,
    test: Asked,
}

/// A request, before values are put into it.
struct Asked {
    uri: Uri,
    method: Method,
    headers: Vec<(HeaderName, Text)>,
    body: Option<Body>,
}

/// What an answer says.
enum Answer {
    Good,
    /// 401 or 403.
    Refused,
}

impl HttpApi {
    /// Reads what is written.
    ///
    /// # Errors
    /// `Config`: an address, a header or a text that can't be what it is.
    pub(crate) fn new(written: &HttpRotator, transport: Arc<dyn Transport>) -> Result<Self> {
        let wrong = |what: &str| Error::new(ErrorKind::Config, what.to_owned());
        let uri = |text: &str| text.parse::<Uri>().map_err(|_| wrong("an address can't be read"));
        let method = |text: &str| text.parse::<Method>().map_err(|_| wrong("a method is none of HTTP"));
        let headers = |written: &std::collections::BTreeMap<String, String>| {
            let each = written.iter().map(|(name, text)| {
                let name = name.parse::<HeaderName>().map_err(|_| wrong("a header's name is none"))?;
                Ok((name, Text::parse(text)?))
            });
            each.collect::<Result<Vec<_>>>()
        };
        let api = Self {
            transport,
            limits: Limits { time: written.timeout.get(), response_bytes: MAX_ANSWER, members: MAX_MEMBERS },
            key: written.key.as_deref().map(Box::from),
            master: written.master.as_deref().map(Box::from),
            set: Asked {
                uri: uri(&written.url)?,
                method: method(&written.method)?,
                headers: headers(&written.headers)?,
                body: Some(Body::parse(&written.body)?),
            },
            test: Asked {
                uri: uri(&written.test.url)?,
                method: method(&written.test.method)?,
                headers: headers(&written.test.headers)?,
                body: None,
            },
        };
        let asks_master = api.set.texts().chain(api.test.texts()).any(Text::asks_master);
        if asks_master && api.master.is_none() {
            return Err(wrong("`{master}` stands for a secret that is not named; write `master = \"<ARN>\"`"));
        }
        if !api.set.texts().any(Text::asks_new) {
            return Err(wrong("the new value is nowhere in `body` or `headers`; write `{new}` where it belongs"));
        }
        if !api.test.texts().any(Text::asks_new) {
            return Err(wrong("the value that is tried is nowhere in `test.headers`; write `{new}` where it belongs"));
        }
        Ok(api)
    }

    /// Which key of the secret is rotated.
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Says what is pending, unless it is good already.
    ///
    /// # Errors
    /// `Denied` when the values that the secret knows are refused, `Unavailable` for an answer of a server that can't, else
    /// the transport's.
    pub(crate) async fn set(
        &self,
        rotation: &Rotation<'_>,
        current: &SecretValue,
        pending: &SecretValue,
    ) -> Result<()> {
        let master = self.master(rotation).await?;
        if let Answer::Good = self.try_out(rotation, pending, master.as_ref()).await? {
            return Ok(());
        }
        let new = self.value(pending, "pending")?;
        if let Answer::Good = self.say(rotation, current, "current", &new, master.as_ref()).await? {
            return Ok(());
        }
        // A rotation may have been cut off before what was set became current.
        if self.set.texts().any(Text::asks_current)
            && let Some(previous) = rotation.previous().await?
            && let Answer::Good = self.say(rotation, &previous, "previous", &new, master.as_ref()).await?
        {
            return Ok(());
        }
        let message = "`url` takes neither the pending value nor a new one for the values that the secret knows (401 or \
                       403): set the current one by hand, or look at `headers`, then rotate again";
        Err(Error::new(ErrorKind::Denied, message))
    }

    /// Shows that what is pending is good.
    ///
    /// # Errors
    /// `Denied` when it is not; else as [`set`](Self::set).
    pub(crate) async fn test(&self, rotation: &Rotation<'_>, pending: &SecretValue) -> Result<()> {
        let master = self.master(rotation).await?;
        match self.try_out(rotation, pending, master.as_ref()).await? {
            Answer::Good => Ok(()),
            Answer::Refused => {
                Err(Error::new(ErrorKind::Denied, "`test.url` does not take the pending value (401 or 403)"))
            }
        }
    }

    async fn try_out(
        &self,
        rotation: &Rotation<'_>,
        pending: &SecretValue,
        master: Option<&SecretValue>,
    ) -> Result<Answer> {
        let new = self.value(pending, "pending")?;
        self.ask(rotation, &self.test, "test.url", &Values { new: &new, current: &new, secret: pending, master }).await
    }

    async fn say(
        &self,
        rotation: &Rotation<'_>,
        by: &SecretValue,
        whose: &str,
        new: &SecretValue,
        master: Option<&SecretValue>,
    ) -> Result<Answer> {
        let current = self.value(by, whose)?;
        self.ask(rotation, &self.set, "url", &Values { new, current: &current, secret: by, master }).await
    }

    async fn ask(&self, rotation: &Rotation<'_>, asked: &Asked, key: &str, values: &Values<'_>) -> Result<Answer> {
        rotation.call.ensure_time()?;
        let request = asked.request(values)?;
        let limits = Limits { time: self.limits.time.min(rotation.call.remaining()), ..self.limits };
        let answer = self
            .transport
            .send(request, limits)
            .await
            .map_err(|error| Error::new(error.kind(), format!("`{key}` was not reached: {}", error.message())))?;
        match answer.status() {
            status if status.is_success() => Ok(Answer::Good),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(Answer::Refused),
            status => {
                let server = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
                let kind = if server { ErrorKind::Unavailable } else { ErrorKind::Denied };
                Err(Error::new(kind, format!("`{key}` answered {}, and 2xx was expected", status.as_u16())))
            }
        }
    }

    fn value(&self, secret: &SecretValue, whose: &str) -> Result<SecretValue> {
        match &self.key {
            None => Ok(secret.duplicate()),
            Some(key) => Document::read(secret, whose)?.required(key),
        }
    }

    /// Of the secret's own account, and no other.
    async fn master(&self, rotation: &Rotation<'_>) -> Result<Option<SecretValue>> {
        let Some(arn) = &self.master else { return Ok(None) };
        if RotationSecrets::account_of(arn)? != rotation.secret.account()? {
            let message = "`master` is of another account than the secret itself: a rotation uses no rights of others";
            return Err(Error::new(ErrorKind::Denied, message));
        }
        rotation.secrets.value(rotation.call, arn, Staged::Current).await.map(Some)
    }
}

impl Asked {
    fn texts(&self) -> impl Iterator<Item = &Text> {
        self.headers.iter().map(|(_, text)| text).chain(self.body.iter().flat_map(Body::texts))
    }

    fn request(&self, values: &Values<'_>) -> Result<Request<Bytes>> {
        let body = self.body.as_ref().map(|body| body.written(values)).transpose()?;
        let mut request = Request::new(body.map(|body| Bytes::from_owner(Held(body))).unwrap_or_default());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        if self.body.is_some() {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, text) in &self.headers {
            let broken = |_| {
                let message = format!("the value for the header `{name}` has a character that no header can have");
                Error::new(ErrorKind::Unsupported, message)
            };
            let mut value = HeaderValue::from_bytes(text.in_header(values)?.expose()).map_err(broken)?;
            value.set_sensitive(true);
            request.headers_mut().insert(name.clone(), value);
        }
        Ok(request)
    }
}

/// A body that is wiped when it was sent.
struct Held(SecretValue);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}
