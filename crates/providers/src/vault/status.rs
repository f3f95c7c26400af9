//! Which kind of error each HTTP status is, as Vault's API documentation ("HTTP status codes") and OpenBao's source
//! have it.
//!
//! The texts of the server decide in a few rows, but are never passed on.

use ::http::StatusCode;
use ::http::header::HeaderMap;
use bytes::Bytes;
use lockstep_core::{Error, ErrorKind};
use serde::Deserialize;

use crate::json;
use crate::refusal::{Row, fits, refusal};

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

/// What OpenBao says when a login within a request failed. It sets no header then where the method refuses by an error
/// of its own, as Kubernetes does.
const INLINE_FAILED: &str = "failed to perform inline authentication";

/// What an answer to a login means, where the method says nothing of its own. Then [`TABLE`] decides, but that nothing
/// in it is an answer about a secret.
pub(super) const LOGIN: &[Row] = &[
    Row::new(
        500,
        INLINE_FAILED,
        ErrorKind::Unavailable,
        "the server failed while it logged the request in; try again, and look at the credential and at what the \
         method asks",
    ),
    Row::new(
        404,
        "",
        ErrorKind::Config,
        "there is no such way to log in; look at `mount` of `auth`, and at `namespace`",
    ),
    Row::new(405, "", ErrorKind::Config, "the mount is none of this method; look at `mount` and `method` of `auth`"),
];

/// What a refusal to look into a wrapping token, or to open it, means.
pub(super) const UNWRAP: &[Row] = &[
    Row::new(
        400,
        "",
        ErrorKind::Unauthenticated,
        "the wrapping token is used up, over, or none. If nobody of yours has used it, somebody else has what was in \
         it: revoke that, look into the audit log, and issue a new one",
    ),
    Row::new(
        403,
        "",
        ErrorKind::Unauthenticated,
        "the server refuses the wrapping token; look at `namespace`, and issue a new one",
    ),
    Row::new(404, "", ErrorKind::Config, "the server can't unwrap; look at `address` and `namespace`"),
];

#[derive(Deserialize, Default)]
struct Complaint {
    #[serde(default)]
    errors: Vec<String>,
}

