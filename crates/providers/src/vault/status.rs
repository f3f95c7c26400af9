//! Which kind of error each HTTP status is, as Vault's API documentation ("HTTP status codes") and OpenBao's source
//! have it.
//!
//! The texts of the server decide in a few rows, but are never passed on.

use ::http::StatusCode;
use ::http::header::HeaderMap;
use bytes::Bytes;
use lockstep_core::{Error, ErrorKind, Retry};
use serde::Deserialize;

use crate::oauth::retry_after;

/// One row: the status, a part of the server's message that it takes, the kind, and what we say.
struct Row(u16, &'static str, ErrorKind, &'static str);

/// The first row that fits decides. 403 is not here: what it means depends on the token.
const TABLE: &[Row] = &[
    Row(400, "Upgrading from non-versioned", ErrorKind::Unavailable, "the mount is being upgraded to KV v2; try again"),
    Row(400, "check-and-set", ErrorKind::Conflict, "the secret was changed by somebody else"),
    Row(400, "", ErrorKind::Config, "the server does not accept the request; look at the kind of the mount"),
    Row(401, "", ErrorKind::Unauthenticated, "something before the server asks for a login; look at `address`"),
    Row(
        404,
        "no handler for route",
        ErrorKind::Config,
        "nothing is mounted there, or it is of another kind; look at `mounts`",
    ),
    Row(404, "namespace not found", ErrorKind::Config, "there is no such namespace; look at `namespace`"),
    Row(404, "", ErrorKind::NotFound, "there is no such secret"),
    Row(405, "", ErrorKind::Unsupported, "what is mounted there can't be read like this"),
    Row(408, "", ErrorKind::Timeout, "the server gave up waiting"),
    Row(412, "", ErrorKind::Unavailable, "the node that was asked is behind the active one; try again"),
    Row(413, "", ErrorKind::TooLarge, "the request is larger than the server takes"),
    Row(429, "", ErrorKind::Throttled, "the server's rate limit or lease quota is used up, or the node is a standby"),
    Row(472, "", ErrorKind::Unavailable, "the node is a disaster recovery secondary; look at `address`"),
    Row(473, "", ErrorKind::Unavailable, "the node is a performance standby; look at `address`"),
    Row(474, "", ErrorKind::Unavailable, "the node does not reach the active one"),
    Row(500, "", ErrorKind::Unavailable, "the server failed"),
    Row(501, "", ErrorKind::Unavailable, "the server is not initialised"),
    Row(502, "", ErrorKind::Unavailable, "something behind the server, or before it, failed"),
    Row(503, "", ErrorKind::Unavailable, "the server is sealed or in maintenance"),
    Row(504, "", ErrorKind::Unavailable, "the server did not answer its proxy in time"),
    Row(530, "", ErrorKind::Unavailable, "the node was removed from its cluster"),
];

#[derive(Deserialize, Default)]
struct Complaint {
    #[serde(default)]
    errors: Vec<String>,
}

