//! What went wrong with an exchange, told from the chain of causes. Only our own words, the host and the kinds of the
//! libraries' errors go out: never a path, a query, a header or a body.

use std::error::Error as StdError;
use std::io;

use lockstep_core::{Error, ErrorKind};

use super::target::Target;

/// A failed exchange.
pub(crate) struct Failure {
    kind: ErrorKind,
    /// Whether an open connection ended before the answer began.
    broke: bool,
    /// Whether nothing of the request was written.
    unsent: bool,
    message: String,
}

impl Failure {
    /// The host has no address.
    pub(super) fn of_name(target: &Target) -> Self {
        let message = format!("no connection to {target} (the name can't be resolved); the request was not sent");
        Self { kind: ErrorKind::Network, broke: false, unsent: true, message }
    }

    /// TCP or TLS could not be set up.
    pub(crate) fn of_connecting(target: &Target, error: &io::Error) -> Self {
        let mut causes = Causes::default();
        causes.see(error);
        let (kind, message) = if let Some(tls) = causes.tls {
            (ErrorKind::Tls, format!("TLS with {target} failed ({tls}); the request was not sent"))
        } else if causes.timed_out {
            (ErrorKind::Timeout, format!("{target} did not accept a connection in time; the request was not sent"))
        } else {
            let why = causes.io.unwrap_or_else(|| error.kind());
            (ErrorKind::Network, format!("no connection to {target} ({why}); the request was not sent"))
        };
        Self { kind, broke: false, unsent: true, message }
    }

    /// The connection stood, and then something went wrong.
    pub(super) fn of_exchange(target: &Target, error: &hyper::Error) -> Self {
        let causes = Causes::of(error);
        let (kind, broke, message) = if let Some(tls) = causes.tls {
            // With TLS 1.3 a server refuses our certificate after we have begun to speak.
            (ErrorKind::Tls, false, format!("TLS with {target} failed ({tls}); the request may have been sent"))
        } else if error.is_user() {
            (ErrorKind::Config, false, format!("the request to {target} can't be sent; check the provider's address"))
        } else if causes.timed_out {
            (ErrorKind::Timeout, false, format!("{target} did not answer in time; the request may have been sent"))
        } else if error.is_parse() {
            (ErrorKind::Malformed, false, format!("{target} did not answer in HTTP/1.1; the request was sent"))
        } else if error.is_canceled() {
            let message = format!("the connection to {target} was closed before the request was sent");
            (ErrorKind::Network, true, message)
        } else {
            let why = causes.io.map_or_else(String::new, |kind| format!(" ({kind})"));
            let message = format!("the connection to {target} broke{why}; the request may have been sent");
            (ErrorKind::Network, true, message)
        };
        Self { kind, broke, unsent: broke && error.is_canceled(), message }
    }

    /// Whether a connection that was open ended before the answer.
    pub(super) fn connection_broke(&self) -> bool {
        self.broke
    }

    /// As core sees it.
    pub(crate) fn into_error(self) -> Error {
        let error = Error::new(self.kind, self.message);
        if self.unsent { error.unsent() } else { error }
    }
}

#[derive(Default)]
struct Causes {
    tls: Option<String>,
    io: Option<io::ErrorKind>,
    timed_out: bool,
}

impl Causes {
    fn of(error: &hyper::Error) -> Self {
        let mut causes = Self::default();
        let mut next: Option<&(dyn StdError + 'static)> = error.source();
        while let Some(cause) = next {
            causes.see(cause);
            next = cause.source();
        }
        causes
    }

    fn see(&mut self, cause: &(dyn StdError + 'static)) {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            self.tls = Some(tls.to_string());
        } else if let Some(io) = cause.downcast_ref::<io::Error>() {
            // An io::Error hides what it wraps from `source`.
            match io.get_ref() {
                Some(inner) => self.see(inner),
                None => self.io = Some(io.kind()),
            }
            self.timed_out |= io.kind() == io::ErrorKind::TimedOut;
        }
    }
}
