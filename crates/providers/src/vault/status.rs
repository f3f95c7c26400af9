//! Which kind of error each HTTP status is, as Vault's API documentation ("HTTP status codes") and OpenBao's source
//! have it.
//!
//! The texts of the server decide in a few rows, but are never passed on.

use ::http::StatusCode;
use ::http::header::HeaderMap;
use bytes::Bytes;
use lockstep_core::{Error, ErrorKind};
use serde::Deserialize;

use crate::refusal::{Row, refusal};

/// The first row that fits decides. 403 is not here: what it means depends on the token.
pub(super) const TABLE: &[Row] = &[
    Row::new(
        400,
        "Upgrading from non-versioned",
        ErrorKind::Unavailable,
        "the mount is being upgraded to KV v2; try again",
    ),
    Row::new(400, "check-and-set", ErrorKind::Conflict, "the secret was changed by somebody else"),
    Row::new(400, "", ErrorKind::Config, "the server does not accept the request; look at the kind of the mount"),
    Row::new(401, "", ErrorKind::Unauthenticated, "something before the server asks for a login; look at `address`"),
    Row::new(
        404,
        "no handler for route",
        ErrorKind::Config,
        "nothing is mounted there, or it is of another kind; look at `mounts`",
    ),
    Row::new(404, "namespace not found", ErrorKind::Config, "there is no such namespace; look at `namespace`"),
    Row::new(404, "", ErrorKind::NotFound, "there is no such secret"),
    Row::new(405, "", ErrorKind::Unsupported, "what is mounted there can't be read like this"),
    Row::new(408, "", ErrorKind::Timeout, "the server gave up waiting"),
    Row::new(412, "", ErrorKind::Unavailable, "the node that was asked is behind the active one; try again"),
    Row::new(413, "", ErrorKind::TooLarge, "the request is larger than the server takes"),
    Row::new(
        429,
        "",
        ErrorKind::Throttled,
        "the server's rate limit or lease quota is used up, or the node is a standby",
    ),
    Row::new(472, "", ErrorKind::Unavailable, "the node is a disaster recovery secondary; look at `address`"),
    Row::new(473, "", ErrorKind::Unavailable, "the node is a performance standby; look at `address`"),
    Row::new(474, "", ErrorKind::Unavailable, "the node does not reach the active one"),
    Row::new(500, "", ErrorKind::Unavailable, "the server failed"),
    Row::new(501, "", ErrorKind::Unavailable, "the server is not initialised"),
    Row::new(502, "", ErrorKind::Unavailable, "something behind the server, or before it, failed"),
    Row::new(503, "", ErrorKind::Unavailable, "the server is sealed or in maintenance"),
    Row::new(504, "", ErrorKind::Unavailable, "the server did not answer its proxy in time"),
    Row::new(530, "", ErrorKind::Unavailable, "the node was removed from its cluster"),
];

#[derive(Deserialize, Default)]
struct Complaint {
    #[serde(default)]
    errors: Vec<String>,
}

/// The error of an answer that is no success and not 403.
pub(super) fn error_of(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Error {
    let complaint: Complaint = serde_json::from_slice(body).unwrap_or_default();
    refusal(TABLE, status, headers, "", |part| complaint.errors.iter().any(|text| text.contains(part)))
}

/// The answer can't be read.
pub(super) fn malformed() -> Error {
    Error::new(ErrorKind::Malformed, "the server's answer is not what its API promises; look at `address`")
}

#[cfg(test)]
mod tests {
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
}
