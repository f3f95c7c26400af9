//! The table of AWS's error codes: what each one means, whether trying again helps, and what to tell the reader.
//!
//! It is read from the top; the first row whose code, and whose words if it has some, fit, decides. The words of AWS's
//! message only choose a row: no text of an answer gets into an error.

mod rows;

use std::time::Duration;

use lockstep_core::{Error, ErrorKind, Retry};

use self::rows::ROWS;
use super::endpoint::Service;

/// What the session has to do before the error is given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing.
    None,
    /// Drop the credential that was refused; a new one may do.
    DropCredentials,
    /// Compare the clock with the answer's `Date`; if it was off, signing again helps.
    CorrectClock,
}

/// What an answer with an error is.
pub(crate) struct Verdict {
    pub(crate) error: Error,
    pub(crate) remedy: Remedy,
}

impl Verdict {
    /// The error as it is given out by who has corrected the clock already. `drop` drops the credential that was refused
    /// and says whether a new one may do.
    pub(crate) fn settled(self, drop: impl FnOnce() -> bool) -> Error {
        let helps = match self.remedy {
            Remedy::None => false,
            Remedy::CorrectClock => true,
            Remedy::DropCredentials => drop(),
        };
        if helps { self.error.retry(Retry::OnceWithFreshCredentials) } else { self.error }
    }
}

/// Looks an error up: by code and words, else by HTTP status.
pub(crate) fn verdict(service: Service, code: &str, words: &str, status: u16, after: Option<Duration>) -> Verdict {
    let words = words.to_ascii_lowercase();
    let found = ROWS.iter().find(|row| {
        row.codes.contains(&code)
            && row.service.is_none_or(|of| of == service)
            && (row.words.is_empty() || row.words.iter().any(|some| words.contains(&some.to_ascii_lowercase())))
    });
    let (kind, message, remedy) = match found {
        Some(row) => (row.kind, row.message, row.remedy),
        None => by_status(status),
    };
    let mut error = Error::new(kind, message).upstream(code, status);
    if let Retry::After(None) = error.retry_hint()
        && kind != ErrorKind::Malformed
    {
        error = error.retry(Retry::After(after));
    } else {
        error = error.retry(Retry::Never);
    }
    Verdict { error, remedy }
}

fn by_status(status: u16) -> (ErrorKind, &'static str, Remedy) {
    match status {
        429 => (ErrorKind::Throttled, "AWS limits the rate of calls", Remedy::None),
        408 => (ErrorKind::Unavailable, "AWS did not get the request in time", Remedy::None),
        500..=599 => (ErrorKind::Unavailable, "AWS can't answer now", Remedy::None),
        401 => (ErrorKind::Unauthenticated, "the endpoint does not accept our login", Remedy::None),
        403 => (
            ErrorKind::Denied,
            "the endpoint refuses the call; look at its policy and at what is before it",
            Remedy::None,
        ),
        300..=399 => (
            ErrorKind::Malformed,
            "the endpoint redirects, and redirects are not followed; look at the endpoint",
            Remedy::None,
        ),
        _ => (
            ErrorKind::Malformed,
            "the endpoint answered with an error that is not AWS's; look at the endpoint",
            Remedy::None,
        ),
    }
}

/// Another kind for the same answer, once more is known of it.
pub(crate) fn like(error: &Error, kind: ErrorKind, message: &str) -> Error {
    let made = Error::new(kind, message)
        .upstream(error.upstream_code().unwrap_or_default(), error.upstream_status().unwrap_or_default());
    match error.upstream_request_id() {
        Some(id) => made.request_id(id),
        None => made,
    }
}

#[cfg(test)]
mod tests;
