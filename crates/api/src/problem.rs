//! Problem documents (RFC 9457), and the one table that gives each [`ErrorKind`] its HTTP status on the native API.
//!
//! | kind | status | code |
//! |---|---|---|
//! | `InvalidName`, `InvalidReference` | 400 | as the kind |
//! | `Denied` by our own rules (the error names no provider) | 403 | `denied` |
//! | `NotFound`, `VersionNotFound` | 404 | as the kind |
//! | `Conflict`, `RotationInProgress`, `RotationNotConfigured`, `Disabled` | 409 | as the kind |
//! | `Deleted`, `Destroyed` | 410 | as the kind |
//! | `Config`, `Internal` | 500 | as the kind; a circle of endpoints is 508 `circle` |
//! | `Unsupported` | 501 | `unsupported` |
//! | `Denied` by the provider | 502 | `provider_denied` |
//! | `Unauthenticated` | 502 | `provider_unauthenticated` |
//! | `Decrypt`, `QuotaExceeded`, `Network`, `Tls`, `Malformed`, `TooLarge` | 502 | as the kind |
//! | `Throttled`, `Unavailable`, `CircuitOpen` | 503 with `Retry-After` | as the kind |
//! | `Timeout` | 504 | `timeout` |
//!
//! 4xx is what the caller can mend, 502 what the operator must, 503 and 504 what time may. A provider's refusal of *our*
//! login is never the caller's 401 or 403.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use lockstep_core::{Error, ErrorKind, RequestId, Retry};

use crate::body::Json;

/// Status, code and title of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable word for programs; `type` is `urn:lockstep:problem:` and this word.
    pub code: &'static str,
    /// What it means, the same for every occurrence.
    pub title: &'static str,
}

/// Endpoints that ask each other.
pub(crate) const CIRCLE: Problem =
    Problem::new(StatusCode::LOOP_DETECTED, "circle", "The endpoints ask each other in a circle");

impl Problem {
    pub(crate) const fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self { status, code, title }
    }
}

/// What a failure is to a caller of the native API.
///
/// A refusal of our own rules is an error of kind `Denied` that names no provider; one that names a provider is the
/// provider's refusal of our login.
///
/// ```
/// use lockstep_api::problem_of;
/// use lockstep_core::{Alias, Error, ErrorKind};
/// let own = Error::new(ErrorKind::Denied, "no rule allows it");
/// assert_eq!(problem_of(&own).status, 403);
/// let alias = Alias::parse("aws").unwrap();
/// assert_eq!(problem_of(&own.from_provider(&alias)).code, "provider_denied");
/// ```
pub fn problem_of(error: &Error) -> Problem {
    use ErrorKind as Kind;
    let kind = error.kind();
    let (status, title) = match kind {
        Kind::InvalidName => (400, "The name is not valid"),
        Kind::InvalidReference => (400, "The request names a provider, part or version that is not valid"),
        Kind::Denied if error.provider().is_none() => (403, "The caller may not do this"),
        Kind::Denied => {
            return Problem::new(
                StatusCode::BAD_GATEWAY,
                "provider_denied",
                "The provider does not let Lockstep do this",
            );
        }
        Kind::Unauthenticated => {
            let title = "The provider does not accept Lockstep's login";
            return Problem::new(StatusCode::BAD_GATEWAY, "provider_unauthenticated", title);
        }
        Kind::NotFound => (404, "There is no such secret"),
        Kind::VersionNotFound => (404, "The secret has no such version or key"),
        Kind::Conflict => (409, "The secret's state does not allow this"),
        Kind::RotationInProgress => (409, "A rotation is under way"),
        Kind::RotationNotConfigured => (409, "The secret has no rotation"),
        Kind::Disabled => (409, "The secret is disabled"),
        Kind::Deleted => (410, "The secret is deleted"),
        Kind::Destroyed => (410, "The secret is destroyed"),
        // Whoever asked first is told the same, however many endpoints are in between.
        Kind::Config if error.upstream_code() == Some(CIRCLE.code) => return CIRCLE,
        Kind::Config => (500, "The configuration is wrong"),
        Kind::Unsupported => (501, "The provider can't do this"),
        Kind::Decrypt => (502, "The provider can't decrypt the secret"),
        Kind::QuotaExceeded => (502, "A quota at the provider is used up"),
        Kind::Network => (502, "The provider can't be reached"),
        Kind::Tls => (502, "No secure connection to the provider"),
        Kind::Malformed => (502, "The provider's answer makes no sense"),
        Kind::TooLarge => (502, "The answer is larger than a limit"),
        Kind::Throttled => (503, "The provider throttles"),
        Kind::Unavailable => (503, "The provider is not available"),
        Kind::CircuitOpen => (503, "The provider failed too often and is left alone"),
        Kind::Timeout => (504, "No answer in time"),
        // `Internal`, and kinds that this table does not know yet.
        _ => (500, "A fault of Lockstep"),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Problem { status, code: kind.code(), title }
}

/// Writes the members of a failure: the document itself, or an item of a batch.
pub(crate) fn write_error(json: &mut Json, error: &Error, request_id: &RequestId) {
    let problem = problem_of(error);
    write_problem(json, problem, error.message(), request_id);
    json.text("provider", error.provider().map(lockstep_core::Alias::as_str));
    json.text("name", error.name().map(lockstep_core::SecretName::as_str));
}

pub(crate) fn write_problem(json: &mut Json, problem: Problem, detail: &str, request_id: &RequestId) {
    json.key("type");
    let mut kind = [0; 64];
    json.string(urn(problem.code, &mut kind));
    json.text("title", Some(problem.title));
    json.key("status");
    json.number(problem.status.as_u16().into());
    json.text("detail", Some(detail));
    json.text("code", Some(problem.code));
    json.text("request_id", Some(&request_id.to_string()));
}

fn urn<'a>(code: &str, buffer: &'a mut [u8; 64]) -> &'a [u8] {
    let text = b"urn:lockstep:problem:";
    let length = (text.len() + code.len()).min(buffer.len());
    for (slot, byte) in buffer.iter_mut().zip(text.iter().chain(code.as_bytes())) {
        *slot = *byte;
    }
    buffer.get(..length).unwrap_or_default()
}

