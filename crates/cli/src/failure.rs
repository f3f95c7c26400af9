//! [`Failure`]: why a command failed, its exit code, and what to do next.

use std::io;

use lockstep_config::Problems;
use lockstep_core::{Error, ErrorKind, SecretRef};

use crate::output::printable;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration is wrong.
    Config(Problems),
    /// What was typed is no reference.
    Reference(Error),
    /// The secret is there, and has not the key that was asked for.
    Key(Error),
    /// What was looked at is not as it should be, and what was printed says why.
    Verdict(Error),
    /// Something else, with its kind.
    Error(Error),
}

impl Failure {
    /// A failure of this kind.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Self::Error(Error::new(kind, message))
    }

    /// What was typed is no reference, and why.
    pub(crate) fn reference(message: impl Into<Box<str>>) -> Self {
        Self::Reference(Error::new(ErrorKind::InvalidReference, message))
    }

    /// The runtime did not start.
    pub(crate) fn runtime(error: io::Error) -> Self {
        Self::Error(Error::new(ErrorKind::Internal, "can't start the event loop").because(error))
    }

    /// What went wrong.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Config(_) => ErrorKind::Config,
            Self::Reference(error) | Self::Key(error) | Self::Verdict(error) | Self::Error(error) => error.kind(),
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

/// What a person does next, where the message can't know it.
pub(crate) fn next_step(failure: &Failure) -> Option<String> {
    let (error, kind) = match failure {
        Failure::Config(_) => (None, ErrorKind::Config),
        Failure::Reference(_) => {
            return Some("write `[alias://]name[#key][@version]`, for example `db/creds#password`".to_owned());
        }
        Failure::Key(error) => {
            return Some(format!("`lockstep get {}` prints the whole secret, with all its keys", reference(error)?));
        }
        Failure::Verdict(_) => return None,
        Failure::Error(error) => (Some(error), error.kind()),
    };
    let asked = || error.and_then(reference).unwrap_or_else(|| "NAME".to_owned());
    let provider = error.and_then(Error::provider);
    Some(match kind {
        ErrorKind::Config => {
            "`lockstep config check` lists what is wrong; `lockstep config show` prints what is in force".to_owned()
        }
        ErrorKind::Unauthenticated => {
            "look at the provider's login in the configuration, and at its credentials".to_owned()
        }
        // Who refused is who has to be asked.
        ErrorKind::Denied if provider.is_some() => {
            "grant the right to the identity that Lockstep logs in with, at the provider".to_owned()
        }
        ErrorKind::Denied => {
            "allow the name in `auth.allow` of the configuration; where there are policies, `lockstep \
                              policy explain` says which one decides"
                .to_owned()
        }
        ErrorKind::NotFound => match provider {
            Some(alias) => format!("`lockstep list {alias}://` prints the names that there are"),
            None => "`lockstep list` prints the names that there are".to_owned(),
        },
        ErrorKind::VersionNotFound => format!("`lockstep versions {}` prints the versions that there are", asked()),
        ErrorKind::Deleted => "recover it at its provider".to_owned(),
        ErrorKind::RotationNotConfigured => "set up its rotation at its provider".to_owned(),
        ErrorKind::RotationInProgress | ErrorKind::Conflict => {
            "wait until the provider has finished, and try again".to_owned()
        }
        ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::CircuitOpen => {
            "try again in a while".to_owned()
        }
        ErrorKind::Network | ErrorKind::Tls => {
            "look at the provider's address in the configuration and at the network, and try again".to_owned()
        }
        ErrorKind::Internal => "try again; if it stays, report it".to_owned(),
        _ => return None,
    })
}

/// The secret that an error is about, as a person types it.
fn reference(error: &Error) -> Option<String> {
    let name = error.name()?.clone();
    let text = SecretRef { alias: error.provider().cloned(), name, key: None, selector: None }.to_string();
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_.:+-%".contains(&b));
    Some(if plain { text } else { format!("'{}'", printable(&text).replace('\'', r"'\''")) })
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
