//! [`refusal`]: the error of an answer that is no success, by the table of its provider.
//!
//! A table is read from the top; the first row whose status, and whose code if it has one, fit, decides. What no row
//! knows is decided by the class of its status. No text of an answer gets into an error but its code.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use lockstep_core::{Error, ErrorKind, Retry};

/// The longest pause that is handed on to callers.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// One row: what a provider answers, and what that means.
#[derive(Debug)]
pub(crate) struct Row {
    /// The HTTP status; 0 is any.
    pub(crate) status: u16,
    /// The provider's code, or the part of its message that tells; empty is any.
    pub(crate) code: &'static str,
    pub(crate) kind: ErrorKind,
    /// What failed, and what to do.
    pub(crate) message: &'static str,
}

impl Row {
    /// A row, in one line of a table.
    pub(crate) const fn new(status: u16, code: &'static str, kind: ErrorKind, message: &'static str) -> Self {
        Self { status, code, kind, message }
    }

    fn fits(&self, status: StatusCode, says: impl Fn(&str) -> bool) -> bool {
        (self.status == 0 || self.status == status.as_u16()) && (self.code.is_empty() || says(self.code))
    }
}

/// Whether a table has a row for an answer: what comes before another table decides where it has one.
#[cfg(any(feature = "azure-key-vault", feature = "vault"))]
pub(crate) fn fits(table: &[Row], status: StatusCode, says: impl Fn(&str) -> bool) -> bool {
    table.iter().any(|row| row.fits(status, &says))
}

/// The error of an answer. `says` tells whether the answer has a row's code; `code` is the one to keep.
pub(crate) fn refusal(
    table: &[Row],
    status: StatusCode,
    headers: &HeaderMap,
    code: &str,
    says: impl Fn(&str) -> bool,
) -> Error {
    let (kind, message) = match table.iter().find(|row| row.fits(status, &says)) {
        Some(row) => (row.kind, row.message),
        None if status.is_redirection() => {
            (ErrorKind::Unavailable, "it sends us elsewhere, and redirects are not followed; look at its address")
        }
        None if status.is_server_error() => (ErrorKind::Unavailable, "the server failed"),
        None if status == StatusCode::TOO_MANY_REQUESTS => (ErrorKind::Throttled, "the server is asked too often"),
        None if status == StatusCode::REQUEST_TIMEOUT => (ErrorKind::Timeout, "the server gave up waiting"),
        None if status.is_success() => (ErrorKind::Malformed, "the answer is not what the API promises"),
        None => (ErrorKind::Config, "the server does not accept the request; look at its address"),
    };
    let error = Error::new(kind, message).upstream(code, status.as_u16());
    match (kind, retry_after(headers)) {
        (ErrorKind::Throttled | ErrorKind::Unavailable, Some(pause)) => error.retry(Retry::After(Some(pause))),
        _ => error,
    }
}

/// The code of an answer, if it is one word of letters as those of a list are. What is none came from somebody else, and
/// could be anything: what was asked for, or what was shown as a login.
#[cfg(any(feature = "azure-key-vault", feature = "kubernetes"))]
pub(crate) fn word(code: &str) -> &str {
    let is_word = code.len() <= 40 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_word { code } else { "" }
}

/// `Retry-After` in seconds, a minute at most: it is handed on to callers. The form with a date is not in use here.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Row] = &[
        Row::new(404, "Gone", ErrorKind::Deleted, "it is gone"),
        Row::new(404, "", ErrorKind::NotFound, "it is not there"),
        Row::new(0, "Busy", ErrorKind::Throttled, "it is busy"),
    ];

    fn error(status: u16, code: &str) -> Error {
        refusal(TABLE, StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), code, |row| row == code)
    }

    /// Break: any `fits` or any arm of the match in `refusal`.
    #[test]
    fn the_first_row_that_fits_decides_and_else_the_class_of_the_status() {
        for (status, code, kind) in [
            (404, "Gone", ErrorKind::Deleted),
            (404, "Other", ErrorKind::NotFound),
            (400, "Busy", ErrorKind::Throttled),
            (307, "", ErrorKind::Unavailable),
            (599, "", ErrorKind::Unavailable),
            (429, "", ErrorKind::Throttled),
            (408, "", ErrorKind::Timeout),
            (200, "", ErrorKind::Malformed),
            (418, "", ErrorKind::Config),
        ] {
            let error = error(status, code);
            assert_eq!((error.kind(), error.upstream_status()), (kind, Some(status)), "{status} {code}");
        }
    }

    /// O7: break the `retry` of `refusal`.
    #[test]
    fn o7_retry_after_is_kept_up_to_a_minute() {
        for (seconds, expected) in [(7, 7), (u64::MAX, 60)] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, seconds.into())]);
            let hint = |status| refusal(&[], status, &headers, "", |_| false).retry_hint();
            let after = Retry::After(Some(Duration::from_secs(expected)));
            assert_eq!(hint(StatusCode::TOO_MANY_REQUESTS), after);
            assert_eq!(hint(StatusCode::SERVICE_UNAVAILABLE), after);
            assert_eq!(hint(StatusCode::BAD_REQUEST), Retry::Never);
        }
    }
}
