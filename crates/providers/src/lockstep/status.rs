//! What each problem of an endpoint means to who asks it. The codes are those of `docs/errors.md` and of the endpoint's
//! refusals.

use bytes::Bytes;
use http::Response;
use lockstep_core::{Error, ErrorKind};
use serde::Deserialize;

use crate::json;
use crate::refusal::{Row, refusal};

/// The table, by the `code` of a problem document (RFC 9457).
pub(super) const TABLE: &[Row] = &[
    Row::new(0, "bad_token", ErrorKind::Unauthenticated, "the endpoint does not accept the token; look at `token`"),
    Row::new(0, "denied", ErrorKind::Denied, "the endpoint's rules refuse this; look at its `auth.allow`"),
    Row::new(0, "provider_denied", ErrorKind::Denied, "the endpoint's own provider refuses it the right to do this"),
    Row::new(
        0,
        "provider_unauthenticated",
        ErrorKind::Unauthenticated,
        "the endpoint's own provider does not accept the endpoint's login; look at that endpoint's log",
    ),
    Row::new(0, "not_found", ErrorKind::NotFound, "the endpoint has no such secret"),
    Row::new(0, "version_not_found", ErrorKind::VersionNotFound, "there is no such version of the secret"),
    Row::new(0, "deleted", ErrorKind::Deleted, "the secret is deleted; recover it at its provider"),
    Row::new(0, "destroyed", ErrorKind::Destroyed, "the secret is gone for good"),
    Row::new(0, "disabled", ErrorKind::Disabled, "the secret or version is disabled at its provider"),
    Row::new(0, "decrypt", ErrorKind::Decrypt, "the endpoint's provider can't decrypt it; look at the key there"),
    Row::new(0, "conflict", ErrorKind::Conflict, "the secret's state at its provider does not allow this"),
    Row::new(0, "rotation_in_progress", ErrorKind::RotationInProgress, "a rotation is under way; wait, try again"),
    Row::new(0, "rotation_not_configured", ErrorKind::RotationNotConfigured, "the secret has no rotation"),
    Row::new(0, "quota_exceeded", ErrorKind::QuotaExceeded, "a quota at the endpoint's provider is used up"),
    Row::new(0, "unsupported", ErrorKind::Unsupported, "the endpoint's provider can't do this"),
    Row::new(0, "invalid_name", ErrorKind::InvalidName, "the endpoint's provider can't have such a name"),
    Row::new(
        0,
        "invalid_reference",
        ErrorKind::InvalidReference,
        "the endpoint has no route for the name, no such provider, or the version does not parse",
    ),
    Row::new(0, "invalid_parameter", ErrorKind::InvalidName, "the endpoint does not accept the name, page or filter"),
    Row::new(0, "invalid_target", ErrorKind::InvalidName, "the endpoint can read the name in two ways"),
    Row::new(0, "too_large", ErrorKind::TooLarge, "the answer of the endpoint's provider is larger than its limit"),
    Row::new(0, "circle", ErrorKind::Config, "the endpoints ask each other in a circle; look at their providers"),
    Row::new(0, "config", ErrorKind::Config, "the endpoint's configuration is wrong; look at its log"),
    Row::new(0, "forwarded", ErrorKind::Config, "something before the endpoint passes requests on; look at `address`"),
    Row::new(0, "forbidden_host", ErrorKind::Config, "the endpoint does not go by this name; look at `address`"),
    Row::new(
        0,
        "no_such_route",
        ErrorKind::Config,
        "the endpoint has no such route; look at its version and `address`",
    ),
    Row::new(0, "method_not_allowed", ErrorKind::Config, "the endpoint has no such route; look at its version"),
    Row::new(0, "too_many_connections", ErrorKind::Throttled, "the endpoint has too many connections"),
    Row::new(0, "throttled", ErrorKind::Throttled, "the endpoint's provider throttles it"),
    Row::new(0, "unavailable", ErrorKind::Unavailable, "the endpoint's provider can't answer now"),
    Row::new(0, "circuit_open", ErrorKind::Unavailable, "the endpoint leaves its provider alone: it failed too often"),
    Row::new(0, "timeout", ErrorKind::Timeout, "the endpoint's provider did not answer it in time"),
    Row::new(0, "network", ErrorKind::Unavailable, "the endpoint does not reach its provider"),
    Row::new(0, "tls", ErrorKind::Unavailable, "the endpoint has no secure connection to its provider"),
    Row::new(0, "malformed", ErrorKind::Unavailable, "the answer of the endpoint's provider makes no sense to it"),
    Row::new(0, "internal", ErrorKind::Unavailable, "a fault of the endpoint; look at its log"),
];

/// The members of a problem document that count here.
#[derive(Deserialize, Default)]
pub(super) struct Problem {
    #[serde(default)]
    code: String,
    #[serde(default)]
    request_id: String,
}

/// The error of an answer that is no success.
pub(super) fn error_of(response: &Response<Bytes>) -> Error {
    // What is no problem document comes from something before the endpoint: its status decides.
    let problem: Problem = json::read(response.body()).unwrap_or_default();
    told(response, &problem)
}

/// The error of a problem, in an answer of its own or as one result of many.
pub(super) fn told(response: &Response<Bytes>, problem: &Problem) -> Error {
    // A code that no endpoint has may be anything, our own token too.
    let code = TABLE.iter().map(|row| row.code).find(|code| *code == problem.code).unwrap_or_default();
    let error = refusal(TABLE, response.status(), response.headers(), code, |row| row == code);
    let is_id = problem.request_id.len() == 32 && problem.request_id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { error.request_id(&problem.request_id) } else { error }
}
