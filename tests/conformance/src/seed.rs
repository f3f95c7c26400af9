//! What has to be there before the suite runs, below the prefix that it is told. The suite writes nothing itself.
//!
//! The caller may do everything with all of it but [`DENIED`], and nothing anywhere else.

/// A secret that has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed {
    /// Its name, after the prefix and a slash.
    pub name: &'static str,
    /// Its versions, the oldest first.
    pub versions: &'static [&'static str],
    /// Whether they stand here as base64, and are bytes.
    pub is_base64: bool,
    /// A tag that it has, where the provider has tags.
    pub tag: Option<(&'static str, &'static str)>,
}

const fn text(name: &'static str, versions: &'static [&'static str]) -> Seed {
    Seed { name, versions, is_base64: false, tag: None }
}

/// A text with everything that JSON escapes, and more than one byte per character.
pub const TEXT: Seed = text("text", &["canary-text: \"quotes\", \\ and\tünï ✓ 🔑\nline two {{secret:x}}"]);
/// An object with parts of every kind.
pub const JSON: Seed = text(
    "json",
    &[
        r#"{"user":"app","password":"canary-p\u00e4ss \"word\"","port":5432,"ratio":5.50,"nested":{"a/b":["canary-deep"]},"none":null}"#,
    ],
);
/// Bytes that are no UTF-8.
pub const BINARY: Seed = Seed { name: "binary", versions: &["AAH+/0NBTkFSWQ=="], is_base64: true, tag: None };
/// A secret that has changed once.
pub const MOVED: Seed = text("moved", &["canary-first", "canary-second"]);
/// A secret that the provider can rotate. Each run rotates it.
pub const ROTATED: Seed = text("rotated", &["canary-rotated"]);
/// A name of several segments.
pub const DEEP: Seed = text("deep/er/name_1.x+y=z", &["canary-deep-name"]);
/// A secret with a tag.
pub const TAGGED: Seed = Seed { tag: Some(("team", "conformance")), ..text("tagged", &["canary-tagged"]) };
/// A secret that the caller may not read.
pub const DENIED: Seed = text("denied", &["canary-denied"]);
/// Nothing: it must not be there.
pub const ABSENT: &str = "absent";
/// A name that not every provider takes: it stands in the provider that is named for it.
pub const ODD: Seed = text("naïve clé/ключ 🔑 100", &["canary-odd"]);

/// All of the ordinary provider's.
pub const SEEDS: [Seed; 8] = [TEXT, JSON, BINARY, MOVED, ROTATED, DEEP, TAGGED, DENIED];

impl Seed {
    /// The current version, as the API answers it.
    pub const fn current(&self) -> &'static str {
        match self.versions {
            [.., last] => last,
            [] => "",
        }
    }
}
