//! The envelope around every answer of Vault, and its form of errors: `{"errors":[…]}`.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use lockstep_core::{Error, ErrorKind};

use crate::api::Exchange;
use crate::body::Json;
use crate::problem::{problem_of, retry_after};
use crate::refusal::Refusal;

/// What Vault says to whoever it does not know, whatever is wrong with them.
const UNKNOWN: &str = "permission denied";
/// What Vault says to somebody it knows.
const DENIED: &str = "1 error occurred:\n\t* permission denied\n\n";
const UNSUPPORTED: &str = "1 error occurred:\n\t* unsupported operation\n\n";
const READ_ONLY: &str = "unsupported operation: this endpoint only reads; write at the provider itself";
/// What Vault says of a path of version 1 below a mount of version 2.
const UNVERSIONED: &str = "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API \
                           endpoints to use: values are below data/, versions and lists below metadata/.";

/// Writes an answer: `data` writes the value of that member.
pub(super) fn write(
    json: &mut Json,
    exchange: &Exchange<'_>,
    lease_duration: u64,
    warnings: &[String],
    data: impl FnOnce(&mut Json),
) {
    json.open();
    json.text("request_id", Some(&exchange.id.to_string()));
    json.text("lease_id", Some(""));
    member(json, "renewable", b"false");
    json.key("lease_duration");
    json.number(lease_duration);
    json.key("data");
    data(json);
    member(json, "wrap_info", b"null");
    json.key("warnings");
    if warnings.is_empty() {
        json.raw(b"null");
    } else {
        json.open_list();
        for warning in warnings {
            json.string(warning.as_bytes());
        }
        json.close_list();
    }
    member(json, "auth", b"null");
    json.close();
}

/// A member that is JSON already.
pub(super) fn member(json: &mut Json, key: &str, value: &[u8]) {
    json.key(key);
    json.raw(value);
}

/// An answer of this status.
pub(super) fn respond(status: StatusCode, json: Json) -> Response<Bytes> {
    let mut response = Response::new(json.into_body());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// `{"errors":[…]}`. With no text it is Vault's "there is nothing".
pub(super) fn errors(status: StatusCode, text: Option<&str>) -> Response<Bytes> {
    let mut json = Json::with_capacity(64 + text.map_or(0, str::len));
    json.open();
    json.key("errors");
    json.open_list();
    if let Some(text) = text {
        json.string(text.as_bytes());
    }
    json.close_list();
    json.close();
    respond(status, json)
}

/// A path of version 1 below a mount of version 2. Vault's clients print the warning.
pub(super) fn unversioned(exchange: &Exchange<'_>) -> Response<Bytes> {
    let mut json = Json::with_capacity(512);
    write(&mut json, exchange, 0, &[UNVERSIONED.to_owned()], |json| json.raw(b"null"));
    respond(StatusCode::NOT_FOUND, json)
}

/// The answer to a failure of the resolver.
pub(crate) fn failed(error: &Error) -> Response<Bytes> {
    let problem = problem_of(error);
    let mut response = match error.kind() {
        ErrorKind::NotFound | ErrorKind::VersionNotFound | ErrorKind::Deleted | ErrorKind::Destroyed => {
            errors(StatusCode::NOT_FOUND, None)
        }
        ErrorKind::Denied if error.provider().is_none() => errors(StatusCode::FORBIDDEN, Some(DENIED)),
        ErrorKind::Unsupported => errors(StatusCode::METHOD_NOT_ALLOWED, Some(UNSUPPORTED)),
        // Vault's clients know no 409; what they can mend is 400.
        _ if problem.status == StatusCode::CONFLICT => errors(StatusCode::BAD_REQUEST, Some(error.message())),
        _ => errors(problem.status, Some(error.message())),
    };
    match response.status() {
        StatusCode::SERVICE_UNAVAILABLE => {
            response.headers_mut().insert(RETRY_AFTER, retry_after(error));
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        }
        _ => {}
    }
    response
}

/// The answer to a refusal. Whoever is not let in is told nothing but 403, as Vault does: its clients know no 401.
pub(crate) fn refused(refusal: &Refusal) -> Response<Bytes> {
    let (problem, detail) = refusal.problem();
    let (status, text) = match refusal {
        Refusal::Token => (StatusCode::FORBIDDEN, UNKNOWN),
        Refusal::Login(login) if !login.is_transient() => return errors(StatusCode::FORBIDDEN, Some(UNKNOWN)),
        Refusal::Route => (StatusCode::NOT_FOUND, "no handler for route: look at the mount and its version"),
        Refusal::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, READ_ONLY),
        _ => (problem.status, &*detail),
    };
    let mut response = errors(status, Some(text));
    refusal.add_headers(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_a_failure_in_vaults_form() {
        for kind in ErrorKind::ALL {
            let response = failed(&Error::new(kind, "it \"failed\""));
            assert!(response.status().is_client_error() || response.status().is_server_error(), "{kind:?}");
            let json: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
            assert!(json["errors"].is_array() && json.as_object().unwrap().len() == 1, "{kind:?}");
        }
    }

    #[test]
    fn a_providers_refusal_is_not_the_callers() {
        let own = Error::new(ErrorKind::Denied, "x");
        assert_eq!(failed(&own).status(), 403);
        let alias = lockstep_core::Alias::parse("aws").unwrap();
        assert_eq!(failed(&own.from_provider(&alias)).status(), 502);
    }
}
