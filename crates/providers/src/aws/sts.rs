//! [`Sts`]: the Security Token Service (2011-06-15): a form goes out, signed or not, and XML comes back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, HOST};
use lockstep_core::{Call, Error, ErrorKind, Operation, Result, Transport, UnixMillis};

use super::clock::SigningClock;
use super::credentials::Credentials;
use super::endpoint::{Endpoint, Service};
use super::errors::{Remedy, Verdict};
use super::json::failure;
use super::sign::signed;
use crate::body::{Body, unexpected};
use crate::form::form;
use crate::oauth::ask_within;

/// Where STS is asked, and with what.
pub(crate) struct Sts {
    transport: Arc<dyn Transport>,
    clock: Arc<SigningClock>,
    endpoint: Endpoint,
    /// What is signed for: the global endpoint is one of `us-east-1`.
    region: String,
}

impl Sts {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        clock: Arc<SigningClock>,
        (endpoint, region): (Endpoint, String),
    ) -> Self {
        Self { transport, clock, endpoint, region }
    }

    /// Asks for an action, signed if there is something to sign with. The body of a success comes back.
    ///
    /// # Errors
    /// What the table says, and what is to be done with the credentials; a wrong clock is corrected already, so that
    /// its remedy is left only where signing again helps.
    pub(crate) async fn ask(
        &self,
        call: &Call,
        action: &str,
        fields: &[(&str, &str)],
        signer: Option<&Credentials>,
    ) -> Result<Body, Verdict> {
        let time = self.clock.now();
        let request = self.request(action, fields, signer, time).map_err(of_login)?;
        let response = ask_within(Duration::from_secs(5), &*self.transport, call, request).await.map_err(of_login)?;
        if response.status().is_success() {
            return Ok(Body::new(response.into_body()));
        }
        let headers = response.headers().clone();
        let Verdict { error, remedy } = failure(Service::Sts, response);
        let error = error.during(Operation::Login);
        match remedy {
            Remedy::CorrectClock if !self.clock.correct(time, &headers) => Err(Verdict { error, remedy: Remedy::None }),
            remedy => Err(Verdict { error, remedy }),
        }
    }

    fn request(
        &self,
        action: &str,
        fields: &[(&str, &str)],
        signer: Option<&Credentials>,
        time: UnixMillis,
    ) -> Result<Request<Bytes>> {
        let all: Vec<_> = [("Action", action), ("Version", "2011-06-15")].iter().chain(fields).copied().collect();
        let request = Request::post(self.endpoint.uri().clone())
            .header(HOST, self.endpoint.host())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(form(&all))
            .map_err(|_| Error::new(ErrorKind::Internal, "a request to STS could not be built"))?;
        match signer {
            Some(credentials) => signed(request, credentials, Service::Sts.name(), &self.region, time),
            None => Ok(request),
        }
    }
}

/// An error that no answer of STS is behind.
pub(crate) fn of_login(error: Error) -> Verdict {
    Verdict { error: error.during(Operation::Login), remedy: Remedy::None }
}

/// The credentials in STS's XML.
///
/// # Errors
/// `Malformed` when a part of them is missing or is none.
pub(crate) fn granted(body: &Body) -> Result<Credentials> {
    let read = || {
        let xml = text(body)?;
        let credentials = xml
            .split_once("<Credentials>")
            .and_then(|(_, rest)| rest.split_once("</Credentials>"))
            .map(|(inside, _)| inside)
            .ok_or_else(|| unexpected("has no credentials"))?;
        let part = |tag| element(credentials, tag).ok_or_else(|| unexpected("lacks a part of the credentials"));
        let (secret, token) = (part("SecretAccessKey")?.into(), part("SessionToken")?.into());
        Credentials::new(part("AccessKeyId")?, &secret, Some(&token), Some(time(part("Expiration")?)?))
    };
    read().map_err(|error| error.during(Operation::Login))
}

/// The answer as text.
///
/// # Errors
/// `Malformed` when it is none.
pub(crate) fn text(body: &Body) -> Result<&str> {
    std::str::from_utf8(body.bytes()).map_err(|_| unexpected("is not UTF-8"))
}

/// A time of an answer.
///
/// # Errors
/// `Malformed` when it is none.
pub(crate) fn time(text: &str) -> Result<UnixMillis> {
    UnixMillis::from_rfc3339(text).ok_or_else(|| unexpected("has a wrong expiry"))
}

/// The text of the first element of this name. Text with markup or entities in it is not what we look for: `None`.
pub(crate) fn element<'a>(xml: &'a str, tag: &str) -> Option<&'a str> {
    let from = xml.find(&format!("<{tag}>"))? + tag.len() + 2;
    let rest = &xml[from..];
    let text = rest[..rest.find(&format!("</{tag}>"))?].trim();
    (!text.contains(['<', '&'])).then_some(text)
}
