//! [`SecretRef`]: `[alias://]name[#key][@selector]`, the text that names a secret in configuration, on the command
//! line and, between `{{secret:` and `}}`, in other text.
//!
//! A reference says which secret, and nothing else: it can't carry an address, a credential, a role or a file. Since a
//! value may stand by mistake where a reference should, an error says where and what kind of thing is wrong, and never
//! repeats the text.

use std::fmt;
use std::ops::Range;

use crate::name::is_invisible;
use crate::{Alias, AliasError, Error, ErrorKind, KeyPath, KeyPathError, MAX_SELECTOR_BYTES, NameError, SecretName};

/// The longest reference in bytes: every part at its longest with every character encoded is shorter.
pub const MAX_REFERENCE_BYTES: usize = 16 << 10;

/// What has a meaning in a reference, and so is percent-encoded where it is meant as itself.
const ENCODED: [(char, &str); 4] = [('#', "%23"), ('@', "%40"), ('}', "%7D"), ('%', "%25")];

/// Words that look like a provider and are an address.
const SCHEMES: [&str; 7] = ["http", "https", "ws", "wss", "ftp", "tcp", "unix"];

/// What other tools let a reference set. Here only the configuration does, so these begin no name in a reference.
const PARAMETERS: [&str; 11] = [
    "address=",
    "endpoint=",
    "proto=",
    "profile=",
    "token=",
    "token_env=",
    "token_file=",
    "role_arn=",
    "role_id=",
    "secret_id=",
    "secret_id_file=",
];

/// A parsed reference.
///
/// It prints as it is parsed, with `#`, `@`, `}` and `%` inside a part percent-encoded.
///
/// ```
/// use lockstep_core::SecretRef;
/// let reference = SecretRef::parse("vault://db/creds#password@previous")?;
/// assert_eq!(reference.alias.as_ref().map(|alias| alias.as_str()), Some("vault"));
/// assert_eq!(reference.name.as_str(), "db/creds");
/// assert_eq!(reference.key.as_ref().map(|key| key.as_str()), Some("password"));
/// assert_eq!(reference.selector.as_deref(), Some("previous"));
/// assert_eq!(reference.to_string(), "vault://db/creds#password@previous");
/// # Ok::<(), lockstep_core::ReferenceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretRef {
    /// The provider asked for; without one, the routes decide.
    pub alias: Option<Alias>,
    /// The name inside the provider.
    pub name: SecretName,
    /// Which part of the value.
    pub key: Option<KeyPath>,
    /// Which version, as written; the provider classifies it.
    pub selector: Option<Box<str>>,
}

/// Why a text is no [`SecretRef`], and where. It holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceError {
    fault: ReferenceFault,
    offset: usize,
    length: usize,
}

/// What is wrong with a reference; its message says what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceFault {
    /// More than [`MAX_REFERENCE_BYTES`].
    #[error("the reference is longer than {MAX_REFERENCE_BYTES} bytes; write `name`, `alias://name` or `name#key`")]
    TooLong,
    /// A `?`, or a name that begins like a parameter of another tool.
    #[error(
        "a reference has no parameters; addresses, credentials and roles are set under `[providers]` in the configuration"
    )]
    Parameter,
    /// A `}`.
    #[error("a `}}` ends a reference; write `%7D` if it belongs to the name")]
    Brace,
    /// A `%` that begins none of `%23`, `%40`, `%7D` and `%25`.
    #[error("only `%23` (#), `%40` (@), `%7D` (}}) and `%25` (%) stand for a character; write any other as it is")]
    Percent,
    /// A second `#`.
    #[error("a reference has one `#key`; write `%23` for a `#` inside a name or key, and the key before `@selector`")]
    SecondKey,
    /// A second `@`.
    #[error("a reference has one `@selector`, at its end; write `%40` for an `@` inside a name or key")]
    SecondSelector,
    /// `https://`.
    #[error("a reference names a provider of the configuration, not an address; write its alias, such as `aws://`")]
    Address,
    /// What stands before `://` is no alias.
    #[error("{0}")]
    Alias(#[from] AliasError),
    /// The name is none.
    #[error("{0}")]
    Name(#[from] NameError),
    /// The key is none.
    #[error("{0}")]
    Key(#[from] KeyPathError),
    /// Nothing after `@`, more than [`MAX_SELECTOR_BYTES`], a control character or a space at an end.
    #[error(
        "after `@` stands a version id, a label, `current` or `previous`: 1 to {MAX_SELECTOR_BYTES} bytes, no control characters"
    )]
    Selector,
}

/// One part of a reference as it was written, and where it stands.
#[derive(Clone, Copy)]
struct Part<'a> {
    raw: &'a str,
    offset: usize,
}

