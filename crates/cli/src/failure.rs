//! [`Failure`]: why a command failed, its exit code, and what to do next.

use std::io;

use lockstep_config::Problems;
use lockstep_core::{Error, ErrorKind};

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration is wrong.
    Config(Problems),
    /// Something else, with its kind.
    Error(Error),
}

impl Failure {
    /// A failure of this kind.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Self::Error(Error::new(kind, message))
    }

    /// The runtime did not start.
    pub(crate) fn runtime(error: io::Error) -> Self {
        Self::Error(Error::new(ErrorKind::Internal, "can't start the event loop").because(error))
    }

    /// What went wrong.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_) => ErrorKind::Config,
            Self::Error(error) => error.kind(),
        }
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        exit_code(self.kind())
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// The one table of exit codes: 1 the secret or provider said no, 2 usage or config, 3 unavailable.
fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Config | ErrorKind::InvalidName | ErrorKind::InvalidReference => 2,
        kind if kind.is_transient() => 3,
        _ => 1,
    }
}

/// What a person does next, for kinds whose messages can't know it.
pub(crate) fn next_step(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::Config => {
            "`lockstep config check` lists what is wrong; `lockstep config show` prints what is in force"
        }
        ErrorKind::InvalidReference | ErrorKind::InvalidName => {
            "write `[alias://]name[#key][@version]`, for example `db/creds#password`"
        }
        ErrorKind::Unauthenticated => "look at the provider's login in the configuration, and at its credentials",
        ErrorKind::Denied => "ask for the right to read it, or look at `auth.allow`",
        ErrorKind::NotFound => "`lockstep list` prints the names that there are",
        ErrorKind::VersionNotFound => "`lockstep versions NAME` prints the versions that there are",
        ErrorKind::Deleted => "recover it at its provider",
        ErrorKind::RotationNotConfigured => "set up its rotation at its provider",
        ErrorKind::RotationInProgress | ErrorKind::Conflict => "wait until the provider has finished, and try again",
        ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::CircuitOpen => {
            "try again in a while"
        }
        ErrorKind::Network | ErrorKind::Tls => {
            "look at the provider's address in the configuration and at the network, and try again"
        }
        ErrorKind::Internal => "try again; if it stays, report it",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_exit_code_that_the_help_text_says() {
        let table: Vec<_> = ErrorKind::ALL.iter().map(|kind| format!("{} {}", exit_code(*kind), kind.code())).collect();
        let of = |code: &str| {
            let words = table.iter().filter_map(|line| line.strip_prefix(code));
            words.map(str::trim).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("2 "), "config invalid_name invalid_reference");
        assert_eq!(of("3 "), "throttled unavailable timeout network tls malformed circuit_open internal");
        assert_eq!(
            of("1 "),
            "unauthenticated denied not_found version_not_found deleted destroyed decrypt conflict \
             rotation_in_progress rotation_not_configured disabled quota_exceeded too_large unsupported"
        );
    }
}