/// The error of an answer that is no success and not 403.
pub(super) fn error_of(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Error {
    by(&[TABLE], status, headers, body)
}

/// The error of a login, by what its method says first.
pub(super) fn login_refusal(status: StatusCode, headers: &HeaderMap, body: &Bytes, method: &[Row]) -> Error {
    by(&[method, LOGIN, TABLE], status, headers, body)
}

/// Whether an answer says in words that a login within a request failed.
pub(super) fn says_inline_failed(body: &Bytes) -> bool {
    let complaint: Complaint = json::read(body).unwrap_or_default();
    complaint.errors.iter().any(|text| text.starts_with(INLINE_FAILED))
}

/// The error of unwrapping.
pub(super) fn unwrap_refusal(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Error {
    by(&[UNWRAP, TABLE], status, headers, body)
}

/// By the first table that has a row for it; what none has, the last one's rule for the class of the status decides.
fn by(tables: &[&[Row]], status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Error {
    let complaint: Complaint = json::read(body).unwrap_or_default();
    let says = |part: &str| complaint.errors.iter().any(|text| text.contains(part));
    let table = tables.iter().find(|table| fits(table, status, says)).or(tables.last());
    refusal(table.copied().unwrap_or_default(), status, headers, "", says)
}

/// The answer can't be read.
pub(super) fn malformed() -> Error {
    Error::new(ErrorKind::Malformed, "the server's answer is not what its API promises; look at `address`")
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeSet;

    use lockstep_core::Retry;

    use super::super::login::REFUSALS;

    /// A case: the table that it is about, what is answered, and what that is.
    type Case = (&'static str, u16, &'static str, ErrorKind);

    /// One for each row of each table, in the words of OpenBao's and Vault's sources.
    const CASES: &[Case] = &[
        ("read", 400, "invalid request", ErrorKind::Config),
        ("read", 400, "Upgrading from non-versioned to versioned data. Wait", ErrorKind::Unavailable),
        ("read", 400, "check-and-set parameter did not match the current version", ErrorKind::Conflict),
        ("read", 401, "", ErrorKind::Unauthenticated),
        ("read", 404, "", ErrorKind::NotFound),
        ("read", 404, "no handler for route \"bogus/x\". route entry not found.", ErrorKind::Config),
        ("read", 404, "namespace not found", ErrorKind::Config),
        ("read", 405, "1 error occurred: * unsupported operation", ErrorKind::Unsupported),
        ("read", 408, "", ErrorKind::Timeout),
        ("read", 412, "required index state not present", ErrorKind::Unavailable),
        ("read", 413, "", ErrorKind::TooLarge),
        ("read", 429, "request path rate limit quota exceeded", ErrorKind::Throttled),
        ("read", 472, "", ErrorKind::Unavailable),
        ("read", 473, "", ErrorKind::Unavailable),
        ("read", 474, "", ErrorKind::Unavailable),
        ("read", 500, "internal error", ErrorKind::Unavailable),
        ("read", 501, "", ErrorKind::Unavailable),
        ("read", 502, "", ErrorKind::Unavailable),
        ("read", 503, "Vault is sealed", ErrorKind::Unavailable),
        ("read", 504, "", ErrorKind::Unavailable),
        ("read", 530, "", ErrorKind::Unavailable),
        ("login", 404, "no handler for route", ErrorKind::Config),
        ("login", 405, "", ErrorKind::Config),
        (
            "login",
            500,
            "failed to perform inline authentication: failed raw url-safe base64 decoding header value",
            ErrorKind::Unavailable,
        ),
        ("unwrap", 400, "wrapping token is not valid or does not exist", ErrorKind::Unauthenticated),
        ("unwrap", 403, "permission denied", ErrorKind::Unauthenticated),
        ("unwrap", 404, "", ErrorKind::Config),
        ("approle", 400, "invalid role or secret ID", ErrorKind::Unauthenticated),
        ("approle", 403, "permission denied", ErrorKind::Unauthenticated),
        ("aws", 400, "error making upstream request: received error code 403 from STS", ErrorKind::Unauthenticated),
        ("aws", 403, "permission denied", ErrorKind::Unauthenticated),
        ("cert", 400, "no client certificate found", ErrorKind::Unauthenticated),
        ("cert", 400, "invalid certificate or no client certificate supplied", ErrorKind::Unauthenticated),
        ("cert", 403, "permission denied", ErrorKind::Unauthenticated),
        ("jwt", 400, "error validating token: invalid audience (aud) claim", ErrorKind::Unauthenticated),
        ("jwt", 403, "permission denied", ErrorKind::Unauthenticated),
        ("kubernetes", 400, "invalid role name \"x\"", ErrorKind::Unauthenticated),
        ("kubernetes", 403, "service account name not authorized", ErrorKind::Unauthenticated),
        ("userpass", 400, "invalid username or password", ErrorKind::Unauthenticated),
        ("userpass", 403, "permission denied", ErrorKind::Unauthenticated),
    ];

    fn tables() -> Vec<(&'static str, &'static [Row])> {
        [("read", TABLE), ("login", LOGIN), ("unwrap", UNWRAP)].into_iter().chain(REFUSALS.iter().copied()).collect()
    }

    fn error(table: &str, status: u16, says: &str) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        let errors: Vec<_> = Some(says).filter(|says| !says.is_empty()).into_iter().collect();
        let body = Bytes::from(serde_json::json!({ "errors": errors }).to_string());
        let headers = HeaderMap::new();
        match table {
            "read" => error_of(status, &headers, &body),
            "unwrap" => unwrap_refusal(status, &headers, &body),
            "login" => login_refusal(status, &headers, &body, &[]),
            method => {
                let (_, rows) = REFUSALS.iter().find(|(name, _)| *name == method).unwrap();
                login_refusal(status, &headers, &body, rows)
            }
        }
    }

    /// Break: any row of any table, or the order of the tables in `by`.
    #[test]
    fn every_row_of_the_error_table_has_a_case_and_means_what_is_documented() {
        let mut covered = BTreeSet::new();
        for (table, status, says, kind) in CASES {
            let error = error(table, *status, says);
            assert_eq!((error.kind(), error.upstream_status()), (*kind, Some(*status)), "{table} {status} {says}");
            if !kind.is_transient() {
                assert_eq!(error.retry_hint(), Retry::Never, "{table} {status} {says}");
            }
            for (name, rows) in tables() {
                let row = rows.iter().position(|row| name == *table && row.message == error.message());
                covered.extend(row.map(|row| (name, row)));
            }
        }
        let rows: usize = tables().iter().map(|(_, rows)| rows.len()).sum();
        println!("vault: {rows} rows, {} covered", covered.len());
        let missed: Vec<_> = tables()
            .into_iter()
            .flat_map(|(name, rows)| (0..rows.len()).map(move |row| (name, row)))
            .filter(|row| !covered.contains(row))
            .collect();
        assert!(missed.is_empty(), "rows without a case: {missed:?}");
    }

    #[test]
    fn what_no_row_knows_is_decided_by_its_class_also_while_logging_in() {
        for table in ["read", "login", "unwrap", "approle"] {
            for (status, kind) in [
                (418, ErrorKind::Config),
                (507, ErrorKind::Unavailable),
                (307, ErrorKind::Unavailable),
                (200, ErrorKind::Malformed),
                (503, ErrorKind::Unavailable),
                (429, ErrorKind::Throttled),
            ] {
                assert_eq!(error(table, status, "").kind(), kind, "{table} {status}");
            }
        }
        let page = Bytes::from_static(b"<html>");
        let error = error_of(StatusCode::BAD_GATEWAY, &HeaderMap::new(), &page);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
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
