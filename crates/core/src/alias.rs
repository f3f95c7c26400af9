//! [`Alias`]: the name that a provider has in the configuration.

use std::fmt;
use std::sync::Arc;

/// The name of a provider in the configuration: 1 to 63 lower-case ASCII letters, digits, `-` and `_`, beginning with
/// a letter.
///
/// ```
/// use lockstep_core::Alias;
/// assert_eq!(Alias::parse("aws-eu").unwrap().as_str(), "aws-eu");
/// assert!(Alias::parse("https://evil").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alias(Arc<str>);

/// The text is no [`Alias`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a provider's alias is 1 to 63 lower-case letters, digits, `-` and `_`, beginning with a letter, such as `aws`"
)]
pub struct AliasError;

impl Alias {
    /// Reads an alias.
    pub fn parse(text: &str) -> Result<Self, AliasError> {
        let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase());
        let all_fit = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        if starts_well && all_fit && text.len() <= 63 { Ok(Self(Arc::from(text))) } else { Err(AliasError) }
    }

    /// The alias as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}
