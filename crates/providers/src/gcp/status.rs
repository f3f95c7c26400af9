//! Which kind of error each refusal is, as `google.rpc.Code` and `ErrorInfo` have it (AIP-193).
//!
//! The text of a refusal decides in a few rows, but is never passed on.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use lockstep_core::{Error, ErrorKind};
use serde::Deserialize;

use crate::body::or_default;
use crate::json;
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
    let complaint = json::read::<Envelope<'_>>(body).unwrap_or_default().error;
    // The state of a version is told by text alone; elsewhere the text quotes names in ways of its own.
    let words = if status == StatusCode::BAD_REQUEST { outside_brackets(&complaint.message) } else { String::new() };
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

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTED: &str = "Permission 'x' denied for resource 'projects/1/secrets/SERVICE_DISABLED/versions/1'";
    const NAMED: &str = "[projects/1/secrets/IS_DISABLED_OR_DESTROYED_cryptoKey/versions/1]";

    fn error(table: &[Row], status: u16, body: &str) -> Error {
        let body = Bytes::copy_from_slice(body.as_bytes());
        error_of(table, StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), &body)
    }

    fn google(code: &str, message: &str, reason: &str) -> String {
        let details = serde_json::json!([{ "@type": "type.googleapis.com/google.rpc.Help" }, { "reason": reason }]);
        serde_json::json!({ "error": { "status": code, "message": message, "details": details } }).to_string()
    }

    /// Checks each case, and that every row of the table has one.
    fn covered(name: &str, table: &[Row], cases: &[(u16, String, ErrorKind)]) {
        let mut rows = vec![false; table.len()];
        for (status, body, kind) in cases {
            let error = error(table, *status, body);
            assert_eq!(error.kind(), *kind, "{status} {body}");
            assert_eq!(error.upstream_status(), Some(*status));
            let row = table.iter().position(|row| row.message == error.message());
            rows[row.unwrap_or_else(|| panic!("no row has decided {status} {body}"))] = true;
        }
        let count = rows.iter().filter(|row| **row).count();
        println!("{name}: {} rows, {count} covered", table.len());
        assert_eq!(count, table.len(), "{rows:?}");
    }

    /// Break: a row of `TABLE`, the order of two, or `outside_brackets`.
    #[test]
    fn each_refusal_of_secret_manager_is_its_kind() {
        let state =
            |state: &str| google("FAILED_PRECONDITION", &format!("Secret Version {NAMED} is in {state} state."), "");
        covered(
            "gcp-secret-manager",
            TABLE,
            &[
                (
                    400,
                    google("FAILED_PRECONDITION", "cryptoKey of [x] is not enabled: DISABLED", ""),
                    ErrorKind::Decrypt,
                ),
                (400, state("DESTROYED"), ErrorKind::Destroyed),
                (400, state("DISABLED"), ErrorKind::Disabled),
                (400, state("ODD"), ErrorKind::Conflict),
                (400, google("INVALID_ARGUMENT", NAMED, ""), ErrorKind::Config),
                (401, google("UNAUTHENTICATED", "", "ACCESS_TOKEN_EXPIRED"), ErrorKind::Unauthenticated),
                (403, google("PERMISSION_DENIED", "", "SERVICE_DISABLED"), ErrorKind::Config),
                (403, google("PERMISSION_DENIED", "", "BILLING_DISABLED"), ErrorKind::Config),
                (403, google("PERMISSION_DENIED", "", "CONSUMER_INVALID"), ErrorKind::Config),
                (403, google("PERMISSION_DENIED", "", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"), ErrorKind::Unauthenticated),
                (403, google("PERMISSION_DENIED", "", "IAM_PERMISSION_DENIED"), ErrorKind::Denied),
                (403, google("PERMISSION_DENIED", QUOTED, "IAM_PERMISSION_DENIED"), ErrorKind::Denied),
                (404, google("NOT_FOUND", "", ""), ErrorKind::NotFound),
                (404, "<html>NOT FOUND".to_owned(), ErrorKind::Config),
                (408, String::new(), ErrorKind::Timeout),
                (409, google("ABORTED", "", ""), ErrorKind::Conflict),
                (429, google("RESOURCE_EXHAUSTED", "", "RATE_LIMIT_EXCEEDED"), ErrorKind::Throttled),
                (499, google("CANCELLED", "", ""), ErrorKind::Unavailable),
                (500, google("INTERNAL", "", ""), ErrorKind::Unavailable),
                (501, google("UNIMPLEMENTED", "", ""), ErrorKind::Unsupported),
                (502, "<html>".to_owned(), ErrorKind::Unavailable),
                (503, google("UNAVAILABLE", "", ""), ErrorKind::Unavailable),
                (504, google("DEADLINE_EXCEEDED", "", ""), ErrorKind::Timeout),
            ],
        );
    }

    /// Break: a row of `IAM_TABLE`; or let it say `NotFound`, which would be remembered of a secret.
    #[test]
    fn each_refusal_of_iam_is_its_kind_and_none_is_about_a_secret() {
        covered(
            "gcp impersonation",
            IAM_TABLE,
            &[
                (403, google("PERMISSION_DENIED", "", "SERVICE_DISABLED"), ErrorKind::Config),
                (403, google("PERMISSION_DENIED", "", "IAM_PERMISSION_DENIED"), ErrorKind::Unauthenticated),
                (401, google("UNAUTHENTICATED", "", ""), ErrorKind::Unauthenticated),
                (404, google("NOT_FOUND", "", ""), ErrorKind::Unauthenticated),
                (400, google("INVALID_ARGUMENT", "", ""), ErrorKind::Unauthenticated),
                (429, google("RESOURCE_EXHAUSTED", "", ""), ErrorKind::Throttled),
                (500, google("INTERNAL", "", ""), ErrorKind::Unavailable),
                (503, google("UNAVAILABLE", "", ""), ErrorKind::Unavailable),
            ],
        );
        let about_a_secret = [ErrorKind::NotFound, ErrorKind::VersionNotFound, ErrorKind::Denied];
        assert!(IAM_TABLE.iter().all(|row| !about_a_secret.contains(&row.kind)));
    }

    /// Break: pass `complaint.status` on as it is.
    #[test]
    fn m1_nothing_of_an_answer_is_passed_on_but_a_code_of_google() {
        for body in [google("c4n4ry", "c4n4ry DISABLED", "c4n4ry"), "c4n4ry".to_owned()] {
            for status in [400, 401, 403, 404, 429, 500, 503] {
                let error = error(TABLE, status, &body);
                assert!(!format!("{error} {error:?} {:?}", error.upstream_code()).contains("c4n4ry"), "{error:?}");
            }
        }
        assert_eq!(error(TABLE, 404, &google("NOT_FOUND", "", "")).upstream_code(), Some("NOT_FOUND"));
    }
}
