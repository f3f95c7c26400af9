//! What providers answer: a [`Secret`] with its value, and [`Metadata`], [`VersionInfo`], [`Lease`] and [`Rotation`]
//! without one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::rendition::Kept;
use crate::{CanonicalId, Error, ErrorKind, Payload, SecretName, SecretValue, UnixMillis};

/// The version that a value has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    /// The provider's id: a UUID, a number, 32 hex digits.
    pub id: Box<str>,
    /// Its place in the order of versions, where the provider has one (KV v2, Parameter Store, GCP).
    pub order: Option<u64>,
}

impl Version {
    /// A version of a provider whose ids have no order.
    pub fn unordered(id: impl Into<Box<str>>) -> Self {
        Self { id: id.into(), order: None }
    }

    /// A version of a provider that counts.
    pub fn number(number: u64) -> Self {
        Self { id: number.to_string().into(), order: Some(number) }
    }
}

/// A secret as the provider answered it. Not `Clone`: the cache shares it behind an `Arc`.
#[derive(Debug, PartialEq)]
pub struct Secret {
    /// Its canonical identity.
    pub id: CanonicalId,
    /// The friendly name that the provider answers, for people and audit records.
    pub name: SecretName,
    /// Its version, where the provider has versions.
    pub version: Option<Version>,
    /// The labels on this version, such as `AWSCURRENT`.
    pub labels: Vec<Box<str>>,
    /// The value.
    pub payload: Payload,
    /// When this version was made.
    pub created: Option<UnixMillis>,
    /// After this the provider may have another value. It only ever shortens a TTL.
    pub expires: Option<UnixMillis>,
    /// The lease, if the secret was made for this reader.
    pub lease: Option<Lease>,
    /// What only this provider has and a drop-in surface answers, such as Parameter Store's `Type`.
    pub attributes: BTreeMap<&'static str, Box<str>>,
    /// How it was kept on its way here.
    pub relay: Relay,
    /// What a surface has written of it.
    pub rendition: Kept,
}

impl Secret {
    /// A secret with nothing but a name and a value.
    pub fn new(id: CanonicalId, name: SecretName, payload: Payload) -> Self {
        Self {
            id,
            name,
            version: None,
            labels: Vec::new(),
            payload,
            created: None,
            expires: None,
            lease: None,
            attributes: BTreeMap::new(),
            relay: Relay::default(),
            rendition: Kept::default(),
        }
    }
}

/// What is known of an answer that another cache has kept before it came here (a chained Lockstep).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Relay {
    /// How long ago it was asked for where it comes from. It counts here as well.
    pub age: Duration,
    /// Why it is past its time there, if it is: the failure that it stands in for.
    pub stale: Option<ErrorKind>,
}

/// A secret that was made for one reader and lives for a while.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    /// The id that renews and revokes it. Whoever has it can do both, so it redacts itself.
    pub id: SecretValue,
    /// How long it lives from the moment it was granted or renewed.
    pub duration: Duration,
    /// Whether it can be renewed.
    pub renewable: bool,
}

/// What is known of a secret without its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// Its canonical identity.
    pub id: CanonicalId,
    /// The friendly name.
    pub name: SecretName,
    /// The version that is current, if the provider tells.
    pub version: Option<Version>,
    /// What it is for.
    pub description: Option<String>,
    /// Tags or labels.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Option<UnixMillis>,
    /// When its value or metadata changed last.
    pub changed: Option<UnixMillis>,
    /// When it will be rotated next.
    pub next_rotation: Option<UnixMillis>,
    /// Whether the provider rotates it.
    pub rotation_enabled: Option<bool>,
    /// When it was deleted, if it can still be recovered.
    pub deleted: Option<UnixMillis>,
}

impl Metadata {
    /// Whether it has all of these tags, each with its value unless any will do.
    pub fn has_tags(&self, wanted: &[(String, Option<String>)]) -> bool {
        wanted.iter().all(|(name, value)| {
            self.tags.get(name).is_some_and(|have| value.as_ref().is_none_or(|value| value == have))
        })
    }

    /// Metadata with nothing but a name.
    pub fn new(id: CanonicalId, name: SecretName) -> Self {
        Self {
            id,
            name,
            version: None,
            description: None,
            tags: BTreeMap::new(),
            created: None,
            changed: None,
            next_rotation: None,
            rotation_enabled: None,
            deleted: None,
        }
    }
}

/// What state a version is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionState {
    /// It can be read.
    Enabled,
    /// It is switched off and can be switched on.
    Disabled,
    /// It is deleted and can be recovered.
    Deleted,
    /// It is gone for good.
    Destroyed,
}

/// One version of a secret, without its value.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionInfo {
    /// Which version.
    pub version: Version,
    /// The labels on it.
    pub labels: Vec<Box<str>>,
    /// When it was made.
    pub created: Option<UnixMillis>,
    /// What state it is in.
    pub state: VersionState,
}

/// What a rotation that was asked for has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The version that will become current, if the provider tells.
    pub version: Option<Version>,
}

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// What [`Paged::next`] said, to go on from there.
    pub token: Option<String>,
    /// How many items at most; the provider may have a lower limit. `None` is the provider's default.
    pub limit: Option<u16>,
}

impl Page {
    /// The error for a token that the provider did not make.
    pub fn bad_token() -> Error {
        Error::new(ErrorKind::InvalidReference, "the page token is not one of this list; begin again without one")
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Paged<T> {
    /// The items.
    pub items: Vec<T>,
    /// The token of the next part; `None` at the end. A part can be empty and still have a next one.
    pub next: Option<String>,
}

/// Which secrets of a list: all whose tags or labels match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Name of a tag, and its value unless any will do.
    pub tags: Vec<(String, Option<String>)>,
}
