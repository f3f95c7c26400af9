//! The contract that every provider keeps, as one suite.
//!
//! A test brings a [`Harness`]: the provider and the means to write behind its back. [`run`] goes through the sections
//! that the provider's [`Capabilities`](lockstep_core::Capabilities) call for, and through "Unsupported" for the rest.
//! It panics at the first broken promise and names it, and gives back which sections ran, so that a test can tell that
//! none was left out.

mod lists;
mod reads;
mod refusals;
mod versions;

use async_trait::async_trait;
use lockstep_core::{Call, Encoding, ErrorKind, Field, Payload, Provider, Secret, SecretName, Selector, Version};

/// Stands in every value that the suite writes. It must never be seen where no value belongs.
pub const CANARY: &str = "c4n4ry";

/// The words of what is written to a provider that keeps texts and no versions. For one that knows no name which was not
/// bound before.
pub const WORDS: [&str; 18] = [
    "current",
    "value-text-unicode",
    "value-text-escapes",
    "value-text-number",
    "value-text-json",
    "value-text-long",
    "many-1",
    "many-2",
    "spelling",
    "deleted",
    "unsupported",
    "listed-0",
    "listed-1",
    "listed-2",
    "listed-3",
    "listed-4",
    "prefixed-in",
    "other-out",
];

/// How a provider can keep a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A whole text.
    Text,
    /// Whole bytes.
    Binary,
    /// Named texts.
    Fields,
}

/// A provider under test, and the world behind it.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The provider.
    fn provider(&self) -> &dyn Provider;

    /// A call with time enough.
    fn call(&self) -> Call;

    /// A name for this word. The names of one harness have a prefix, [`Harness::prefix`], that no other test uses.
    fn name(&self, word: &str) -> SecretName;

    /// What all names begin with.
    fn prefix(&self) -> String;

    /// Writes a value. It is current when this returns.
    async fn put(&self, name: &SecretName, payload: &Payload);

    /// Deletes a secret, and says which kind of error reading it is from now on.
    async fn delete(&self, name: &SecretName) -> ErrorKind;

    /// The shapes that it can keep.
    fn shapes(&self) -> Vec<Shape>;

    /// The longest value in bytes that is tried.
    fn longest(&self) -> usize {
        64 << 10
    }

    /// A selector that names a version which no secret here has.
    fn missing_version(&self) -> Selector;

    /// Texts after `@`, and what they must be taken for.
    fn selectors(&self) -> Vec<(&'static str, Selector)>;

    /// Other spellings of a name that was written, given what the provider answered for it.
    fn spellings(&self, secret: &Secret) -> Vec<SecretName> {
        let _ = secret;
        Vec::new()
    }
}

/// Runs the whole contract and says which sections there were.
///
/// # Panics
/// When a promise is broken; the message names it.
pub async fn run(harness: &dyn Harness) -> Vec<&'static str> {
    let can = harness.provider().capabilities();
    let mut ran = Vec::new();
    reads::current(harness, &mut ran).await;
    reads::values(harness, &mut ran).await;
    reads::many(harness, &mut ran).await;
    reads::spellings(harness, &mut ran).await;
    refusals::missing(harness, &mut ran).await;
    refusals::deleted(harness, &mut ran).await;
    refusals::unsupported(harness, &mut ran).await;
    refusals::selectors(harness, &mut ran);
    refusals::check(harness, &mut ran).await;
    if can.versions {
        versions::by_id(harness, &mut ran).await;
        versions::previous(harness, &mut ran).await;
        versions::pages(harness, &mut ran).await;
    }
    if can.describe {
        lists::describe(harness, &mut ran).await;
    }
    if can.list {
        lists::pages(harness, &mut ran).await;
        lists::prefix(harness, &mut ran).await;
    }
    ran
}

impl dyn Harness + '_ {
    /// A payload that holds this text, in the first shape that the provider can keep.
    fn payload(&self, text: &str) -> Payload {
        let shape = self.shapes().first().copied().unwrap_or_else(|| panic!("the harness names no shape"));
        shape.payload(format!("{CANARY} {text}").as_bytes())
    }

    /// Writes this text under this word.
    async fn put_text(&self, word: &str, text: &str) -> SecretName {
        let name = self.name(word);
        self.put(&name, &self.payload(text)).await;
        name
    }

    /// Reads, and fails the test if that fails.
    async fn get(&self, name: &SecretName, selector: &Selector) -> Secret {
        let outcome = self.provider().get(&self.call(), name, selector).await;
        let secret =
            outcome.unwrap_or_else(|error| panic!("{name} @{} must be readable: {error:?}", selector.as_str()));
        hides(&secret);
        secret
    }

    /// Reads, and fails the test if that works.
    async fn refusal(&self, name: &SecretName, selector: &Selector) -> ErrorKind {
        let Err(error) = self.provider().get(&self.call(), name, selector).await else {
            panic!("{name} @{} must not be readable", selector.as_str());
        };
        hides(&error);
        hides(&error.to_string());
        assert_eq!(error.name().map(SecretName::as_str), Some(name.as_str()), "an error names the secret: {error:?}");
        assert!(error.operation().is_some(), "an error names the operation: {error:?}");
        error.kind()
    }

    /// The version of what is current.
    async fn current_version(&self, name: &SecretName) -> Version {
        let secret = self.get(name, &Selector::Current).await;
        secret.version.unwrap_or_else(|| panic!("{name}: a provider with versions answers one"))
    }
}

impl Shape {
    /// The bytes as a payload of this shape. Text and fields need UTF-8.
    pub fn payload(self, bytes: &[u8]) -> Payload {
        match self {
            Self::Text => Payload::text(bytes),
            Self::Binary => Payload::binary(bytes),
            Self::Fields => {
                let field = |bytes: &[u8]| Field { value: bytes.into(), encoding: Encoding::Text };
                let fields = [("value".into(), field(bytes)), ("user.name".into(), field(CANARY.as_bytes()))];
                Payload::Fields(fields.into())
            }
        }
    }
}

/// Panics if the canary can be seen in the debug form.
fn hides(thing: &impl std::fmt::Debug) {
    let text = format!("{thing:?} {thing:#?}");
    assert!(!text.contains(CANARY), "a value can be seen: {text}");
}
