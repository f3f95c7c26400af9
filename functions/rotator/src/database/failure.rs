//! What errors of a database mean. Their words are left out: a server quotes statements in them.

use lockstep_core::{Error, ErrorKind};

const NO_TLS: &str =
    "no TLS, or a certificate that is not for this host or from no root that is trusted; write `ca_file`";

/// What came of a login that was answered.
pub(super) enum Attempt<T> {
    /// It was taken.
    In(T),
    /// The name or the password was not.
    Refused,
}

impl<T> Attempt<T> {
    pub(super) fn map<U>(self, with: impl FnOnce(T) -> U) -> Attempt<U> {
        match self {
            Self::In(connection) => Attempt::In(with(connection)),
            Self::Refused => Attempt::Refused,
        }
    }
}

/// An error of a login as an attempt.
///
/// # Errors
/// Whatever it is but a refusal.
pub(super) fn attempt<T>(opened: Result<T, sqlx::Error>) -> lockstep_core::Result<Attempt<T>> {
    match opened {
        Ok(connection) => Ok(Attempt::In(connection)),
        Err(error) if is_refusal(&error) => Ok(Attempt::Refused),
        Err(error) => Err(failure(&error, "log in")),
    }
}

/// `28P01` and `28000` of PostgreSQL; MySQL's 1045 and MariaDB's 1698 are `28000` too.
fn is_refusal(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code.starts_with("28"))
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

/// What failed, with the code of SQL's standard.
pub(super) fn failure(error: &sqlx::Error, doing: &str) -> Error {
    if let Some(code) = code(error) {
        // Codes have five letters and digits; what has not is not passed on.
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(5).collect();
        let (kind, hint) = match code.get(..2) {
            Some("08" | "53" | "57") => (ErrorKind::Unavailable, "try again"),
            Some("3D") => (ErrorKind::Config, "look at the secret's `dbname`"),
            _ if code == "42501" || code == "42000" => (ErrorKind::Denied, "grant the right to do it"),
            _ => (ErrorKind::Denied, "look at the server's log"),
        };
        return Error::new(kind, format!("the server refused to {doing} (SQLSTATE {code}); {hint}"));
    }
    let (kind, what) = match error {
        // What rustls makes of a certificate comes as one of these.
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => (ErrorKind::Tls, NO_TLS),
        sqlx::Error::Io(_) => (ErrorKind::Network, "no connection, or it broke"),
        sqlx::Error::Tls(_) => (ErrorKind::Tls, NO_TLS),
        sqlx::Error::Configuration(_) => (ErrorKind::Config, "the connection can't be made as it is written"),
        _ => (ErrorKind::Malformed, "the server's answer is not understood"),
    };
    Error::new(kind, format!("could not {doing}: {what}"))
}