/// The answer to a failure on the native API: a problem document.
pub fn error_response(error: &Error, request_id: &RequestId) -> Response<Bytes> {
    let mut json = Json::with_capacity(512);
    json.open();
    write_error(&mut json, error, request_id);
    json.close();
    let mut response = document(problem_of(error).status, json);
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, retry_after(error));
    }
    response
}

/// A problem document of these members.
pub(crate) fn document(status: StatusCode, json: Json) -> Response<Bytes> {
    let mut response = Response::new(json.into_body());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Whole seconds, rounded up and at least one: "at once" would be a storm.
pub(crate) fn retry_after(error: &Error) -> HeaderValue {
    let seconds = match error.retry_hint() {
        Retry::After(Some(pause)) => pause.as_secs() + u64::from(pause.subsec_nanos() > 0),
        _ => 1,
    };
    HeaderValue::from(seconds.max(1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lockstep_core::{Alias, SecretName};

    use super::*;

    #[test]
    fn every_kind_has_its_status_and_code() {
        use ErrorKind as Kind;
        let expected = |kind: Kind| match kind {
            Kind::InvalidName | Kind::InvalidReference => 400,
            Kind::NotFound | Kind::VersionNotFound => 404,
            Kind::Conflict | Kind::RotationInProgress | Kind::RotationNotConfigured | Kind::Disabled => 409,
            Kind::Deleted | Kind::Destroyed => 410,
            Kind::Config | Kind::Internal => 500,
            Kind::Unsupported => 501,
            Kind::Throttled | Kind::Unavailable | Kind::CircuitOpen => 503,
            Kind::Timeout => 504,
            _ => 502,
        };
        let alias = Alias::parse("aws").unwrap();
        for kind in Kind::ALL {
            let problem = problem_of(&Error::new(kind, "x").from_provider(&alias));
            assert_eq!(problem.status.as_u16(), expected(kind), "{kind:?}");
            let code = match kind {
                Kind::Denied => "provider_denied",
                Kind::Unauthenticated => "provider_unauthenticated",
                _ => kind.code(),
            };
            assert_eq!(problem.code, code);
            assert!(!problem.title.is_empty() && problem.code.len() <= 32);
        }
    }

    #[test]
    fn a_refusal_of_our_own_is_the_callers_and_a_providers_is_not() {
        let own = problem_of(&Error::new(ErrorKind::Denied, "x"));
        assert_eq!((own.status.as_u16(), own.code), (403, "denied"));
    }

    #[test]
    fn a_problem_document_is_complete_and_escaped() {
        let error = Error::new(ErrorKind::NotFound, "no \"such\" secret\n")
            .from_provider(&Alias::parse("aws").unwrap())
            .on(&SecretName::parse("db/creds").unwrap());
        let response = error_response(&error, &"r-1".into());
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(
            response.body(),
            concat!(
                r#"{"type":"urn:lockstep:problem:not_found","title":"There is no such secret","status":404,"#,
                r#""detail":"no \"such\" secret\n","code":"not_found","request_id":"r-1","provider":"aws","name":"db/creds"}"#
            )
        );
    }

    #[test]
    fn retry_after_is_rounded_up_and_never_zero() {
        let after = |hint| retry_after(&Error::new(ErrorKind::Throttled, "x").retry(hint));
        assert_eq!(after(Retry::After(Some(Duration::from_millis(1500)))), "2");
        assert_eq!(after(Retry::After(Some(Duration::ZERO))), "1");
        assert_eq!(after(Retry::Never), "1");
    }
}
