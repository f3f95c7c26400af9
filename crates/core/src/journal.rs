//! The [`Journal`]: the totally ordered feed of [`Change`]s, and the [`Cursor`] that says how far an instance has come.
//!
//! Backends live elsewhere, but for [`MemoryJournal`], which serves one process.

mod memory;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use self::memory::MemoryJournal;
use crate::{Call, Result, SecretName, UnixMillis};

/// "This secret of that provider changed", never with a value.
///
/// It names whose secret by provider type, account and region, not by alias: instances may call their providers what
/// they like. A field left empty matches any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Appending the same id twice appends once.
    pub id: Box<str>,
    /// Where the secret lives.
    pub source: Source,
    /// Which secret.
    pub name: ChangedName,
    /// The label that moved, if the notification says so; `None` is the current version.
    pub label: Option<Box<str>>,
    /// The version that the label points to now, if the notification says so.
    pub version: Option<Box<str>>,
    /// What happened.
    pub kind: ChangeKind,
    /// When, by the provider's clock.
    pub at: UnixMillis,
}

/// Where a changed secret lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Source {
    /// Provider type, such as `aws-secrets-manager`.
    pub provider: String,
    /// AWS account, Azure tenant or GCP project.
    pub account: String,
    /// Region or location.
    pub region: String,
}

/// Which secret changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangedName {
    /// This one, by its friendly or canonical name.
    #[serde(rename = "name")]
    One(Box<str>),
    /// Every secret of the source. Only an authenticated operator may say so.
    #[serde(rename = "all")]
    All,
}

impl ChangedName {
    /// The name of one secret.
    pub fn one(name: &SecretName) -> Self {
        Self::One(name.as_str().into())
    }
}

/// What happened to a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Somebody wrote a new version.
    Updated,
    /// A rotation finished.
    Rotated,
    /// It was deleted and can be recovered.
    Deleted,
    /// It is gone for good.
    Destroyed,
    /// Something changed; the notification does not say what.
    Unknown,
}

/// How far an instance has come in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    /// Which life of the journal; another one is a gap.
    pub epoch: u64,
    /// The sequence number of the last Change applied.
    pub seq: u64,
}

/// What the journal holds after a cursor.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// Changes after the cursor, oldest first, at most as many as asked for.
    pub changes: Vec<(u64, Change)>,
    /// The newest cursor of the journal. When the feed was cut, ask again from the last one's number.
    pub head: Cursor,
    /// Something between the cursor and `changes` is missing: another epoch, a head behind the cursor, or trimmed
    /// entries. Consumers trust this flag, never the density of the numbers.
    pub gap: bool,
    /// Whether there are more than were asked for: newer ones after a cursor, older ones without one. A reader that sees
    /// only some of the Changes gets fewer than it asked for, and this says all the same that the feed goes on.
    pub cut: bool,
    /// How old the head may be, when a cache answered instead of the journal.
    pub head_age: Duration,
}

/// A totally ordered feed of Changes.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Appends what is new (by [`Change::id`]) and returns the head.
    async fn append(&self, call: &Call, changes: &[Change]) -> Result<Cursor>;

    /// What came after the cursor; from the newest `limit` Changes when there is none.
    async fn since(&self, call: &Call, cursor: Option<Cursor>, limit: usize) -> Result<Feed>;
}
