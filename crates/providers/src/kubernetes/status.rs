//! Which kind of error each answer is, as the API's conventions have it ("HTTP Status codes" and "Response Status Kind").
//!
//! The code is the `reason` of a `Status`. Its message is never passed on: it quotes names and values of the request.

use http::{HeaderMap, StatusCode};
use lockstep_core::{Error, ErrorKind};
use serde::Deserialize;

use crate::json;
use crate::refusal::{Row, refusal, word};

/// The first row that fits decides.
pub(super) const TABLE: &[Row] = &[
    Row::new(400, "", ErrorKind::Config, "the server does not accept the request; look at `address` and at names"),
    Row::new(401, "", ErrorKind::Unauthenticated, "the server refuses the login; look at the token or certificate"),
    Row::new(
        403,
        "",
        ErrorKind::Denied,
        "the cluster's rules refuse it; grant the verb (get, list, watch) on secrets in that namespace",
    ),
    Row::new(404, "NotFound", ErrorKind::NotFound, "there is no such Secret in the namespace"),
    Row::new(404, "", ErrorKind::Config, "there is no Kubernetes API at the address; look at `address`"),
    Row::new(405, "", ErrorKind::Unsupported, "the server has no such verb"),
    Row::new(406, "", ErrorKind::Unsupported, "the server can't answer with metadata alone; it is older than 1.15"),
    Row::new(409, "", ErrorKind::Conflict, "somebody else has changed it meanwhile; try again"),
    Row::new(410, "", ErrorKind::Conflict, "the list has grown old between two pages; begin again without a token"),
    Row::new(413, "", ErrorKind::TooLarge, "the request is larger than the server takes"),
    Row::new(422, "", ErrorKind::Config, "the server does not accept what the request says"),
    Row::new(429, "", ErrorKind::Throttled, "the server is asked too often, by us or by others of our kind"),
    Row::new(500, "", ErrorKind::Unavailable, "the server failed"),
    Row::new(502, "", ErrorKind::Unavailable, "something before the server failed"),
    Row::new(503, "", ErrorKind::Unavailable, "the server can't answer now"),
    Row::new(
        504,
        "",
        ErrorKind::Unavailable,
        "the server has not caught up, or its storage does not answer; try again",
    ),
];

#[derive(Deserialize, Default)]
pub(super) struct Status {
    #[serde(default)]
    pub(super) code: u16,
    #[serde(default)]
    reason: Option<String>,
}

/// The error of an answer that is no success.
pub(super) fn error_of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    of(status, headers, &json::read(body).unwrap_or_default())
}

/// The error of a `Status` that came as an event, with no answer of its own.
pub(super) fn error_of_event(status: &Status) -> Error {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    of(code, &HeaderMap::new(), status)
}

fn of(code: StatusCode, headers: &HeaderMap, status: &Status) -> Error {
    let reason = word(status.reason.as_deref().unwrap_or_default());
    refusal(TABLE, code, headers, reason, |row| row == reason)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn answered(status: u16, reason: &str) -> Error {
        let body = format!(r#"{{"kind":"Status","message":"secrets \"c4n4ry\"","reason":"{reason}","code":{status}}}"#);
        error_of(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes())
    }

    /// Break: leave a row of `TABLE` out of the cases, or change its kind.
    #[test]
    fn every_row_of_the_table_is_covered_and_no_message_of_the_server_is_passed_on() {
        let mut covered = BTreeSet::new();
        for (status, reason, kind) in [
            (400, "BadRequest", ErrorKind::Config),
            (401, "Unauthorized", ErrorKind::Unauthenticated),
            (403, "Forbidden", ErrorKind::Denied),
            (404, "NotFound", ErrorKind::NotFound),
            (404, "", ErrorKind::Config),
            (404, "c4n4ry", ErrorKind::Config),
            (405, "MethodNotAllowed", ErrorKind::Unsupported),
            (406, "NotAcceptable", ErrorKind::Unsupported),
            (409, "AlreadyExists", ErrorKind::Conflict),
            (410, "Expired", ErrorKind::Conflict),
            (413, "RequestEntityTooLarge", ErrorKind::TooLarge),
            (422, "Invalid", ErrorKind::Config),
            (429, "TooManyRequests", ErrorKind::Throttled),
            (500, "InternalError", ErrorKind::Unavailable),
            (502, "", ErrorKind::Unavailable),
            (503, "ServiceUnavailable", ErrorKind::Unavailable),
            (504, "Timeout", ErrorKind::Unavailable),
        ] {
            let error = answered(status, reason);
            assert_eq!(error.kind(), kind, "{status} {reason}");
            assert!(!format!("{error} {error:?}").contains("c4n4ry"), "{error:?}");
            covered.extend(TABLE.iter().position(|row| row.message == error.message()));
        }
        println!("kubernetes: {} rows, {} covered", TABLE.len(), covered.len());
        assert_eq!(covered, (0..TABLE.len()).collect());
    }

    #[test]
    fn an_answer_that_is_no_status_is_read_by_its_number() {
        for (status, body, kind) in [(404, "<html>", ErrorKind::Config), (503, "", ErrorKind::Unavailable)] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(error_of(status, &HeaderMap::new(), body.as_bytes()).kind(), kind);
        }
        let event = Status { code: 410, reason: Some("Expired".into()) };
        assert_eq!(error_of_event(&event).upstream_status(), Some(410));
        assert_eq!(error_of_event(&Status::default()).kind(), ErrorKind::Unavailable);
    }
}
