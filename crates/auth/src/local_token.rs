//! [`LocalToken`]: the one token that callers on this machine show.
//!
//! Its text is read or made once at the start. What stays is a digest: presented tokens are hashed and the digests
//! compared in constant time, so neither content nor length of the token shows in the time that a refusal takes. No
//! two tokens are ever compared with `==`.

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use lockstep_core::{Env, Error, ErrorKind, Files, Principal, Random, Result, SecretValue};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Where AWS's own extension looks for its token, in its order, so that its clients need no change.
pub const TOKEN_VARIABLES: [&str; 3] = ["AWS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];

/// The longest token in bytes. Session tokens of AWS are the longest in use, and end below 4 KiB.
pub const MAX_TOKEN_BYTES: usize = 8 << 10;

/// How many random bytes a made token has.
const MADE_BYTES: usize = 32;

/// The token that a caller on this machine must show.
pub struct LocalToken {
    digest: [u8; 32],
    origin: TokenOrigin,
    holder: Principal,
    made: Mutex<Option<SecretValue>>,
}

/// Where a [`LocalToken`] comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenOrigin {
    /// This environment variable. It holds the token itself, or `file://` and the path of a file that does.
    Variable(String),
    /// This file. One newline at its end is not part of the token.
    File(String),
    /// Made at the start.
    Made,
}

impl fmt::Display for TokenOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "the variable {name}"),
            Self::File(path) => write!(f, "the file {path}"),
            Self::Made => f.write_str("a token made for this run"),
        }
    }
}

impl LocalToken {
    /// Takes the token from the first of these origins that has one. A variable that is not set, or empty, is passed
    /// over; a file has to be there.
    ///
    /// # Errors
    /// `Config` when no origin has a token, a file can't be read, or a token could not be sent in a header. An origin
    /// that is there and wrong never leads to the next one.
    pub fn load(origins: &[TokenOrigin], env: &dyn Env, files: &dyn Files, random: &dyn Random) -> Result<Self> {
        for origin in origins {
            match origin {
                TokenOrigin::Made => return Ok(Self::make(random)),
                TokenOrigin::File(path) => return Self::read(path, &origin.to_string(), origin, files),
                TokenOrigin::Variable(variable) => {
                    let text = Zeroizing::new(env.var(variable).unwrap_or_default());
                    if text.is_empty() {
                        continue;
                    }
                    return match text.strip_prefix("file://") {
                        None => Self::of(text.as_bytes(), &origin.to_string(), origin),
                        Some("") => Err(config(format!(
                            "{variable} names no file; write `file://` and a path, such as `file:///run/token`"
                        ))),
                        Some(path) => Self::read(path, &format!("the file that {variable} names"), origin, files),
                    };
                }
            }
        }
        let sought: Vec<_> = origins.iter().map(ToString::to_string).collect();
        let sought = if sought.is_empty() { "nowhere".to_owned() } else { sought.join(", ") };
        Err(config(format!("there is no local token (looked at: {sought}); put one of 32 random characters there")))
    }

    /// The token in a file. `place` says which file, for messages.
    fn read(path: &str, place: &str, origin: &TokenOrigin, files: &dyn Files) -> Result<Self> {
        // Two bytes more than a token can have: the newline.
        let content = files.read(Path::new(path), MAX_TOKEN_BYTES + 2).map_err(|error| {
            config(format!("{place}, which holds the local token, can't be read; correct the path")).because(error)
        })?;
        let line = content.bytes.strip_suffix(b"\n").unwrap_or(&content.bytes);
        Self::of(line.strip_suffix(b"\r").unwrap_or(line), place, origin)
    }

    /// Makes a token of 32 random bytes, written in hex.
    pub fn make(random: &dyn Random) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut bytes = Zeroizing::new([0; MADE_BYTES]);
        random.fill(&mut *bytes);
        let mut text = Vec::with_capacity(2 * MADE_BYTES);
        for byte in bytes.iter() {
            text.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
        }
        let text = SecretValue::from(text);
        Self {
            digest: digest(text.expose()),
            origin: TokenOrigin::Made,
            holder: holder(),
            made: Mutex::new(Some(text)),
        }
    }

    fn of(token: &[u8], place: &str, origin: &TokenOrigin) -> Result<Self> {
        let wrong = if token.is_empty() {
            "is empty; write a token of at least 32 random characters there"
        } else if token.len() > MAX_TOKEN_BYTES {
            "is longer than 8 KiB; write a shorter one"
        } else if !token.iter().all(|byte| (b' '..=b'~').contains(byte)) || token.trim_ascii().len() < token.len() {
            "can't be sent in a header; write printable ASCII, without a line break and without a space at either end"
        } else {
            return Ok(Self {
                digest: digest(token),
                origin: origin.clone(),
                holder: holder(),
                made: Mutex::new(None),
            });
        };
        Err(config(format!("the local token in {place} {wrong}")))
    }

    /// Whether this is the token. It takes a time that depends on the length of what was presented and on nothing else.
    pub fn verify(&self, presented: &[u8]) -> bool {
        if presented.is_empty() || presented.len() > MAX_TOKEN_BYTES {
            return false;
        }
        digest(presented).ct_eq(&self.digest).into()
    }

    /// Who comes with it: `local`.
    pub fn holder(&self) -> Principal {
        self.holder.clone()
    }

    /// The text of a token that was made here, for its owner to print. It is there once; later, and for a token that
    /// was read, there is none.
    pub fn reveal(&self) -> Option<SecretValue> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Where it came from.
    pub fn origin(&self) -> &TokenOrigin {
        &self.origin
    }
}

impl fmt::Debug for LocalToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalToken").field("origin", &self.origin).finish_non_exhaustive()
    }
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

/// Made once: who comes with the token is told with each request.
fn holder() -> Principal {
    Principal::new("local")
}

#[cfg(test)]
#[path = "local_token/tests.rs"]
mod tests;
