//! [`Credential`]: where a secret of the configuration comes from. It never stands in the configuration itself.

use std::path::Path;

use lockstep_core::{Env, Error, ErrorKind, Files, Result, SecretValue};

/// The longest credential in bytes. Tokens and secret ids are far shorter; JWTs stay below.
const MAX_BYTES: usize = 64 << 10;

/// Where a credential is read from: `{ env = "…" }` or `{ file = "…" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// This environment variable.
    Env(Box<str>),
    /// This file; white space at its end is not part of the credential.
    File(Box<Path>),
}

impl Credential {
    /// Reads it, anew each time: an agent may have written another one.
    ///
    /// # Errors
    /// `Unauthenticated` when it is missing or empty, or can't stand in a header.
    pub fn read(&self, env: &dyn Env, files: &dyn Files) -> Result<SecretValue> {
        let text = self.document(env, files)?;
        if text.expose().iter().any(|byte| !(0x20..0x7f).contains(byte)) {
            let what = "has a line break or another control character";
            return Err(self.refused(what, "write the credential alone into it"));
        }
        Ok(text)
    }

    /// Reads a credential of more than one line, such as a key file, anew each time.
    ///
    /// # Errors
    /// `Unauthenticated` when it is missing or empty, or is no text.
    pub fn document(&self, env: &dyn Env, files: &dyn Files) -> Result<SecretValue> {
        let text = match self {
            Self::Env(name) => env
                .var(name)
                .map(SecretValue::from)
                .ok_or_else(|| self.refused("is not set", "set it, or name another variable in the configuration"))?,
            Self::File(path) => {
                let content = files.read(path, MAX_BYTES).map_err(|error| {
                    self.refused("can't be read", "look at its path and permissions").because(error)
                })?;
                let text = std::str::from_utf8(&content.bytes)
                    .map_err(|_| self.refused("is not UTF-8 text", "write the credential alone into it"))?;
                SecretValue::from(text.trim_end())
            }
        };
        if text.is_empty() { Err(self.refused("is empty", "write the credential into it")) } else { Ok(text) }
    }

    fn refused(&self, what: &str, do_this: &str) -> Error {
        let place = match self {
            Self::Env(name) => format!("the variable {name}"),
            Self::File(path) => format!("the file {}", path.display()),
        };
        Error::new(ErrorKind::Unauthenticated, format!("{place}, which holds a credential, {what}; {do_this}"))
    }
}

#[cfg(test)]
mod tests {
    use lockstep_testkit::{TestEnv, TestFiles};

    use super::*;

    #[test]
    fn a_credential_is_read_anew_and_trimmed_at_its_end() {
        let (env, files) = (TestEnv::of(&[("TOKEN", "hvs.1")]), TestFiles::new());
        files.write("/run/token", "hvs.2\n");
        let read = |credential: Credential| credential.read(&*env, &*files).unwrap().expose_text().unwrap().to_owned();
        assert_eq!(read(Credential::Env("TOKEN".into())), "hvs.1");
        assert_eq!(read(Credential::File(Path::new("/run/token").into())), "hvs.2");
        files.write("/run/token", "hvs.3");
        assert_eq!(read(Credential::File(Path::new("/run/token").into())), "hvs.3");
    }

    /// O4: break the check for control characters in `Credential::read`.
    #[test]
    fn o4_a_credential_with_a_line_break_never_becomes_a_header() {
        let files = TestFiles::new();
        for bad in ["t\r\nX-Other: y", "t\ny", "t\0y", "t\ty", "t\u{7f}y", "é"] {
            let env = TestEnv::of(&[("TOKEN", bad)]);
            let error = Credential::Env("TOKEN".into()).read(&*env, &*files).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{bad:?}");
            assert!(!error.to_string().contains(bad), "{error}");
        }
    }

    #[test]
    fn a_missing_or_empty_credential_says_where_it_was_sought() {
        let (env, files) = (TestEnv::of(&[]), TestFiles::new());
        files.write("/run/empty", " \n");
        for (credential, place) in [
            (Credential::Env("TOKEN".into()), "the variable TOKEN"),
            (Credential::File(Path::new("/run/none").into()), "the file /run/none"),
            (Credential::File(Path::new("/run/empty").into()), "the file /run/empty"),
        ] {
            let error = credential.read(&*env, &*files).unwrap_err();
            assert!(error.to_string().contains(place), "{error}");
        }
    }
}
