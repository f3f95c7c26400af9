//! [`SecretValue`]: bytes that never print themselves, are wiped on drop and compare in constant time.
//!
//! The only way to the bytes is [`SecretValue::expose`], so that a reader can search for every place that does it.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretBox};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// The bytes of a secret.
///
/// It has no `Clone`, `Display` or `Serialize`; its `Debug` prints no byte and no length.
///
/// ```
/// use lockstep_core::SecretValue;
/// let value = SecretValue::from("hunter2");
/// assert_eq!(value.expose(), b"hunter2");
/// assert_eq!(format!("{value:?}"), "SecretValue(…)");
/// ```
pub struct SecretValue(SecretBox<[u8]>);

impl SecretValue {
    /// The bytes. Keep the borrow short, and copy only into something that is wiped.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The bytes as text, if they are UTF-8.
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(self.expose()).ok()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether there is no byte at all.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }

    /// A second copy, wiped like the first. Named, so that no copy is made by accident.
    pub fn duplicate(&self) -> Self {
        Self(SecretBox::new(Box::from(self.expose())))
    }
}

impl From<Vec<u8>> for SecretValue {
    /// Takes the bytes over. A vector with spare capacity is copied and wiped: shrinking it would leave its old block
    /// behind.
    fn from(mut bytes: Vec<u8>) -> Self {
        if bytes.len() == bytes.capacity() {
            return Self(SecretBox::new(bytes.into_boxed_slice()));
        }
        let exact = Box::from(bytes.as_slice());
        bytes.zeroize();
        Self(SecretBox::new(exact))
    }
}

impl From<String> for SecretValue {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&str> for SecretValue {
    fn from(text: &str) -> Self {
        Self(SecretBox::new(Box::from(text.as_bytes())))
    }
}

impl From<&[u8]> for SecretValue {
    fn from(bytes: &[u8]) -> Self {
        Self(SecretBox::new(Box::from(bytes)))
    }
}

impl PartialEq for SecretValue {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for SecretValue {}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// How the provider stores a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Stored as text.
    Text,
    /// Stored as bytes; a drop-in surface answers `SecretBinary`.
    Binary,
    /// A JSON number, boolean, array, object or null, as its source text: in a [`Field`] of a KV store, or read by a
    /// [`KeyPath`](crate::KeyPath).
    Json,
}

/// One value and how it is stored.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// The bytes.
    pub value: SecretValue,
    /// How the provider stores them.
    pub encoding: Encoding,
}

impl Field {
    /// A second copy, wiped like the first. Named, so that no copy is made by accident.
    pub fn duplicate(&self) -> Self {
        Self { value: self.value.duplicate(), encoding: self.encoding }
    }
}

/// What a secret holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Payload {
    /// One value. A key reads a member of it when it is JSON.
    Whole(Field),
    /// Named values (Vault KV, Kubernetes). A key reads one of them.
    Fields(BTreeMap<Box<str>, Field>),
}

impl Payload {
    /// A text value.
    pub fn text(text: impl Into<SecretValue>) -> Self {
        Self::Whole(Field { value: text.into(), encoding: Encoding::Text })
    }

    /// A binary value.
    pub fn binary(bytes: impl Into<SecretValue>) -> Self {
        Self::Whole(Field { value: bytes.into(), encoding: Encoding::Binary })
    }

    /// Bytes held, names of fields included: what the cache counts.
    pub fn size(&self) -> usize {
        match self {
            Self::Whole(field) => field.value.len(),
            Self::Fields(fields) => fields.iter().map(|(name, field)| name.len() + field.value.len()).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_no_byte() {
        let field = Field { value: SecretValue::from("hunter2"), encoding: Encoding::Text };
        let payload = Payload::Fields(BTreeMap::from([("user".into(), field)]));
        assert_eq!(format!("{payload:?}"), r#"Fields({"user": Field { value: SecretValue(…), encoding: Text }})"#);
    }

    #[test]
    fn spare_capacity_is_not_kept() {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(b"hunter2");
        assert_eq!(SecretValue::from(bytes).expose(), b"hunter2");
    }
}
