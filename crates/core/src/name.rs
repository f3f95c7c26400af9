//! [`SecretName`]: the one spelling of a secret's name inside a provider.
//!
//! Names are parsed here once, at the border. What passes can be put in a path, a cache key, an audit record and a
//! terminal without being looked at again. Nothing here knows a provider; a provider that allows less says so itself.

mod normal;

use std::fmt;
use std::sync::Arc;

use self::normal::{Normal, normal};

/// The longest name in bytes. AWS ARNs and Parameter Store names end at 2048, every other provider earlier.
pub const MAX_NAME_BYTES: usize = 2048;

/// The name of a secret inside one provider: segments joined by `/`, in Unicode NFC.
///
/// Case is significant. One leading `/` is allowed and kept, since Parameter Store names begin with one. Refused are
/// empty, `.` and `..` segments, `\`, control characters, anything percent-encoded, segments that end in a dot or begin
/// or end in a space, and characters that only look like others (whatever Unicode NFKC would change, and bidirectional
/// or invisible controls). So whoever decodes, splits or normalizes a name once more gets the same name.
///
/// ```
/// use lockstep_core::SecretName;
/// assert_eq!(SecretName::parse("db/creds")?.as_str(), "db/creds");
/// assert!(SecretName::parse("db/../root").is_err());
/// # Ok::<(), lockstep_core::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(Arc<str>);

/// Why a text is no [`SecretName`]; its message says what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing was written.
    #[error("the name is empty; write the secret's name, for example `db/creds`")]
    Empty,
    /// More than [`MAX_NAME_BYTES`].
    #[error("the name is longer than {MAX_NAME_BYTES} bytes; no provider has a name that long")]
    TooLong,
    /// `a//b`, `a/` or `//a`.
    #[error("the name has an empty segment; write `a/b`, without doubled or trailing `/`")]
    EmptySegment,
    /// A `.` or `..` segment, plain or percent-encoded.
    #[error("the name has a `.` or `..` segment; write the whole path of the secret instead")]
    DotSegment,
    /// `%2e` and the like: somebody on the way would decode it, and get another name.
    #[error("the name has a percent-encoded character; write the character itself")]
    Encoded,
    /// A backslash.
    #[error("the name has a backslash; separate segments with `/`")]
    Backslash,
    /// A control character, a bidirectional control or an invisible character.
    #[error("the name has a control or invisible character; remove it")]
    Control,
    /// A segment ends in `.` or begins or ends in a space.
    #[error("a segment of the name ends in a dot, or begins or ends in a space; remove it")]
    Edge,
    /// The text is not in Unicode NFC.
    #[error("the name is not in Unicode NFC; write it with composed characters")]
    NotNfc,
    /// A character that Unicode NFKC would turn into another, such as a fullwidth `/`.
    #[error("the name has a character that looks like another (NFKC changes it); write the plain character")]
    Confusable,
}

impl SecretName {
    /// Reads a name, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_NAME_BYTES || !is_plain(text) {
            check(text)?;
        }
        Ok(Self(Arc::from(text)))
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments between the slashes, the leading slash left out.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.trim_start_matches('/').split('/')
    }
}

/// Whether it is made of what needs no second look: ASCII letters, digits and `-_+=,@:`, dots that end no segment, and
/// single slashes. Most names are, and are read by every request; `check` says the same of them.
fn is_plain(text: &str) -> bool {
    let mut last = b'/';
    for byte in text.strip_prefix('/').unwrap_or(text).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'+' | b'=' | b',' | b'@' | b':' | b'.' => {}
            b'/' if last != b'/' && last != b'.' => {}
            _ => return false,
        }
        last = byte;
    }
    last != b'/' && last != b'.'
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() || text == "/" {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong);
    }
    if text.contains('\\') {
        return Err(NameError::Backslash);
    }
    if text.chars().any(is_invisible) {
        return Err(NameError::Control);
    }
    if !text.is_ascii() {
        match normal(text) {
            Normal::Composed(composed) if composed.iter().copied().any(is_invisible) => return Err(NameError::Control),
            Normal::Composed(_) => return Err(NameError::NotNfc),
            Normal::Replaced => return Err(NameError::Confusable),
            Normal::Same if text.chars().any(is_lookalike_separator) => return Err(NameError::Confusable),
            Normal::Same => {}
        }
    }
    if has_percent_encoding(text) {
        return Err(NameError::Encoded);
    }
    for segment in text.strip_prefix('/').unwrap_or(text).split('/') {
        check_segment(segment)?;
    }
    Ok(())
}

fn check_segment(segment: &str) -> Result<(), NameError> {
    // Some servers cut path parameters off first: `..;x` is `..` for them.
    let stem = segment.split(';').next().unwrap_or_default();
    match segment {
        "" => Err(NameError::EmptySegment),
        _ if matches!(stem, "." | "..") => Err(NameError::DotSegment),
        s if s.ends_with('.') || s.starts_with(char::is_whitespace) || s.ends_with(char::is_whitespace) => {
            Err(NameError::Edge)
        }
        _ => Ok(()),
    }
}

/// C0, C1 and DEL; then what a terminal or a reviewer can't see: bidirectional, zero-width and format characters,
/// blanks, line and paragraph separators, variation selectors, tags, and non-characters.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || u32::from(c) & 0xFFFE == 0xFFFE
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{2800}' | '\u{3164}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFD}' | '\u{13430}'..='\u{1345F}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Characters that are read as `/`, `\`, `.`, `:` or a space, and that NFKC leaves as they are.
fn is_lookalike_separator(c: char) -> bool {
    matches!(
        c,
        '\u{02D0}'
            | '\u{0337}'
            | '\u{0338}'
            | '\u{0589}'
            | '\u{05C3}'
            | '\u{0701}'
            | '\u{0702}'
            | '\u{1735}'
            | '\u{2041}'
            | '\u{2044}'
            | '\u{2215}'
            | '\u{2216}'
            | '\u{2236}'
            | '\u{2571}'
            | '\u{27CB}'
            | '\u{27CD}'
            | '\u{29F5}'
            | '\u{29F8}'
            | '\u{29F9}'
            | '\u{3033}'
            | '\u{31D3}'
            | '\u{31D4}'
            | '\u{A4F8}'
            | '\u{A4FD}'
            | '\u{A789}'
            | '\u{1D20F}'
            | '\u{1D23A}'
            | '\u{1D23B}'
    ) || (c.is_whitespace() && c != ' ')
}

/// A `%` with two hex digits behind it, whatever it stands for: `%2e` is a dot, `%252e` is one for who decodes twice,
/// `%%32e` for who is lenient, and `%c0%ae` for who takes overlong UTF-8.
fn has_percent_encoding(text: &str) -> bool {
    text.as_bytes().windows(3).any(|w| w[0] == b'%' && w[1].is_ascii_hexdigit() && w[2].is_ascii_hexdigit())
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<str> for SecretName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
#[path = "name/tests.rs"]
mod tests;
