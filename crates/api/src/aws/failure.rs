//! Failures on the AWS surface: the provider's own status and code where it gave some, else what AWS would say.
//!
//! The body is the agent's, byte for byte, but for the message: it is ours, safe, and escaped.

use bytes::Bytes;
use http::header::{HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use lockstep_core::{Error, ErrorKind};

use super::{Service, failure_status};
use crate::body::{Wiped, escape};
use crate::problem::retry_after;

/// What the agent calls a fault of its own.
const INTERNAL: &str = "InternalFailure";

/// The answer to a failure of the resolver.
pub(super) fn response(error: &Error, service: Service) -> Response<Bytes> {
    let (status, code) = told_as(error, service);
    // The agent's word for a fault of its own, and for an answer that it can't read, has no message.
    let message = if code == INTERNAL { "" } else { error.message() };
    let mut response = respond(status, code, message);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, retry_after(error));
    }
    response
}

/// The answer to a name, version or label that AWS would not accept either.
pub(crate) fn invalid_response(error: &Error) -> Response<Bytes> {
    respond(StatusCode::BAD_REQUEST, "ValidationException", error.message())
}

fn respond(status: StatusCode, code: &str, message: &str) -> Response<Bytes> {
    let mut body = Wiped::with_capacity(64 + code.len() + message.len());
    body.push(b"{\"__type\":\"");
    escape(&mut body, code.as_bytes());
    // An empty message is left out, as the agent leaves it out.
    if !message.is_empty() {
        body.push(b"\",\"message\":\"");
        escape(&mut body, message.as_bytes());
    }
    body.push(b"\"}");
    let mut response = Response::new(body.into_body());
    *response.status_mut() = status;
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Status and `__type`.
fn told_as(error: &Error, service: Service) -> (StatusCode, &str) {
    let upstream = error.upstream_status().and_then(failure_status);
    if let (Some(status), Some(code)) = (upstream, error.upstream_code().filter(|code| !code.is_empty())) {
        return (status, code);
    }
    if upstream.is_some() {
        return (StatusCode::INTERNAL_SERVER_ERROR, INTERNAL);
    }
    let is_parameter = service == Service::ParameterStore;
    let (status, code) = match error.kind() {
        ErrorKind::Timeout => (504, "TimeoutError"),
        ErrorKind::Network | ErrorKind::Tls | ErrorKind::TooLarge => (502, "ConnectionError"),
        ErrorKind::NotFound if is_parameter => (400, "ParameterNotFound"),
        ErrorKind::VersionNotFound if is_parameter => (400, "ParameterVersionNotFound"),
        ErrorKind::NotFound | ErrorKind::VersionNotFound => (400, "ResourceNotFoundException"),
        ErrorKind::InvalidName | ErrorKind::InvalidReference => (400, "ValidationException"),
        ErrorKind::Decrypt if is_parameter => (400, "InvalidKeyId"),
        ErrorKind::Decrypt => (400, "DecryptionFailure"),
        ErrorKind::Deleted
        | ErrorKind::Destroyed
        | ErrorKind::Disabled
        | ErrorKind::Conflict
        | ErrorKind::RotationInProgress
        | ErrorKind::RotationNotConfigured
        | ErrorKind::Unsupported => (400, "InvalidRequestException"),
        ErrorKind::Throttled => (400, "ThrottlingException"),
        ErrorKind::QuotaExceeded => (400, "LimitExceededException"),
        ErrorKind::Unavailable | ErrorKind::CircuitOpen => (503, "ServiceUnavailable"),
        // Our own refusal has no provider; the agent answers a refusal that it made itself in the same way.
        ErrorKind::Denied => (403, "AccessDeniedException"),
        // No usable login, a wrong configuration, a fault of ours: the agent's word for all three.
        _ => (500, INTERNAL),
    };
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: &Error, service: Service) -> (u16, String) {
        let response = response(error, service);
        (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
    }

    #[test]
    fn the_providers_own_status_and_code_pass_through() {
        let error =
            Error::new(ErrorKind::NotFound, "there is no such secret").upstream("ResourceNotFoundException", 404);
        let body = r#"{"__type":"ResourceNotFoundException","message":"there is no such secret"}"#;
        assert_eq!(told(&error, Service::SecretsManager), (404, body.to_owned()));
    }

    #[test]
    fn a_status_that_is_no_failure_does_not_pass() {
        let error = Error::new(ErrorKind::Malformed, "odd").upstream("X", 200);
        assert_eq!(told(&error, Service::SecretsManager).0, 500);
    }

    #[test]
    fn failures_of_our_own_are_told_as_the_agent_tells_them() {
        let cases = [
            (ErrorKind::Timeout, 504, r#"{"__type":"TimeoutError","message":"a\"b"}"#),
            (ErrorKind::Network, 502, r#"{"__type":"ConnectionError","message":"a\"b"}"#),
            (ErrorKind::Internal, 500, r#"{"__type":"InternalFailure"}"#),
            (ErrorKind::Denied, 403, r#"{"__type":"AccessDeniedException","message":"a\"b"}"#),
            (ErrorKind::NotFound, 400, r#"{"__type":"ResourceNotFoundException","message":"a\"b"}"#),
        ];
        for (kind, status, body) in cases {
            assert_eq!(told(&Error::new(kind, "a\"b"), Service::SecretsManager), (status, body.to_owned()), "{kind:?}");
        }
        let error = Error::new(ErrorKind::NotFound, "x");
        assert!(told(&error, Service::ParameterStore).1.contains("ParameterNotFound"));
    }

    #[test]
    fn every_kind_is_a_failure_with_a_type() {
        for kind in ErrorKind::ALL {
            for service in [Service::SecretsManager, Service::ParameterStore] {
                let (status, body) = told(&Error::new(kind, "x"), service);
                let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
                assert!(status >= 400 && parsed["__type"].is_string(), "{kind:?}");
            }
        }
    }
}
