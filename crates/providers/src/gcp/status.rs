//! Which kind of error each refusal is, as `google.rpc.Code` and `ErrorInfo` have it (AIP-193).
//!
//! The text of a refusal decides in a few rows, but is never passed on.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use lockstep_core::{Error, ErrorKind};
use serde::Deserialize;

use crate::body::or_default;
use crate::refusal::{Row, refusal};

/// Of Secret Manager. The first row that fits decides.
pub(super) const TABLE: &[Row] = &[
    Row::new(
        400,
        "cryptoKey",
        ErrorKind::Decrypt,
        "the key that encrypts the secret (CMEK) can't be used; enable it, and let Secret Manager's service agent use it",
    ),
    Row::new(400, "DESTROYED", ErrorKind::Destroyed, "the version is destroyed; its value can't come back"),
    Row::new(400, "DISABLED", ErrorKind::Disabled, "the version is disabled; enable it, or add another one"),
    Row::new(400, "FAILED_PRECONDITION", ErrorKind::Conflict, "the state of the secret does not allow this"),
    Row::new(400, "", ErrorKind::Config, "the server does not accept the request; look at `project` and `location`"),
    Row::new(401, "", ErrorKind::Unauthenticated, "Google does not accept the token; look at `auth` and the clock"),
    Row::new(
        403,
        "SERVICE_DISABLED",
        ErrorKind::Config,
        "Secret Manager is not enabled in the project; enable secretmanager.googleapis.com",
    ),
    Row::new(403, "BILLING_DISABLED", ErrorKind::Config, "the project has no billing account; give it one"),
    Row::new(403, "CONSUMER_INVALID", ErrorKind::Config, "there is no such project; look at `project`"),
    Row::new(
        403,
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        ErrorKind::Unauthenticated,
        "the token lacks the scope `cloud-platform`; give the machine that scope, or log in another way",
    ),
    Row::new(
        403,
        "",
        ErrorKind::Denied,
        "the identity may not do this, or there is no such project; grant it `roles/secretmanager.secretAccessor` (and \
         `roles/secretmanager.viewer` for lists)",
    ),
    Row::new(404, "NOT_FOUND", ErrorKind::NotFound, "there is no such secret, or it has no version"),
    Row::new(404, "", ErrorKind::Config, "the address serves no Secret Manager; look at `endpoint` and `location`"),
    Row::new(408, "", ErrorKind::Timeout, "the server gave up waiting"),
    Row::new(409, "", ErrorKind::Conflict, "the secret was changed by somebody else"),
    Row::new(429, "", ErrorKind::Throttled, "the quota of the project is used up for this minute"),
    Row::new(499, "", ErrorKind::Unavailable, "the call was cancelled on its way"),
    Row::new(500, "", ErrorKind::Unavailable, "Google failed"),
    Row::new(501, "", ErrorKind::Unsupported, "the server can't do this; look at `endpoint`"),
    Row::new(502, "", ErrorKind::Unavailable, "something before the server failed"),
    Row::new(503, "", ErrorKind::Unavailable, "the server can't answer now"),
    Row::new(504, "", ErrorKind::Timeout, "the server did not answer in time"),
];

/// Of IAM, when it is asked for the token of another service account. None of its refusals is about a secret.
pub(super) const IAM_TABLE: &[Row] = &[
    Row::new(
        403,
        "SERVICE_DISABLED",
        ErrorKind::Config,
        "impersonation is not enabled in the project; enable iamcredentials.googleapis.com",
    ),
    Row::new(
        403,
        "",
        ErrorKind::Unauthenticated,
        "the identity may not take the place of `impersonate`; grant it `roles/iam.serviceAccountTokenCreator` there",
    ),
    Row::new(401, "", ErrorKind::Unauthenticated, "IAM does not accept the token that is to impersonate"),
    Row::new(404, "", ErrorKind::Unauthenticated, "there is no such service account; look at `impersonate`"),
    Row::new(400, "", ErrorKind::Unauthenticated, "IAM does not accept the impersonation; look at `impersonate`"),
    Row::new(429, "", ErrorKind::Throttled, "IAM is asked too often"),
    Row::new(500, "", ErrorKind::Unavailable, "IAM failed"),
    Row::new(503, "", ErrorKind::Unavailable, "IAM can't answer now"),
];

/// The codes of `google.rpc.Code`: what of an answer may be passed on.
const CODES: [&str; 16] = [
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
];

#[derive(Deserialize, Default)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    error: Complaint<'a>,
}

/// `google.rpc.Status`.
#[derive(Deserialize, Default)]
struct Complaint<'a> {
    #[serde(borrow, default)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
    #[serde(borrow, default)]
    details: Vec<Detail<'a>>,
}

#[derive(Deserialize, Default)]
struct Detail<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    reason: Cow<'a, str>,
}

/// The error of an answer that is no success.
pub(super) fn error_of(table: &[Row], status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Error {
    let complaint = serde_json::from_slice::<Envelope<'_>>(body).unwrap_or_default().error;
    let words = outside_brackets(&complaint.message);
    let says = |code: &str| {
        complaint.status == code || complaint.details.iter().any(|detail| detail.reason == code) || words.contains(code)
    };
    let code = CODES.into_iter().find(|code| complaint.status == *code).unwrap_or_default();
    refusal(table, status, headers, code, says)
}

/// The words of a message without the names that it quotes in brackets: a secret may be named `IS_DISABLED`.
fn outside_brackets(message: &str) -> String {
    let mut depth = 0_u32;
    let outside = |letter: &char| {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    };
    message.chars().filter(outside).collect()
}