impl SecretRef {
    /// Reads a reference, or says what is wrong with it and where.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.len() > MAX_REFERENCE_BYTES {
            return Err(ReferenceError { fault: ReferenceFault::TooLong, offset: 0, length: text.len() });
        }
        let whole = Part { raw: text, offset: 0 };
        for (wrong, fault) in [('?', ReferenceFault::Parameter), ('}', ReferenceFault::Brace)] {
            if let Some(at) = text.find(wrong) {
                return Err(whole.fault_at(at, fault));
            }
        }
        let (rest, selector) = whole.split_at_first('@');
        let (head, key) = rest.split_at_first('#');
        if let Some(part) = selector
            && let Some(at) = part.raw.find(['@', '#'])
        {
            let second = part.raw[at..].starts_with('@');
            return Err(
                part.fault_at(at, if second { ReferenceFault::SecondSelector } else { ReferenceFault::SecondKey })
            );
        }
        if let Some(part) = key
            && let Some(at) = part.raw.find('#')
        {
            return Err(part.fault_at(at, ReferenceFault::SecondKey));
        }
        let (alias, name) = head.split_alias();
        Ok(Self {
            alias: alias.map(Part::alias).transpose()?,
            name: name.name()?,
            key: key.map(Part::key).transpose()?,
            selector: selector.map(Part::selector).transpose()?,
        })
    }
}

impl Part<'_> {
    fn split_at_first(self, mark: char) -> (Self, Option<Self>) {
        match self.raw.split_once(mark) {
            None => (self, None),
            Some((before, after)) => {
                let offset = self.offset + before.len() + mark.len_utf8();
                (Self { raw: before, ..self }, Some(Self { raw: after, offset }))
            }
        }
    }

    /// A name never holds `//`, so the first `://` ends an alias.
    fn split_alias(self) -> (Option<Self>, Self) {
        match self.raw.split_once("://") {
            None => (None, self),
            Some((before, after)) => {
                let offset = self.offset + before.len() + "://".len();
                (Some(Self { raw: before, ..self }), Self { raw: after, offset })
            }
        }
    }

    fn fault(self, fault: impl Into<ReferenceFault>) -> ReferenceError {
        ReferenceError { fault: fault.into(), offset: self.offset, length: self.raw.len() }
    }

    /// A fault of the one character that stands there.
    fn fault_at(self, at: usize, fault: ReferenceFault) -> ReferenceError {
        ReferenceError { fault, offset: self.offset + at, length: 1 }
    }

    fn alias(self) -> Result<Alias, ReferenceError> {
        if SCHEMES.iter().any(|scheme| self.raw.eq_ignore_ascii_case(scheme)) {
            return Err(self.fault(ReferenceFault::Address));
        }
        Alias::parse(self.raw).map_err(|error| self.fault(error))
    }

    fn name(self) -> Result<SecretName, ReferenceError> {
        let text = self.decode()?;
        if text.split(['&', ';', ',']).any(|begin| PARAMETERS.iter().any(|word| begin.starts_with(word))) {
            return Err(self.fault(ReferenceFault::Parameter));
        }
        SecretName::parse(&text).map_err(|error| self.fault(error))
    }

    fn key(self) -> Result<KeyPath, ReferenceError> {
        KeyPath::parse(&self.decode()?).map_err(|error| self.fault(error))
    }

    fn selector(self) -> Result<Box<str>, ReferenceError> {
        let text = self.decode()?;
        let fits = (1..=MAX_SELECTOR_BYTES).contains(&text.len());
        if !fits || text.trim() != text || text.chars().any(is_invisible) {
            return Err(self.fault(ReferenceFault::Selector));
        }
        Ok(text.into())
    }

    fn decode(self) -> Result<String, ReferenceError> {
        let mut out = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            let hex = rest.get(at..at + 3);
            let known = ENCODED.iter().find(|(_, code)| hex.is_some_and(|hex| hex.eq_ignore_ascii_case(code)));
            let Some((plain, code)) = known else {
                return Err(self.fault_at(self.raw.len() - rest.len() + at, ReferenceFault::Percent));
            };
            out.push(*plain);
            rest = &rest[at + code.len()..];
        }
        out.push_str(rest);
        Ok(out)
    }
}

impl ReferenceError {
    /// What is wrong.
    pub fn fault(&self) -> ReferenceFault {
        self.fault
    }

    /// Which bytes of the reference are wrong. At its end the range is empty.
    pub fn span(&self) -> Range<usize> {
        self.offset..self.offset + self.length
    }
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {} of the reference: {}", self.offset, self.fault)
    }
}

impl std::error::Error for ReferenceError {}

impl From<ReferenceError> for Error {
    fn from(error: ReferenceError) -> Self {
        Self::new(ErrorKind::InvalidReference, error.to_string())
    }
}

impl fmt::Display for SecretRef {
    /// A `?` has no place in a reference, so a name or key that holds one prints as text that does not parse.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(alias) = &self.alias {
            write!(f, "{alias}://")?;
        }
        encode(f, self.name.as_str())?;
        if let Some(key) = &self.key {
            f.write_str("#")?;
            encode(f, key.as_str())?;
        }
        if let Some(selector) = &self.selector {
            f.write_str("@")?;
            encode(f, selector)?;
        }
        Ok(())
    }
}

fn encode(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(|c| ENCODED.iter().any(|(plain, _)| *plain == c)) {
        f.write_str(&rest[..at])?;
        let code = ENCODED.iter().find(|(plain, _)| rest[at..].starts_with(*plain)).map_or("", |(_, code)| code);
        f.write_str(code)?;
        rest = &rest[at + 1..];
    }
    f.write_str(rest)
}

#[cfg(test)]
#[path = "reference/tests.rs"]
mod tests;
