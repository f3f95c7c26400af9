//! [`Selector`]: which version of a secret. A reference holds raw text; the provider classifies it.

/// The longest selector text in bytes. Secrets Manager's staging labels end at 256, everything else earlier.
pub const MAX_SELECTOR_BYTES: usize = 256;

/// Which version of a secret is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Selector {
    /// The version that is current now.
    #[default]
    Current,
    /// The version that was current before.
    Previous,
    /// One version for good. It has no TTL.
    Id(Box<str>),
    /// A label or alias that can move. It has a TTL.
    Label(Box<str>),
}

impl Selector {
    /// Whether what it names can't change.
    pub fn is_pinned(&self) -> bool {
        matches!(self, Self::Id(_))
    }

    /// Whether a rotation moves it: what is current and what was current before move together.
    pub fn follows_rotation(&self) -> bool {
        matches!(self, Self::Current | Self::Previous)
    }

    /// The word or id, as a reference would have it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Id(text) | Self::Label(text) => text,
        }
    }
}
