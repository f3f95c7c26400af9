//! What went wrong with an exchange, told from the chain of causes. Only our own words, the host and the kinds of the
//! libraries' errors go out: never a path, a query, a header or a body.

use std::error::Error as StdError;
use std::io;

use lockstep_core::{Error, ErrorKind};

/// A failed exchange.
pub(super) struct Failure {
    kind: ErrorKind,
    /// Whether an open connection ended before the answer began.
    broke: bool,
    message: String,
}

impl Failure {
    /// Reads the chain of causes.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let host = error.url().and_then(|url| {
            let host = url.host_str()?;
            Some(url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
        });
        let host = host.as_deref().unwrap_or("the provider");
        let causes = Causes::of(error);
        let (kind, broke, message) = if let Some(tls) = causes.tls {
            // With TLS 1.3 a server refuses our certificate after we have begun to speak.
            let sent = if error.is_connect() { "was not sent" } else { "may have been sent" };
            (ErrorKind::Tls, false, format!("TLS with {host} failed ({tls}); the request {sent}"))
        } else if error.is_connect() {
            if causes.timed_out {
                (
                    ErrorKind::Timeout,
                    false,
                    format!("{host} did not accept a connection in time; the request was not sent"),
                )
            } else {
                let why = causes.io.map_or_else(|| "the name can't be resolved".to_owned(), |kind| kind.to_string());
                (ErrorKind::Network, false, format!("no connection to {host} ({why}); the request was not sent"))
            }
        } else if error.is_builder() {
            (ErrorKind::Config, false, format!("the request to {host} can't be sent; check the provider's address"))
        } else if causes.timed_out {
            (ErrorKind::Timeout, false, format!("{host} did not answer in time; the request may have been sent"))
        } else if causes.unreadable {
            (ErrorKind::Malformed, false, format!("{host} did not answer in HTTP/1.1; the request was sent"))
        } else if causes.not_sent {
            let message = format!("the connection to {host} was closed before the request was sent");
            (ErrorKind::Network, true, message)
        } else {
            let why = causes.io.map_or_else(String::new, |kind| format!(" ({kind})"));
            let message = format!("the connection to {host} broke{why}; the request may have been sent");
            (ErrorKind::Network, true, message)
        };
        Self { kind, broke, message }
    }

    /// Whether a connection that was open ended before the answer.
    pub(super) fn connection_broke(&self) -> bool {
        self.broke
    }

    /// As core sees it.
    pub(super) fn into_error(self) -> Error {
        Error::new(self.kind, self.message)
    }
}

#[derive(Default)]
struct Causes {
    tls: Option<String>,
    io: Option<io::ErrorKind>,
    timed_out: bool,
    unreadable: bool,
    not_sent: bool,
}

impl Causes {
    fn of(error: &reqwest::Error) -> Self {
        let mut causes = Self { timed_out: error.is_timeout(), ..Self::default() };
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
        } else if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
            self.unreadable |= hyper.is_parse();
            self.not_sent |= hyper.is_canceled();
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