/// The error of an answer that is no success and not 403.
pub(super) fn error_of(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Error {
    let complaint: Complaint = serde_json::from_slice(body).unwrap_or_default();
    let says = |part: &str| part.is_empty() || complaint.errors.iter().any(|text| text.contains(part));
    let row = TABLE.iter().find(|row| row.0 == status.as_u16() && says(row.1));
    let (kind, message) = match row {
        Some(row) => (row.2, row.3),
        None if status.is_redirection() => {
            (ErrorKind::Unavailable, "the node sends us elsewhere, and redirects are not followed; look at `address`")
        }
        None if status.is_server_error() => (ErrorKind::Unavailable, "the server failed"),
        None if status.is_success() => (ErrorKind::Malformed, "the server's answer is not what its API promises"),
        None => (ErrorKind::Config, "the server does not accept the request; look at `address`"),
    };
    let error = Error::new(kind, message).upstream("", status.as_u16());
    match (kind, retry_after(headers)) {
        (ErrorKind::Throttled | ErrorKind::Unavailable, Some(pause)) => error.retry(Retry::After(Some(pause))),
        _ => error,
    }
}

/// The answer can't be read.
pub(super) fn malformed() -> Error {
    Error::new(ErrorKind::Malformed, "the server's answer is not what its API promises; look at `address`")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ::http::header::RETRY_AFTER;

    use super::*;

    fn kind(status: u16, body: &'static str) -> ErrorKind {
        error_of(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), &Bytes::from_static(body.as_bytes())).kind()
    }

    #[test]
    fn each_status_is_the_kind_that_the_documentation_says() {
        for (status, body, expected) in [
            (400, r#"{"errors":["invalid request"]}"#, ErrorKind::Config),
            (400, r#"{"errors":["Upgrading from non-versioned to versioned data. Wait"]}"#, ErrorKind::Unavailable),
            (400, r#"{"errors":["check-and-set parameter did not match the current version"]}"#, ErrorKind::Conflict),
            (401, "", ErrorKind::Unauthenticated),
            (404, r#"{"errors":[]}"#, ErrorKind::NotFound),
            (404, r#"{"errors":["no handler for route \"bogus/x\". route entry not found."]}"#, ErrorKind::Config),
            (404, r#"{"errors":["namespace not found"]}"#, ErrorKind::Config),
            (405, r#"{"errors":["1 error occurred:\n\t* unsupported operation\n\n"]}"#, ErrorKind::Unsupported),
            (408, "", ErrorKind::Timeout),
            (412, r#"{"errors":["required index state not present"]}"#, ErrorKind::Unavailable),
            (413, "", ErrorKind::TooLarge),
            (418, "", ErrorKind::Config),
            (429, "", ErrorKind::Throttled),
            (472, "", ErrorKind::Unavailable),
            (473, "", ErrorKind::Unavailable),
            (474, "", ErrorKind::Unavailable),
            (500, r#"{"errors":["internal error"]}"#, ErrorKind::Unavailable),
            (501, "", ErrorKind::Unavailable),
            (502, "<html>", ErrorKind::Unavailable),
            (503, r#"{"errors":["Vault is sealed"]}"#, ErrorKind::Unavailable),
            (504, "", ErrorKind::Unavailable),
            (507, "", ErrorKind::Unavailable),
            (530, "", ErrorKind::Unavailable),
            (307, "", ErrorKind::Unavailable),
            (200, "<html>", ErrorKind::Malformed),
        ] {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
    }

    /// O6: break `error_of` by putting a text of the complaint into the message.
    #[test]
    fn o6_no_text_of_the_server_is_passed_on() {
        for status in [400, 404, 429, 500, 503] {
            let body = Bytes::from_static(br#"{"errors":["c4n4ry no handler for route check-and-set"]}"#);
            let error = error_of(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), &body);
            assert!(!format!("{error} {error:?}").contains("c4n4ry"), "{error:?}");
        }
    }

    /// O7: break the `retry` of `error_of`.
    #[test]
    fn o7_retry_after_is_kept() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "7".parse().unwrap())]);
        let hint = |status| error_of(status, &headers, &Bytes::new()).retry_hint();
        assert_eq!(hint(StatusCode::TOO_MANY_REQUESTS), Retry::After(Some(Duration::from_secs(7))));
        assert_eq!(hint(StatusCode::SERVICE_UNAVAILABLE), Retry::After(Some(Duration::from_secs(7))));
        assert_eq!(hint(StatusCode::BAD_REQUEST), Retry::Never);
        let headers = HeaderMap::from_iter([(RETRY_AFTER, u64::MAX.into())]);
        let hint = error_of(StatusCode::SERVICE_UNAVAILABLE, &headers, &Bytes::new()).retry_hint();
        assert_eq!(hint, Retry::After(Some(Duration::from_mins(1))));
    }
}
