//! One JSON 1.1 call: build, sign, send, and make an error of what is no answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Request, Response};
use lockstep_core::{Call, Error, ErrorKind, Limits, Result, Retry};
use serde::Serialize;

use super::endpoint::{Endpoint, Service};
use super::errors::{Remedy, Verdict, verdict};
use super::region::Region;
use super::session::{ServiceSettings, Session};
use super::sign::signed;
use super::sts::element;
use crate::body::Body;
use crate::exchange::exchange;

/// Speaks JSON 1.1 with one service.
pub(crate) struct JsonClient {
    session: Arc<Session>,
    service: Service,
    endpoint: Option<Endpoint>,
    limits: Limits,
}

impl JsonClient {
    pub(crate) fn new(session: Arc<Session>, service: Service, settings: &ServiceSettings) -> Result<Self> {
        let endpoint = session.addresses.configured(service, settings.endpoint.as_deref())?;
        Ok(Self { session, service, endpoint, limits: settings.limits })
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// What one call may take.
    #[cfg(feature = "aws-secrets-manager")]
    pub(crate) fn time(&self) -> Duration {
        self.limits.time
    }

    /// The operator's endpoint, if there is one. It serves every region.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// Calls an operation in a region, the session's if none is named. The body of a 200 comes back.
    ///
    /// # Errors
    /// What the table of [`errors`](super::errors) says, with AWS's code, status and request id; and the transport's.
    pub(crate) async fn send(
        &self,
        call: &Call,
        operation: &'static str,
        region: Option<&Region>,
        input: &impl Serialize,
    ) -> Result<Body> {
        let region = region.unwrap_or(&self.session.region);
        let json = serde_json::to_vec(input).map_err(|_| Error::new(ErrorKind::Internal, "a request is no JSON"))?;
        let request = self.request(operation, region, json)?;
        let loaded = self.session.credentials.get(call).await?;
        let time = self.session.clock.now();
        let request = signed(request, &loaded.credential, self.service.name(), region.as_str(), time)?;
        let limits = Limits { time: self.limits.time.min(call.remaining()), ..self.limits };
        let response = exchange(&*self.session.ports.transport, call.traced(request), limits).await?;
        if response.status() == http::StatusCode::OK {
            return Ok(Body::new(response.into_body()));
        }
        let headers = response.headers().clone();
        let Verdict { error, remedy } = failure(self.service, response);
        let again = match remedy {
            Remedy::None => false,
            Remedy::DropCredentials => {
                self.session.credentials.refuse(&loaded);
                true
            }
            Remedy::CorrectClock => self.session.clock.correct(time, &headers),
        };
        Err(if again { error.retry(Retry::OnceWithFreshCredentials) } else { error })
    }

    fn request(&self, operation: &'static str, region: &Region, json: Vec<u8>) -> Result<Request<Bytes>> {
        let own;
        let endpoint = if let Some(endpoint) = &self.endpoint {
            endpoint
        } else {
            own = self.session.addresses.of(self.service, region)?;
            &own
        };
        let broken = |_| Error::new(ErrorKind::Internal, "a request to AWS could not be built");
        Request::post(endpoint.uri().clone())
            .header(HOST, endpoint.host())
            .header(CONTENT_TYPE, HeaderValue::from_static(self.service.media_type()))
            .header("x-amz-target", format!("{}{operation}", self.service.target()))
            .body(Bytes::from(json))
            .map_err(broken)
    }
}

/// What an answer that is not 200 means.
pub(crate) fn failure(service: Service, response: Response<Bytes>) -> Verdict {
    let (parts, body) = response.into_parts();
    let body = Body::new(body);
    let (code, words) = code_and_words(&parts.headers, body.bytes());
    let after = retry_after(&parts.headers);
    let mut verdict = verdict(service, &code, &words, parts.status.as_u16(), after);
    #[cfg(feature = "aws-dynamodb")]
    if service == Service::DynamoDb
        && let Some(cancelled) = super::dynamodb::Cancelled::of(&code, &body)
    {
        verdict.error = verdict.error.because(cancelled);
    }
    if let Some(id) = ["x-amzn-requestid", "x-amz-request-id"].iter().find_map(|name| parts.headers.get(*name))
        && let Ok(id) = id.to_str()
    {
        verdict.error = verdict.error.request_id(id);
    }
    verdict
}

/// The error's code and message: from JSON, from a header, or from XML, as an STS error or one of a proxy is. Services
/// spell the members in different ways, and some send two spellings at once.
fn code_and_words(headers: &HeaderMap, body: &[u8]) -> (String, String) {
    let members: BTreeMap<String, serde_json::Value> = serde_json::from_slice(body).unwrap_or_default();
    let member = |name: &str| {
        let spelled = members.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        spelled.filter_map(|(_, value)| value.as_str()).find(|text| !text.is_empty()).map(str::to_owned)
    };
    let header = || headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let xml = |tag| std::str::from_utf8(body).ok().and_then(|text| element(text, tag)).map(str::to_owned);
    let code = member("__type").or_else(|| member("code")).or_else(header).or_else(|| xml("Code"));
    let words = member("message").or_else(|| xml("Message"));
    (bare_code(&code.unwrap_or_default()).to_owned(), words.unwrap_or_default())
}

/// `ns#Code:http://…` -> `Code`.
fn bare_code(text: &str) -> &str {
    let text = text.split(':').next().unwrap_or_default();
    text.rsplit('#').next().unwrap_or_default()
}

/// `x-amz-retry-after` is in milliseconds, `Retry-After` in seconds; a minute at most.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let after = number("x-amz-retry-after")
        .map(Duration::from_millis)
        .or_else(|| number("retry-after").map(Duration::from_secs));
    after.map(|after| after.min(Duration::from_mins(1)))
}

#[cfg(test)]
mod tests;
