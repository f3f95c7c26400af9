//! The `mock` provider: secrets from the configuration, kept in memory, and failures on request.
//!
//! For tests, demos and dry runs. It has versions that count up, and answers any [`ErrorKind`] that it is told to, so
//! that every failure can be seen without a provider that fails.

mod provider;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use lockstep_core::{ErrorKind, Payload};

pub use self::provider::MockProvider;

/// What a [`MockProvider`] begins with.
#[derive(Debug, Default)]
pub struct MockSettings {
    /// Which mock this is, when a configuration has several: the endpoint of its scope.
    pub instance: String,
    /// The environment of its scope.
    pub environment: String,
    /// Its secrets, by name.
    pub secrets: BTreeMap<String, MockSecret>,
    /// How long every call takes, in addition to the secret's own delay.
    pub delay: Duration,
}

/// One secret of a mock.
#[derive(Debug, Default)]
pub struct MockSecret {
    /// Its versions, oldest first, numbered from 1; the last one is current. None at all is "not found".
    pub versions: Vec<Payload>,
    /// What rotations will bring, in order. With none left, a rotation answers `RotationNotConfigured`.
    pub rotations: Vec<Payload>,
    /// What every call on this secret answers instead.
    pub error: Option<ErrorKind>,
    /// How long every call on this secret takes.
    pub delay: Duration,
}

impl MockSecret {
    /// A secret with one version, a text.
    pub fn text(value: &str) -> Self {
        Self { versions: vec![Payload::text(value)], ..Self::default() }
    }

    /// A secret that always fails like this.
    pub fn failing(kind: ErrorKind) -> Self {
        Self { error: Some(kind), ..Self::default() }
    }
}
